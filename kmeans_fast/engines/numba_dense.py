"""The dense pass, compiled: every point against every centroid, one chunk of points a call.

`assign` labels a chunk of points, `add` adds them to the sums of their clusters while they are still in a cache.
Nothing of size N×K exists.

For 3 or 4 features (fewer are padded with zeros) a block is first compared in float32, by ‖c‖² − 2·x·c, which costs one
multiply-add a feature: the *filter*. It yields the nearest centroid and how much farther the second nearest is. Where
that lead is within what rounding could hide, the point is settled in float64 in the textbook's order of operations.
With more features the filter is a matrix product, see `numba_products`. Few points go straight to the textbook's
arithmetic. Either way the labels are those of the float64 textbook loop.

In every signature: points (n, D) C-contiguous, centroids (K, D) float64, weights (n,) float64 or empty for all ones.
"""

from typing import Any

import numpy as np

from kmeans_fast.engines.margins import MOST_FEATURES
from kmeans_fast.engines.numba_jit import kernel, part
from kmeans_fast.engines.numba_products import (
    find_two,
    find_two_as_they_lie,
    is_multiplied_as_it_lies,
    lay_out,
    limit,
    settle_undecided,
)
from kmeans_fast.engines.product_space import BLOCK as BLOCK_OF_PRODUCTS
from kmeans_fast.engines.product_space import on_cache_lines, work_space
from kmeans_fast.machine.chunks import N_STRANDS

# Points compared at a time. With 3 features their rows, best and second distances and labels are 12 kB of a 32 kB L1
# cache; blocks of 256 were 5 % slower.
BLOCK = 512
# They are in rows of one array: at fixed distances in it, LLVM knows without checks that they don't overlap. 16 more
# than those, so that rows aren't a whole number of pages apart. With code for AVX2 that and GROUP take half the time.
ROW = BLOCK + 16
X0, X1, X2, X3, BEST, SECOND, NEAREST = (i * ROW for i in range(7))
# Centroids that are compared in one pass over a block.
GROUP = 4
# The same for the loop over any number of features, where each point holds 8 bytes a feature.
WIDE_BLOCK = 128
MAX_FILTERED_FEATURES = 4
MAX_FILTERED_CLUSTERS = 2**24  # float32 holds their labels
# Points times centroids up to which the filter isn't used: its gain is microseconds, but compiling it takes seconds.
PLAIN_WORK = 2**16
# Points from one time to the next that those the filter left undecided are settled: at K=256 about one WIDE_BLOCK,
# while the points are still in the L2 cache.
STRETCH = 16 * BLOCK

# As unsigned numbers, places need no checks.
ONE, TWO, THREE = np.uint64(1), np.uint64(2), np.uint64(3)

# See _filter_block for why this much of the squared scale covers all rounding of the filter.
ROUNDING = np.float32(1.25 * 2.0**-19)
# Between these squared scales float32 neither overflows nor loses its relative precision to subnormal numbers.
SMALLEST_SCALE = np.float32(1e-24)
LARGEST_SCALE = np.float32(1e36)


def assign(
    points: Any,  # in
    centroids: Any,  # in
    labels: Any,  # out
) -> None:
    """Write the label of each point's nearest centroid, ties to the lowest index, to `labels`."""
    n_features = points.shape[1]
    if _is_worth_filtering(len(points), n_features, len(centroids)):
        # float32 holds all points but those of float64, so that the difference is rounded once
        origins = np.empty(BLOCK * n_features, np.float64 if points.dtype == np.float64 else np.float32)
        local = _local_work_space(n_features, len(centroids), origins)
        _filtered_pass(points, points.reshape(-1), centroids, local, wide_work_space(n_features), labels)
    elif _suits_products(points, len(centroids)):
        space = work_space(n_features, len(centroids), points.dtype)
        _product_pass(points, centroids, np.empty(0), np.empty(0, np.int32), space, np.empty(0, np.float32), labels)
    else:
        _plain_pass(points, centroids, wide_work_space(n_features), labels)


def find_open(
    gains: Any,  # in
    limits: Any,  # in
    labels: Any,  # in
    places: Any,  # out
) -> int:
    """Write the places of points whose limits, (n,), aren't above the gains of their labels, (K,); return how many.

    Gains say how far rivals have come nearer so far.
    """
    n_open: int = _find_open(gains, limits, labels, np.empty(BLOCK, np.uint8), places)
    return n_open


