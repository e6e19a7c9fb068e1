"""The filter for many features on points rounded to 16 bits, compiled; see `shorts`.

Points are rounded once and lie as the products want them. In every signature: points (n, D), centroids (K, D) float64,
values (n/32, D/2, 32, 2) int16: the numbers of tiles of 32 points, for each pair of features; factors
(K/2, D/2, 2, 2) int16: those of pairs of centroids, with the opposite sign.
"""

import math
from typing import Any

import numpy as np

from kmeans_fast.engines import shorts
from kmeans_fast.engines.margins import LARGEST_SQUARE, LEAST_SQUARE
from kmeans_fast.engines.numba_jit import emitted, kernel, part
from kmeans_fast.engines.numba_products import limit, square, subtract
from kmeans_fast.engines.shorts import CENTROIDS, LARGEST, POINTS, REACH, off_by

unit_of, margin, least_lead = part()(shorts.unit_of), part()(shorts.margin), part()(shorts.least_lead)
compare_shorts = emitted("compare_shorts")
# Of a tile's points, as many must be open: few are looked at one by one.
LEAST_OPEN = 8


def round_points(
    points: Any,  # in
    origin: Any,  # in
    reach: float,  # in
    values: Any,  # out
    squares: Any,  # out
) -> tuple[float, float]:
    """Write the points' numbers and at least their squared distances from the origin, (n,) float32.

    Return the scale, and ‖e‖ / s at most, see `shorts`. The scale suits those within the reach of the origin, too. It
    is 0 if float32 can't hold their squares.
    """
    n_numbers = 2 * values.shape[1]
    space = np.zeros(n_numbers, np.float32), np.zeros(n_numbers, np.int16), np.zeros(1, np.float32)
    scale: float = _round(points, origin, reach, space, values.view(np.int32).reshape(-1), squares)
    return scale, off_by(origin.size, space[2][0])


@kernel()
def _round(
    points,  # in
    origin,  # in
    reach,  # in
    space,  # work space
    pairs,  # out
    squares,  # out
):
    local, numbers, rest = space
    n_features, n_pairs = origin.size, numbers.size // 2
    largest, spare = np.float64(reach) * reach, 1 + n_features * 2.0**-23
    for i in range(points.shape[0]):
        subtract(points[i], origin, local)
        squares[i] = square(local) * np.float32(spare)
        largest = max(largest, np.float64(squares[i]))
    scale = math.sqrt(abs(largest)) / REACH  # first, as then it's no call of C
    if not LEAST_SQUARE < largest < LARGEST_SQUARE:
        return 0.0
    inverse, words = np.float32(1 / scale), numbers.view(np.int32)
    for i in range(points.shape[0]):
        subtract(points[i], origin, local)
        rest[0] = max(rest[0], _write(local, inverse, numbers))
        first = i // POINTS * POINTS * n_pairs + i % POINTS
        for f in range(n_pairs):
            pairs[np.uint64(first + f * POINTS)] = words[f]
    return scale


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
    squares: Any,  # in
    scale: float,  # in
    off: float,  # in
    factors: Any,  # in
    norms: Any,  # in
    terms: Any,  # in
    gains: Any,  # in
    limits: Any,  # in/out
    labels: Any,  # in/out
    places: Any,  # out
    counts: Any,  # out
) -> None:
    """Label points whose limits aren't above the gains of their labels, and set new limits, where rounding allows it.

    Writes the places of those that are left, (n,) int32, and counts: how many these are, how many points were compared,
    and how many of them labelled.
    """
    offsets = np.full(CENTROIDS * len(factors), LARGEST, np.int32)
    totals = np.empty(offsets.size * POINTS, np.int32)
    space = offsets, totals, np.empty((3, POINTS), np.int32), np.empty(POINTS), np.empty(POINTS, np.int32)
    flat = values.view(np.int32).reshape(len(values), -1), factors.view(np.int32).reshape(-1)
    n_features = 2 * values.shape[1]
    _settle(flat, squares, scale, off, n_features, norms, terms, gains, space, limits, labels, places, counts)


@kernel()
def _settle(
    flat,  # in
    squares,  # in
    scale,  # in
    off,  # in
    n_features,  # in
    norms,  # in
    terms,  # in
    gains,  # in
    space,  # work space
    limits,  # in/out
    labels,  # in/out
    places,  # out
    counts,  # out
):
    values, factors = flat
    offsets, totals, found, leads, is_open = space
    least = margin(n_features, off, scale, terms[0], terms[1], math.sqrt)
    step = 2 * scale * terms[0]
    if least < LARGEST:
        for k in range(norms.size):
            offsets[k] = np.int32(np.rint(norms[k] / step))
    n_left = n_compared = n_labelled = 0
    for tile in range(values.shape[0]):
        some = slice(tile * POINTS, min(tile * POINTS + POINTS, labels.size))
        some_labels, some_limits = labels[some], limits[some]
        n_open = 0
        for i in range(some_labels.size):
            is_open[i] = not some_limits[i] > gains[some_labels[i]]  # written so that a NaN counts
            n_open += is_open[i]
        leads[:] = 0
        if n_open >= min(LEAST_OPEN, some_labels.size) and least < LARGEST:
            compare_shorts(values[tile], factors, offsets, totals, found[0], found[1], found[2])
            _find_leads(squares[some], found, step, least, leads)
            n_compared += n_open
        for i in range(some_labels.size):
            if is_open[i] and leads[i] > 0:
                some_labels[i] = found[2, i]
                some_limits[i] = limit(gains[found[2, i]], leads[i])
                n_labelled += 1
            elif is_open[i]:
                places[n_left] = tile * POINTS + i
                n_left += 1
    counts[0], counts[1], counts[2] = n_left, n_compared, n_labelled


@part()
def _find_leads(squares, found, step, least, leads):
    """Write bounds of how much farther the second nearest centroid is; 0 or less where the nearest isn't known."""
    for j in range(squares.size):
        best, second = np.float64(found[0, j]), np.float64(found[1, j])
        lead = least_lead(np.float64(squares[j]), best, second, step, least, math.sqrt)
        leads[j] = lead if second - best > least else 0.0
