"""The filter for many features, as parts of `numba_dense`: the nearest two by a matrix product, a block at a time.

As ‖x − c‖² is ‖x‖² plus ‖c‖² − 2·x·c, the centroids nearest to a point are those of the least ‖c‖² − 2·x·c. The
products x·c are summed in float32, a tile of points and centroids at a time, whose sums stay in registers. A lead of
the nearest over the second nearest that rounding cannot explain decides; the other points are settled by the textbook,
in float64. See `margins`.
"""

import math

import numpy as np

from kmeans_fast.engines import margins, product_space
from kmeans_fast.engines.numba_jit import emitted, part
from kmeans_fast.engines.product_space import BLOCK, GROUP, LANES, STRIP, TILE
from kmeans_fast.engines.tiles import PAIR, QUAD, SIDE, STEP

margin_terms, is_decided = part()(margins.margin_terms), part()(margins.is_decided)
least_lead, limit = part()(margins.least_lead), part()(margins.limit)
add_products, turn_about, multiply = emitted("add_products"), emitted("turn_about"), emitted("multiply")

is_multiplied_as_it_lies = part()(product_space.is_multiplied_as_it_lies)


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
    depth = directions.shape[1]
    local = rows[: QUAD * depth]
    local[:] = 0
    for start in range(0, places.size, QUAD):
        for i in range(start, min(start + QUAD, places.size)):
            row = local[(i - start) * depth : (i - start + 1) * depth]
            subtract(points[places[i]], origin, row)
            found[i] = square(row)
        for k in range(0, directions.shape[0], PAIR):
            ahead = points[places[min(start + QUAD + k // PAIR, places.size - 1)]]
            multiply(local, directions[k : k + PAIR], ahead, products[k * BLOCK :], start, BLOCK)
    found[BLOCK:] = np.inf
    nearest[:] = 0
    for k in range(0, norms.size, STEP):
        _compare(products[k * BLOCK : (k + STEP) * BLOCK], norms, k, found, nearest)


@part()
def subtract(point, origin, local):
    """Write a point relative to the origin; what `local` has room for beyond its features stays."""
    for f in range(origin.size):
        local[f] = np.float32(origin.dtype.type(point[f]) - origin[f])


@part(fastmath={"contract", "nsz", "reassoc"})
def square(local):
    """Return ‖x‖², added in any order."""
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