@kernel()
def _find_open(
    gains,  # in
    limits,  # in
    labels,  # in
    are_open,  # work space
    places,  # out
):
    n_open = np.uint64(0)
    for first in range(0, labels.size, BLOCK):
        start, n = np.uint64(first), np.uint64(min(BLOCK, labels.size - first))
        for j in range(n):  # apart from listing them, which takes half the time together
            are_open[j] = not limits[start + j] > gains[labels[start + j]]  # written so that a NaN counts
        for j in range(n):
            places[n_open] = np.int32(start + j)
            n_open += np.uint64(are_open[j])
    return n_open


def relabel(
    points: Any,  # in
    centroids: Any,  # in
    gains: Any,  # in
    places: Any,  # in
    space: Any,  # work space
    limits: Any,  # in/out
    labels: Any,  # in/out
) -> None:
    """Do as `assign` for the points at some places, (n,) int32, and set their limits, where many features tell them.

    The space, see `product_space`, is one thread's, and for these centroids alone.
    """
    if _suits_products(points, len(centroids)):
        _product_pass(points, centroids, gains, places, space, limits, labels)
    else:
        assign(points, centroids, labels)


def _is_worth_filtering(n_points: int, n_features: int, n_clusters: int) -> bool:
    return (
        n_features <= MAX_FILTERED_FEATURES
        and n_clusters <= MAX_FILTERED_CLUSTERS
        and n_points * n_clusters > PLAIN_WORK
    )


def _suits_products(points: Any, n_clusters: int) -> bool:
    has_many_features = MAX_FILTERED_FEATURES < points.shape[1] <= MOST_FEATURES
    return has_many_features and n_clusters > 1 and points.size * n_clusters > PLAIN_WORK


def _local_work_space(n_features: int, n_clusters: int, origins: Any) -> Any:
    """Space for centroids as the filter wants them, a block of points, what it finds for each, and the undecided."""
    directions = tuple(np.zeros(n_clusters + GROUP, np.float32) for _ in range(max(3, n_features)))
    norms = np.full(n_clusters + GROUP, np.inf, np.float32)
    return (
        np.empty(n_features),
        directions,
        norms,
        np.zeros(n_clusters),
        origins,
        np.empty(origins.size, np.float32),
        *on_cache_lines((7 * ROW, np.float32)),
        np.empty(STRETCH, np.int64),
    )


def wide_work_space(n_features: int) -> Any:
    """Rows of a block of points, and space for its distances, best distances and labels."""
    (space,) = on_cache_lines(((n_features + 3) * WIDE_BLOCK, np.float64))
    rows = space.reshape(-1, WIDE_BLOCK)
    return rows[:n_features], rows[n_features], rows[n_features + 1], rows[n_features + 2].view(np.int64)


@kernel()
def _filtered_pass(
    points,  # in
    flat,  # in
    centroids,  # in
    space,  # work space
    wide,  # work space
    labels,  # out
):
    n_features = centroids.shape[1]
    origin, directions, norms, norms64, origins, local, room, undecided = space
    largest_norm = _localize(centroids, origins, origin, directions, norms, norms64)
    for i in range(origins.size):
        origins[i] = origin[i % n_features]
    for first in range(0, points.shape[0], STRETCH):
        stretch = points[first : first + STRETCH]
        stretch_labels = labels[first : first + STRETCH]
        n_undecided = 0
        for start in range(0, stretch.shape[0], BLOCK):
            begin, end = first + start, min(first + start + BLOCK, points.shape[0])
            block = flat[begin * n_features : end * n_features]
            scale = _load(block, n_features, origins, local, room) + largest_norm
            _filter_block(room, directions, norms)
            block_labels = stretch_labels[start : start + BLOCK]
            n_undecided = _keep_decided(scale, room, block_labels, start, undecided, n_undecided)
        label_by_textbook(stretch, undecided[:n_undecided], centroids, wide, stretch_labels)


@part()
def _localize(centroids, origins, origin, directions, norms, norms64):
    """Centroids about their own mean, as the filter wants them: an origin, −2·c by feature, and ‖c‖².

    Some more, at infinity, fill the last group. Returns the largest ‖c‖².
    """
    n_clusters, n_features = centroids.shape
    for f in range(n_features):
        total = 0.0
        for k in range(n_clusters):
            total += centroids[k, f]
        origin[f] = origins.dtype.type(total / n_clusters)  # rounded here as it is for the points
        for k in range(n_clusters):
            local = np.float32(centroids[k, f] - origin[f])
            directions[f][k] = np.float32(-2) * local
            norms64[k] += np.float64(local) * np.float64(local)
    largest = np.float32(0)
    for k in range(n_clusters):
        norms[k] = norms64[k]
        largest = max(largest, norms[k])
    return largest


