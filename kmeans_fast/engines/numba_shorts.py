"""The filter for many features on points rounded to 16 bits, compiled; see `shorts`.

Points are rounded once and lie as the products want them. In every signature: points (n, D), centroids (K, D) float64,
values (n/32, D/2, 32, 2) int16: the numbers of tiles of 32 points, for each pair of features; factors
(K/2, D/2, 2, 2) int16: those of pairs of centroids, with the opposite sign. A tile has a column for each of its points,
and its members are where these are among all points.
"""

import math
from typing import Any

import numpy as np

from kmeans_fast.engines import shorts
from kmeans_fast.engines.margins import LARGEST_SQUARE, LEAST_SQUARE
from kmeans_fast.engines.numba_jit import emitted, kernel, part
from kmeans_fast.engines.numba_products import limit, square, subtract
from kmeans_fast.engines.shorts import CENTROIDS, LARGEST, POINTS, REACH, off_by

unit_of, norm_of = part()(shorts.unit_of), part()(shorts.norm_of)
is_held, least_lead = part()(shorts.is_held), part()(shorts.least_lead)
compare_shorts = emitted("compare_shorts")
# To copy a point to a tile of open ones takes as long as to compare it with so many centroids.
COPYING = 24
# Of that tile's points, as many must be there: few are looked at one by one.
LEAST_OPEN = 8


def round_points(
    points: Any,  # in
    origin: Any,  # in
    reach: float,  # in
    values: Any,  # out
    norms: Any,  # out
) -> tuple[float, float]:
    """Write the points' numbers and at least ‖q‖ of each, (n,) float32.

    Return the scale, and ‖e‖ / s at most, see `shorts`. The scale suits those within the reach of the origin, too. It
    is 0 if float32 can't hold their squares.
    """
    n_numbers = 2 * values.shape[1]
    space = np.zeros(n_numbers, np.float32), np.zeros(n_numbers, np.int16), np.zeros(1, np.float32)
    scale: float = _round(points, origin, reach, space, values.view(np.int32).reshape(-1), norms)
    return scale, off_by(origin.size, space[2][0])


@kernel()
def _round(
    points,  # in
    origin,  # in
    reach,  # in
    space,  # work space
    pairs,  # out
    norms,  # out
):
    local, numbers, rest = space
    n_features, n_pairs = origin.size, numbers.size // 2
    largest, spare = np.float64(reach) * reach, 1 + n_features * 2.0**-23
    for i in range(points.shape[0]):
        subtract(points[i], origin, local)
        largest = max(largest, np.float64(square(local) * np.float32(spare)))
    scale = math.sqrt(abs(largest)) / REACH  # first, as then it's no call of C
    if not LEAST_SQUARE < largest < LARGEST_SQUARE:
        return 0.0
    inverse, words = np.float32(1 / scale), numbers.view(np.int32)
    for i in range(points.shape[0]):
        subtract(points[i], origin, local)
        rest[0] = max(rest[0], _write(local, inverse, numbers))
        norms[i] = norm_of(_square(numbers), math.sqrt)
        first = i // POINTS * POINTS * n_pairs + i % POINTS
        for f in range(n_pairs):
            pairs[np.uint64(first + f * POINTS)] = words[f]
    return scale


@part()
def _square(numbers):
    total = np.int32(0)  # which REACH² doesn't exceed
    for f in range(numbers.size):
        total = np.int32(total + numbers[f] * numbers[f])  # of 64 bits otherwise
    return total


@part(fastmath={"contract", "nsz", "reassoc"})
def _write(local, inverse, numbers):
    """Round numbers; return the sum of the squares of what that changed, added in any order."""
    total = np.float32(0)
    for f in range(local.size):
        scaled = local[f] * inverse
        number = np.rint(scaled)
        numbers[f] = np.int32(number)
        total += (scaled - number) * (scaled - number)
    return total


