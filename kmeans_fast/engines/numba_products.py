"""The filter for many features, as parts of `numba_dense`: the nearest two by a matrix product, a block at a time.

As ‖x − c‖² is ‖x‖² plus ‖c‖² − 2·x·c, the centroids nearest to a point are those of the least ‖c‖² − 2·x·c. The
products x·c are summed in float32, a tile of points and centroids at a time, whose sums stay in registers. A lead of
the nearest over the second nearest that rounding cannot explain decides; the other points are settled by the textbook,
in float64. See `margins`.
"""

import math
from typing import Any

import numpy as np

from kmeans_fast.engines import margins
from kmeans_fast.engines.numba_jit import emitted, part
from kmeans_fast.engines.tiles import PAIR, QUAD, SIDE, STEP

margin_terms, is_decided = part()(margins.margin_terms), part()(margins.is_decided)
least_lead, limit = part()(margins.least_lead), part()(margins.limit)
add_products, turn_about, multiply = emitted("add_products"), emitted("turn_about"), emitted("multiply")

# Points compared at a time: two tiles with AVX-512, four with AVX2. And features multiplied at a time: 24 kB of rows,
# which stay in the L1 cache.
BLOCK = 96
TILE = 64
# Features read at a time, 2 kB of a float32 point: shorter pieces come from memory more slowly. 192 kB of rows stay in
# the L2 cache.
STRIP = 512
# Centroids whose products are kept until they are compared: 96 kB at most. With more features than a strip has, points
# are turned about once a group.
GROUP = 256
# With so many features and so few centroids, turning points about takes longer than comparing them: they are multiplied
# as they lie. 784 features and 10 centroids took 0.6 of the time with AVX-512, 0.9 with AVX2, where 32 took 1.1 to 1.4.
LEAST_LONG, MOST_LONG = 256, STRIP * BLOCK // 4
MOST_FEW = 16
CACHE_LINE = 64  # bytes
LANES = 16  # in the longest vectors