@part()
def _load(flat, n_features, origins, local, room):
    """Turn a block of points about, one float32 row a feature, relative to the origin. Returns the largest ‖x‖².

    `origins` holds the origin once for each point of a block, `local` is work space of that size.
    """
    n_points = flat.size // n_features
    if n_features == 3:  # a known step lets LLVM shuffle vectors: 0.3 against 1.3 to 2.2 ns a point
        a, b, c = origins[0], origins[1], origins[2]
        for i in range(n_points):
            room[X0 + i] = np.float32(origins.dtype.type(flat[3 * i]) - a)
            room[X1 + i] = np.float32(origins.dtype.type(flat[3 * i + 1]) - b)
            room[X2 + i] = np.float32(origins.dtype.type(flat[3 * i + 2]) - c)
    else:
        for j in range(flat.size):
            local[j] = np.float32(origins.dtype.type(flat[j]) - origins[j])
        for f in range(n_features):
            for i in range(n_points):
                room[f * ROW + i] = local[i * n_features + f]
    return _largest_norm(room, n_points)


@part(fastmath={"contract"})
def _largest_norm(room, n_points):
    """Return the largest ‖x‖², or NaN, by its bits: of integers LLVM finds the largest in vectors, 10 times as fast."""
    largest = np.int32(0)
    for j in range(n_points):
        i = np.uint64(j)
        x0, x1, x2, x3 = room[X0 + i], room[X1 + i], room[X2 + i], room[X3 + i]
        largest = max(largest, np.float32(x0 * x0 + x1 * x1 + x2 * x2 + x3 * x3).view(np.int32))
    return np.int32(largest).view(np.float32)


@part(inline=True)
def _filter_block(room, directions, norms):
    """Find, in float32, the least and second least of ‖c‖² − 2·x·c for each point, and the centroid of the least.

    Its error. Let u = 2⁻²⁴ and R² = 2·(‖x‖² + ‖c‖²) ≥ (‖x‖ + ‖c‖)², about the origin. Rounding x and c to float32 moves
    the squared distance by at most 2.01·u·R², rounding ‖c‖² moves it by u·R², the products together by u·R²/2, the four
    additions by u·R² each: less than 8·u·R² in all, so two values 16·u·R² = 2⁻¹⁹·(‖x‖² + ‖c‖²) apart are in their true
    order, and the float64 loop, whose own error is 2²⁸ times smaller, sees the same one. ROUNDING has a quarter to
    spare.
    """
    room[BEST:NEAREST] = np.inf
    for k in range(0, norms.size - GROUP, GROUP):
        _filter_group(room, directions, norms, k)


@part(fastmath={"contract"})
def _filter_group(room, directions, norms, first):
    """Compare a block with four centroids: 0.085 to 0.09 ns a point and centroid."""
    a, b, c, d = (
        _centroid(directions, norms, first),
        _centroid(directions, norms, first + 1),
        _centroid(directions, norms, first + 2),
        _centroid(directions, norms, first + 3),
    )
    for j in range(BLOCK):
        i = np.uint64(j)
        x = room[X0 + i], room[X1 + i], room[X2 + i], room[X3 + i]
        found = _nearer(directions, x, a, (room[BEST + i], room[SECOND + i], room[NEAREST + i]))
        found = _nearer(directions, x, c, _nearer(directions, x, b, found))
        room[BEST + i], room[SECOND + i], room[NEAREST + i] = _nearer(directions, x, d, found)


@part(inline=True)
def _centroid(directions, norms, k):
    return directions[0][k], directions[1][k], directions[2][k], directions[-1][k], norms[k], np.float32(k)


@part(fastmath={"contract"})
def _nearer(directions, x, centroid, found):
    """Take one more centroid into account; the fourth feature where there is one."""
    least, second, nearest = found
    value = centroid[4] + x[0] * centroid[0] + x[1] * centroid[1] + x[2] * centroid[2]
    if len(directions) == 4:
        value += x[3] * centroid[3]
    second = min(second, max(value, least))
    nearest = centroid[5] if value < least else nearest
    return min(value, least), second, nearest