@kernel()
def lay_out(
    centroids,  # in
    origin,  # in
    factors,  # out
    squares,  # out
    terms,  # out
):
    """Write the factors and ‖c‖², (K,), about the origin; as terms, t and the largest ‖d‖."""
    largest = 0.0
    for k in range(centroids.shape[0]):
        squares[k] = 0.0
        for f in range(origin.size):
            local = centroids[k, f] - origin[f]
            squares[k] += local * local
        largest = max(largest, squares[k])
    unit, error = unit_of(math.sqrt(abs(largest))), 0.0
    for k in range(centroids.shape[0]):
        rest = 0.0
        for f in range(origin.size):
            local = centroids[k, f] - origin[f]
            number = np.rint(local / unit)
            factors[k // CENTROIDS, f // 2, k % CENTROIDS, f % 2] = np.int16(-number)
            rest += (local - number * unit) * (local - number * unit)
        error = max(error, rest)
    terms[0], terms[1] = unit, math.sqrt(abs(error))


def settle(
    values: Any,  # in
    norms: Any,  # in
    scale: float,  # in
    off: float,  # in
    factors: Any,  # in
    squares: Any,  # in
    terms: Any,  # in
    gains: Any,  # in
    limits: Any,  # in/out
    labels: Any,  # in/out
    places: Any,  # out
    counts: Any,  # out
    kept: list[Any],  # in/out
) -> None:
    """Label points whose limits aren't above the gains of their labels, and set new limits, where rounding allows it.

    Writes the places of those that are left, (n,) int32, and counts: how many these are, how many points were compared,
    and how many of them labelled. `kept` is an empty list at first, and may be handed in again with the same arguments,
    which saves laying them out.
    """
    if not kept:
        offsets = np.full(CENTROIDS * len(factors), LARGEST, np.int32)
        totals = np.empty(offsets.size * POINTS, np.int32)
        flat = values.view(np.int32).reshape(len(values), -1), factors.view(np.int32).reshape(-1)
        gathered = np.zeros(flat[0].shape[1], np.int32), np.zeros(POINTS, np.uint32), np.arange(POINTS, dtype=np.uint32)
        found = tuple(np.empty((3, POINTS), np.int32)), np.zeros(POINTS, np.float32), np.empty(POINTS)
        space = offsets, totals, (np.empty(POINTS, np.uint32), np.empty(POINTS, np.uint32)), gathered, found
        layout = flat, norms, scale, off, squares, terms
        kept.append(_settle.prepared(*layout, gains, space, limits, labels, places, counts))
    counts[:] = 0
    kept[0]()


@kernel()
def _settle(
    flat,  # in
    norms,  # in
    scale,  # in
    off,  # in
    squares,  # in
    terms,  # in
    gains,  # in
    space,  # work space
    limits,  # in/out
    labels,  # in/out
    places,  # out
    counts,  # in/out
):
    values, factors = flat
    offsets, totals, (members, columns), (gathered, gathered_members, all_columns), found = space
    unit, error, n_clusters, n_gathered = terms[0], terms[1], squares.size, 0
    rounds = is_held(scale, unit)
    if rounds:
        for k in range(n_clusters):
            offsets[k] = np.int32(np.rint(squares[k] / (2 * scale * unit)))
    layout, known = (factors, offsets, totals), (norms, gains)
    bounds = scale, off, unit, error
    told = limits, labels, places, counts
    for tile in range(values.shape[0]):
        first = np.uint64(tile * POINTS)
        n_open = _list_open(first, gains, limits, labels, members, columns)
        if not rounds:
            _leave(members[:n_open], places, counts)
        elif n_open * (n_clusters + COPYING) > POINTS * n_clusters:
            _settle_tile(values[tile], members[:n_open], columns, layout, bounds, known, found, told)
        else:
            n_first = min(n_open, POINTS - n_gathered)
            _copy(values[tile], members[:n_first], columns, gathered, gathered_members, n_gathered)
            n_gathered += n_first
            if n_gathered == POINTS:
                _settle_tile(gathered, gathered_members, all_columns, layout, bounds, known, found, told)
                n_gathered = n_open - n_first
                _copy(values[tile], members[n_first:n_open], columns[n_first:], gathered, gathered_members, 0)
    if n_gathered >= LEAST_OPEN:
        _settle_tile(gathered, gathered_members[:n_gathered], all_columns, layout, bounds, known, found, told)
    else:
        _leave(gathered_members[:n_gathered], places, counts)


@part()
def _list_open(first, gains, limits, labels, members, columns):
    """List the open members of a tile that begins at a place, and their columns; return how many these are."""
    n_open = np.uint64(0)
    for column in range(min(np.uint64(POINTS), np.uint64(labels.size) - first)):
        columns[n_open] = column  # without jumps, as what is open can't be foretold
        n_open += np.uint64(not limits[first + column] > gains[labels[first + column]])  # so that a NaN counts
    for j in range(n_open):
        members[j] = first + columns[j]
    return np.int64(n_open)


@part()
def _copy(tile, members, columns, gathered, gathered_members, to):
    """Copy points from columns of a tile to those of another one, from one on."""
    for j in range(members.size):
        gathered_members[to + j] = members[j]
    for row in range(0, tile.size, POINTS):
        for j in range(members.size):
            gathered[np.uint64(row + to + j)] = tile[np.uint64(row) + np.uint64(columns[np.uint64(j)])]


@part()
def _leave(members, places, counts):
    left = places[counts[0] :]
    for j in range(members.size):
        left[j] = members[j]
    counts[0] += members.size


@part()
def _settle_tile(tile, members, columns, layout, bounds, known, found, told):
    """Label the points in some columns of a tile; leave those of which rounding doesn't allow it."""
    factors, offsets, totals = layout
    norms, gains = known
    scale, off, unit, error = bounds
    (best, second, nearest), own, leads = found
    limits, labels, places, counts = told
    for j in range(members.size):
        own[columns[j]] = norms[members[j]]
    compare_shorts(tile, factors, offsets, totals, best, second, nearest)
    for column in range(POINTS):
        norm, value, other = np.float64(own[column]), np.float64(best[column]), np.float64(second[column])
        leads[column] = least_lead(scale, off, unit, error, norm, value, other, math.sqrt, max)
    n_left = np.uint64(counts[0])
    for j in range(members.size):
        i, lead, label = members[j], leads[columns[j]], np.uint32(nearest[columns[j]])
        if lead > 0:
            labels[i], limits[i] = label, limit(gains[label], lead)
        else:
            places[n_left] = i
            n_left += np.uint64(1)
    n_told = members.size - (np.int64(n_left) - counts[0])
    counts[0], counts[1], counts[2] = n_left, counts[1] + members.size, counts[2] + n_told