def work_space(n_features: int, n_clusters: int, dtype: Any) -> Any:
    """Space for centroids as the filter wants them, a block of points, and what it finds for each."""
    depth, width = n_features, _padded(n_clusters, STEP)
    rows = _padded(min(depth, STRIP), SIDE) * BLOCK
    if _is_multiplied_as_it_lies(n_features, n_clusters):
        depth, even = _padded(n_features, LANES), _padded(n_clusters, PAIR)
        directions = _on_cache_lines(even * depth, np.float32).reshape(even, depth)
        rows = QUAD * depth
    else:
        directions = np.zeros((width // STEP, depth * STEP), np.float32)
    return (
        np.empty(n_features, dtype),
        np.full((n_features, _padded(n_clusters, LANES)), np.inf),
        directions,
        np.full(width, np.inf, np.float32),
        _on_cache_lines(SIDE * _padded(min(depth, STRIP), SIDE), np.float32),
        _on_cache_lines(rows, np.float32),
        _on_cache_lines(min(width, GROUP) * BLOCK, np.float32),
        _on_cache_lines(3 * BLOCK, np.float32),
        _on_cache_lines(BLOCK, np.int32),
        np.empty(_padded(n_clusters, LANES)),
        np.empty(BLOCK, np.int64),
        np.empty(BLOCK),
    )


def _is_multiplied_as_it_lies(n_features: int, n_clusters: int) -> bool:
    return LEAST_LONG <= n_features <= MOST_LONG and n_clusters <= MOST_FEW


def _padded(size: int, step: int) -> int:
    return -(-size // step) * step


def _on_cache_lines(size: int, dtype: type) -> Any:
    """Make an array of zeros in which no vector lies on two lines."""
    space = np.zeros(4 * size + CACHE_LINE, np.uint8)
    first = -space.ctypes.data % CACHE_LINE
    return space[first : first + 4 * size].view(dtype)


is_multiplied_as_it_lies = part()(_is_multiplied_as_it_lies)


@part()
def lay_out(centroids, origin, columns, directions, norms, squares):
    """Write the origin, and centroids by feature: as they are, and −2·c and ‖c‖² about the origin. Return C².

    Where points are multiplied as they lie, −2·c is written by centroid.
    """
    n_clusters, n_features = centroids.shape
    by_centroid = is_multiplied_as_it_lies(n_features, n_clusters)
    squares[:] = 0
    for f in range(n_features):
        column = columns[f]
        total = 0.0
        for k in range(n_clusters):
            column[k] = centroids[k, f]
            total += column[k]
        origin[f] = total / n_clusters  # rounded here as it is for the points
        middle = np.float64(origin[f])
        for k in range(n_clusters):
            local = column[k] - middle
            direction = np.float32(-2) * np.float32(local)
            if by_centroid:
                directions[k, f] = direction
            else:
                directions[k // STEP, f * STEP + k % STEP] = direction
            squares[k] += local * local
    largest = 0.0
    for k in range(n_clusters):
        norms[k] = squares[k]
        largest = max(largest, squares[k])
    return largest


@part()
def find_two_as_they_lie(points, places, origin, directions, norms, rows, products, found, nearest):
    """Do as `find_two` for many features and few centroids, some points and two centroids at a time."""
    n_features, depth = points.shape[1], directions.shape[1]
    local = rows[: QUAD * depth]
    local[:] = 0
    for start in range(0, places.size, QUAD):
        for i in range(start, min(start + QUAD, places.size)):
            row, point = local[(i - start) * depth : (i - start + 1) * depth], points[places[i]]
            for f in range(n_features):
                row[f] = np.float32(origin.dtype.type(point[f]) - origin[f])
            found[i] = _square(row)
        for k in range(0, directions.shape[0], PAIR):
            ahead = points[places[min(start + QUAD + k // PAIR, places.size - 1)]]
            multiply(local, directions[k : k + PAIR], ahead, products[k * BLOCK :], start, BLOCK)
    found[BLOCK:] = np.inf
    nearest[:] = 0
    for k in range(0, norms.size, STEP):
        _compare(products[k * BLOCK : (k + STEP) * BLOCK], norms, k, found, nearest)


@part(fastmath={"contract", "nsz", "reassoc"})
def _square(local):
    total = np.float32(0)
    for f in range(local.size):
        total += local[f] * local[f]
    return total


@part()
def find_two(points, places, origin, directions, norms, local, rows, products, found, nearest):
    """Write ‖x‖², the least and second least ‖c‖² − 2·x·c of points to `found`, and the nearest centroid.

    Arrays of work space are flat, with a row of BLOCK numbers after the other: at constant distances, rows need no
    checks for overlaps, which would take as long as the products.
    """
    depth, width = points.shape[1], directions.shape[0] * STEP
    found[:BLOCK] = 0
    found[BLOCK:] = np.inf
    nearest[:] = 0
    for first in range(0, width, GROUP):
        group = min(GROUP, width - first)
        products[: group * BLOCK] = 0
        for start in range(0, depth, STRIP):
            size = min(STRIP, depth - start)
            if first == 0 or depth > STRIP:
                _load(points, places, start, size, origin, local, rows)
            if first == 0:
                _add_squares(rows, size, found)
            for tile in range(0, size, TILE):
                end = min(tile + TILE, size)
                for k in range(0, group, STEP):
                    add_products(
                        rows[tile * BLOCK : end * BLOCK],
                        directions[(first + k) // STEP, (start + tile) * STEP : (start + end) * STEP],
                        products[k * BLOCK : (k + STEP) * BLOCK],
                    )
        for k in range(0, group, STEP):
            _compare(products[k * BLOCK : (k + STEP) * BLOCK], norms, first + k, found, nearest)


@part()
def _load(points, places, start, size, origin, local, rows):
    """Turn a block of points about, one float32 row a feature, relative to the origin."""
    if origin.size < SIDE:
        _load_few(points, places, origin, rows)
        return
    length = -(-size // SIDE) * SIDE
    for first in range(0, places.size, SIDE):
        for i in range(first, min(first + SIDE, places.size)):
            point, copied = points[places[i]], local[(i - first) * length : (i - first) * length + size]
            for f in range(size):
                copied[f] = np.float32(origin.dtype.type(point[start + f]) - origin[start + f])
        turn_about(local[: SIDE * length], rows, first, BLOCK)


@part()
def _load_few(points, places, origin, rows):
    for f in range(origin.size):
        row, value = rows[f * BLOCK : (f + 1) * BLOCK], origin[f]
        for i in range(places.size):
            row[i] = np.float32(origin.dtype.type(points[np.uint64(places[i]), np.uint64(f)]) - value)


@part(fastmath={"contract"})
def _add_squares(rows, size, squares):
    for f in range(size):
        row = rows[f * BLOCK : (f + 1) * BLOCK]
        for i in range(BLOCK):
            squares[i] += row[i] * row[i]


@part()
def _compare(products, norms, k, found, nearest):
    """Let STEP centroids compete with the best so far."""
    norm_a, norm_b, norm_c, norm_d = norms[k], norms[k + 1], norms[k + 2], norms[k + 3]
    label_a, label_b, label_c, label_d = np.int32(k), np.int32(k + 1), np.int32(k + 2), np.int32(k + 3)
    for i in range(BLOCK):
        a, b = norm_a + products[i], norm_b + products[BLOCK + i]
        c, d = norm_c + products[2 * BLOCK + i], norm_d + products[3 * BLOCK + i]
        least, second, label = found[BLOCK + i], found[2 * BLOCK + i], nearest[i]
        second = min(second, max(a, least))
        label = label_a if a < least else label
        least = min(a, least)
        second = min(second, max(b, least))
        label = label_b if b < least else label
        least = min(b, least)
        second = min(second, max(c, least))
        label = label_c if c < least else label
        least = min(c, least)
        second = min(second, max(d, least))
        label = label_d if d < least else label
        least = min(d, least)
        found[BLOCK + i], found[2 * BLOCK + i], nearest[i] = least, second, label


@part()
def find_open(labels, gains, limits, start, places):
    """Write the places of the next points that a rival may have caught up with, all of them if there are no limits.

    Returns how many there are, up to BLOCK, and where to go on.
    """
    n_open, i = 0, start
    while i < labels.size and n_open < BLOCK:
        places[n_open] = i
        n_open += limits.size == 0 or not limits[i] > gains[labels[i]]  # written so that a NaN counts
        i += 1
    return n_open, i


@part()
def settle_undecided(points, places, columns, largest, found, nearest, distances, leads):
    """Settle by the textbook the points whose lead is within the margin; write the leads of all others, and 0."""
    squares, best, second = found[:BLOCK], found[BLOCK : 2 * BLOCK], found[2 * BLOCK :]
    n_features = points.shape[1]
    terms = margin_terms(largest, n_features)
    for i in range(BLOCK):
        leads[i] = least_lead(squares[i], best[i], second[i], largest, n_features, math.sqrt)
    n_undecided = 0
    for i in range(places.size):
        n_undecided += not is_decided(squares[i], best[i], second[i], terms)
    if n_undecided:
        for i in range(places.size):
            if not is_decided(squares[i], best[i], second[i], terms):
                nearest[i], leads[i] = _nearest_by_textbook(points[places[i]], columns, distances), 0


@part()
def _nearest_by_textbook(point, columns, distances):
    """Return the nearest centroid in float64, feature by feature, nothing fused, the first of equals.

    Some centroids, of which those of no cluster are infinitely far, are measured at a time.
    """
    distances[:] = 0.0
    for first in range(0, distances.size, LANES):
        some = distances[first : first + LANES]
        for f in range(point.size):
            value, column = np.float64(point[f]), columns[f, first : first + LANES]
            for k in range(LANES):
                difference = value - column[k]
                some[k] += difference * difference
    nearest = 0
    for k in range(1, distances.size):
        if distances[k] < distances[nearest]:
            nearest = k
    return nearest