@part()
def _keep_decided(scale, room, labels, first, undecided, n_undecided):
    """Take over the filter's labels; add the places, from `first` on, of points whose lead is too small to trust.

    Returns how many places `undecided` holds then.
    """
    margin = ROUNDING * scale if SMALLEST_SCALE < scale < LARGEST_SCALE else np.float32(np.inf)
    for i in range(labels.size):
        labels[i] = np.int32(room[NEAREST + i])
    for start in range(0, labels.size, 64):  # most stretches hold none, and counting is done in vectors
        n = min(labels.size - start, 64)
        if _count_undecided(room, np.uint64(start), n, margin):
            for i in range(start, start + n):
                if not (room[SECOND + i] - room[BEST + i] > margin):
                    undecided[n_undecided] = first + i
                    n_undecided += 1
    return n_undecided


@part()
def _count_undecided(room, start, n, margin):
    # with a signed number in the sum each index would be looked at, and its value gathered
    best, second = np.uint64(BEST) + start, np.uint64(SECOND) + start
    count = 0
    for j in range(n):
        i = np.uint64(j)
        count += not (room[second + i] - room[best + i] > margin)  # written so that a NaN counts
    return count


@part()
def label_by_textbook(points, places, centroids, wide, labels):
    """Label the points at these places by the textbook."""
    rows = wide[0]
    for start in range(0, places.size, WIDE_BLOCK):
        block = places[start : start + WIDE_BLOCK]
        for f in range(points.shape[1]):
            for j in range(block.size):
                rows[f, j] = points[block[j], f]
        _find_nearest(wide, centroids)
        for j in range(block.size):
            labels[block[j]] = wide[3][j]


@kernel()
def _product_pass(
    points,  # in
    centroids,  # in
    gains,  # in
    open_places,  # in
    space,  # work space
    limits,  # in/out
    labels,  # in/out
):
    """Label with many features: the filter by a matrix product, some points at a time; all, if there are no limits."""
    origin, columns, directions, norms, local, rows, products, found, nearest, distances, places, leads, known = space
    if known[0] < 0:
        known[0] = lay_out(centroids, origin, columns, directions, norms, distances)
    largest = known[0]
    n_open = open_places.size if limits.size else points.shape[0]
    for start in range(0, n_open, BLOCK_OF_PRODUCTS):
        some = places[: min(BLOCK_OF_PRODUCTS, n_open - start)]
        for j in range(some.size):
            some[j] = open_places[start + j] if limits.size else start + j
        if is_multiplied_as_it_lies(points.shape[1], centroids.shape[0]):
            find_two_as_they_lie(points, some, origin, directions, norms, rows, products, found, nearest)
        else:
            find_two(points, some, origin, directions, norms, local, rows, products, found, nearest)
        settle_undecided(points, some, columns, largest, found, nearest, distances, leads)
        if limits.size:
            for j in range(some.size):  # apart from labels, so that they are worked out in vectors
                leads[j] = limit(gains[np.uint64(nearest[j])], leads[j])
            for j in range(some.size):
                limits[np.uint64(some[j])] = leads[j]
        for j in range(some.size):
            labels[np.uint64(some[j])] = nearest[j]


@kernel()
def _plain_pass(
    points,  # in
    centroids,  # in
    wide,  # work space
    labels,  # out
):
    """Label with any number of features: the textbook's arithmetic, a block of points in the inner loop."""
    n_features = points.shape[1]
    rows = wide[0]
    for start in range(0, points.shape[0], WIDE_BLOCK):
        block = points[start : start + WIDE_BLOCK]
        for f in range(n_features):
            for i in range(block.shape[0]):
                rows[f, i] = block[i, f]
        _find_nearest(wide, centroids)
        block_labels = labels[start : start + WIDE_BLOCK]
        for i in range(block_labels.size):
            block_labels[i] = wide[3][i]


@part()
def _find_nearest(wide, centroids):
    """Write the nearest centroids by the textbook: float64, feature by feature, nothing fused, the first of equals."""
    rows, distances, best, nearest = wide
    for i in range(WIDE_BLOCK):
        best[i] = np.inf
        nearest[i] = 0
    for k in range(centroids.shape[0]):
        for i in range(WIDE_BLOCK):
            distances[i] = 0.0
        for f in range(centroids.shape[1]):
            _add_squared_difference(rows[f], centroids[k, f], distances)
        for i in range(WIDE_BLOCK):
            least, label = best[i], nearest[i]  # read first, or else stores are masked, which some processors do slowly
            nearest[i] = k if distances[i] < least else label
            best[i] = min(distances[i], least)


@part()
def _add_squared_difference(row, value, distances):
    for i in range(row.size):
        difference = row[i] - value
        distances[i] += difference * difference


def add(
    points: Any,  # in
    weights: Any,  # in
    labels: Any,  # in
    sums: Any,  # in/out
    kept: list[Any],  # in/out
) -> None:
    """Add weight·point and weight of each point of few features to its cluster's sums (K, 4, D+1), by turns.

    `kept` is an empty list at first, and may be handed in again with the same arguments, which saves laying them out.
    """
    if not kept:
        totals = np.empty(sums.shape[0] * sums.shape[1], np.int64)
        kept.append(_add.prepared(points, points.reshape(-1), weights, labels, sums, sums.reshape(-1), totals))
    kept[0]()


@kernel(pairs=True)
def _add(
    points,  # in
    numbers,  # in
    weights,  # in
    labels,  # in
    sums,  # in/out
    flat_sums,  # in/out
    totals,  # work space
):
    """Add each point to its cluster, the first to its first strand, the next to the next one, and so on.

    float64 holds sums of integers exactly up to 2⁵³. What is added to a strand waits for what was added before.
    """
    n_features = points.shape[1]
    n_added = 0
    if not weights.size and 2 <= n_features <= 4 and labels.size:
        n_added = (labels.size - 1) // N_STRANDS * N_STRANDS
        _add_unweighted(numbers, n_features, labels[:n_added], flat_sums, totals)
    for i in range(n_added, labels.size):
        k, strand = labels[i], i % N_STRANDS
        weight = weights[i] if weights.size else 1.0
        for f in range(n_features):
            sums[k, strand, f] += weight * np.float64(points[i, f])
        sums[k, strand, n_features] += weight


@part()
def _add_unweighted(numbers, n_features, labels, sums, totals):
    """Add points of 2 to 4 features, but not the very last: two or four numbers are read and added at a time.

    Of three features the fourth is thrown away, where the number of points belongs. 1.4 against 2.1 ns a point.
    """
    depth = np.uint64(n_features)
    for j in range(totals.size):
        totals[j] = np.int64(sums[j * (n_features + 1) + n_features])
    for j in range(labels.size // N_STRANDS):
        for strand in range(N_STRANDS):
            i = np.uint64(j * N_STRANDS + strand)
            row = np.uint64(labels[i]) * np.uint64(N_STRANDS) + np.uint64(strand)
            if depth == TWO:
                _add_two(numbers, i * depth, sums, row * THREE)
            else:
                _add_four(numbers, i * depth, sums, row * (depth + ONE))
            totals[row] += 1
    for j in range(totals.size):
        sums[j * (n_features + 1) + n_features] = np.float64(totals[j])


@part()
def _add_two(numbers, i, sums, j):
    sums[j], sums[j + ONE] = sums[j] + np.float64(numbers[i]), sums[j + ONE] + np.float64(numbers[i + ONE])


@part()
def _add_four(numbers, i, sums, j):
    sum0, sum1 = sums[j] + np.float64(numbers[i]), sums[j + ONE] + np.float64(numbers[i + ONE])
    sum2, sum3 = sums[j + TWO] + np.float64(numbers[i + TWO]), sums[j + THREE] + np.float64(numbers[i + THREE])
    sums[j], sums[j + ONE], sums[j + TWO], sums[j + THREE] = sum0, sum1, sum2, sum3


def measure(
    points: Any,  # in
    weights: Any,  # in
    centroids: Any,  # in
    labels: Any,  # in
    inertias: Any,  # in/out
    counts: Any,  # in/out
    totals: Any,  # in/out
) -> None:
    """Add the points' shares of the inertia to `inertias`, by turns, each to `counts` (K,), its weight to `totals`."""
    (room,), counted = on_cache_lines((4 * BLOCK, np.float64)), np.zeros(N_STRANDS * len(counts), np.int64)
    _measure(points, points.reshape(-1), weights, centroids, labels, room, counted, inertias, counts, totals)


@kernel()
def _measure(
    points,  # in
    numbers,  # in
    weights,  # in
    centroids,  # in
    labels,  # in
    room,  # work space
    counted,  # work space
    inertias,  # in/out
    counts,  # in/out
    totals,  # in/out
):
    n_features = points.shape[1]
    for start in range(0, labels.size, BLOCK):
        block_labels = labels[start : start + BLOCK]
        stop = start + block_labels.size
        if n_features == 3:
            _measure_three(numbers[3 * start : 3 * stop], centroids, block_labels, room)
        else:
            _measure_fours(points[start:stop], centroids, block_labels, room)
        if weights.size:
            for i in range(block_labels.size):
                totals[block_labels[i]] += weights[start + i]
                room[i] *= weights[start + i]
        _add_strands(room, block_labels.size, inertias)
        for i in range(block_labels.size):
            counted[np.uint64(block_labels[i]) * np.uint64(N_STRANDS) + np.uint64(i % N_STRANDS)] += 1
    for k in range(counts.size):
        count = counted[4 * k] + counted[4 * k + 1] + counted[4 * k + 2] + counted[4 * k + 3]
        counts[k] += count
        totals[k] += 0 if weights.size else count


@part()
def _measure_three(numbers, centroids, labels, room):
    """Write the squared distances of points of 3 features: first their centroids, in rows, then all in vectors."""
    for i in range(labels.size):
        k = labels[i]
        room[BLOCK + i], room[2 * BLOCK + i], room[3 * BLOCK + i] = centroids[k, 0], centroids[k, 1], centroids[k, 2]
    for i in range(labels.size):
        difference0 = np.float64(numbers[3 * i]) - room[BLOCK + i]
        difference1 = np.float64(numbers[3 * i + 1]) - room[2 * BLOCK + i]
        difference2 = np.float64(numbers[3 * i + 2]) - room[3 * BLOCK + i]
        room[i] = difference0 * difference0 + difference1 * difference1 + difference2 * difference2


@part()
def _measure_fours(points, centroids, labels, room):
    for i in range(0, labels.size, 4):
        four = slice(i, min(i + 4, labels.size))
        distances = _squared_distances(points[four], centroids, labels[four])
        room[i], room[i + 1], room[i + 2], room[i + 3] = distances


@part()
def _add_strands(row, size, strands):
    """Add numbers by turns to four sums, none of which waits for another."""
    strand0, strand1, strand2, strand3 = strands[0], strands[1], strands[2], strands[3]
    row[size : size + N_STRANDS] = 0.0  # the row has room for them
    for i in range(0, size, N_STRANDS):
        strand0 += row[i]
        strand1 += row[i + 1]
        strand2 += row[i + 2]
        strand3 += row[i + 3]
    strands[0], strands[1], strands[2], strands[3] = strand0, strand1, strand2, strand3


@part()
def _squared_distances(points, centroids, labels):
    """Return the squared distances of four points to their centroids, side by side, as each is one long sum in order.

    If there are fewer, the last takes the place of the others.
    """
    last = labels.size - 1
    i1, i2, i3 = min(1, last), min(2, last), min(3, last)
    p0, p1, p2, p3 = points[0], points[i1], points[i2], points[i3]
    c0, c1, c2, c3 = centroids[labels[0]], centroids[labels[i1]], centroids[labels[i2]], centroids[labels[i3]]
    distance0 = distance1 = distance2 = distance3 = 0.0
    for f in range(centroids.shape[1]):
        difference0, difference1 = np.float64(p0[f]) - c0[f], np.float64(p1[f]) - c1[f]
        difference2, difference3 = np.float64(p2[f]) - c2[f], np.float64(p3[f]) - c3[f]
        distance0 += difference0 * difference0
        distance1 += difference1 * difference1
        distance2 += difference2 * difference2
        distance3 += difference3 * difference3
    return distance0, distance1, distance2, distance3


@kernel()
def farthest_members(
    points,  # in
    weights,  # in
    centroids,  # in
    labels,  # in
    distances,  # in/out
    indices,  # in/out
):
    """Keep, for each cluster, the squared distance and the place in the chunk of its farthest point of positive weight.

    Of points equally far it is the first in lexicographic order, wherever it stands. `distances` (K,) comes in as −1
    and `indices` (K,) int64 as 0; a cluster without such a point leaves them so.
    """
    for i in range(labels.size):
        k = labels[i]
        distance = 0.0
        for f in range(centroids.shape[1]):
            difference = np.float64(points[i, f]) - centroids[k, f]
            distance += difference * difference
        farther = distance > distances[k] or (distance == distances[k] and _precedes(points, i, indices[k]))
        if farther and (weights.size == 0 or weights[i] > 0):
            distances[k] = distance
            indices[k] = i


@part()
def _precedes(points, i, j):
    for f in range(points.shape[1]):
        if points[i, f] != points[j, f]:
            return points[i, f] < points[j, f]
    return False
