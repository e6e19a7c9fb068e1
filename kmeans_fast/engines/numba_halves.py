"""The filter for few features on points rounded to 16 bits, compiled; see `halves`.

Points are rounded once and lie as the filter wants them. In every signature: points (n, D), values (n/64, D, 64) int16:
the numbers of tiles of 64 points; factors (K/2, D, 2) int32: those of pairs of centroids, with the opposite sign, each
in both halves of 32 bits.
"""

import math
from typing import Any

import numpy as np

from kmeans_fast.engines import halves
from kmeans_fast.engines.halves import CENTROIDS, HALF, LARGEST, POINTS
from kmeans_fast.engines.margins import LARGEST_SQUARE, LEAST_SQUARE
from kmeans_fast.engines.numba_dense import label_by_textbook, wide_work_space
from kmeans_fast.engines.numba_jit import emitted, kernel, part
from kmeans_fast.engines.product_space import on_cache_lines
from kmeans_fast.engines.shorts import REACH

compare_halves, least_lead = emitted("compare_halves"), part()(halves.least_lead)
# Points compared at a time: a row of what is found is 1 kB.
BLOCK = 8 * POINTS
# Points of which those that are left are listed, if there are any; and about how many are settled at a time.
STRETCH, MOST_LEFT = 64, 4096


def round_points(
    points: Any,  # in
    origin: Any,  # in
    reach: float,  # in
    values: Any,  # out
) -> float:
    """Write the points' numbers; return the scale, or 0 if float32 can't hold their squared distances from the origin.

    It suits those within the reach of the origin, too.
    """
    rows, squares = on_cache_lines((BLOCK * origin.size, np.float32), (BLOCK, np.float32))
    scale: float = _round(points, points.reshape(-1), origin, reach, rows, squares, values.reshape(-1))
    return scale


@kernel()
def _round(
    points,  # in
    numbers,  # in
    origin,  # in
    reach,  # in
    rows,  # work space
    squares,  # work space
    values,  # out
):
    n_features, largest = origin.size, np.int32(0)
    for start in range(0, points.shape[0], BLOCK):
        _load(points, numbers, start, origin, rows)
        squares[:] = 0
        for f in range(n_features):
            _add_squares(rows[f * BLOCK : (f + 1) * BLOCK], squares)
        for i in range(min(BLOCK, points.shape[0] - start)):
            largest = max(largest, squares[i].view(np.int32))  # of integers LLVM finds the largest in vectors
    spare = 1 + n_features * 2.0**-23
    square = max(np.float64(reach) * reach, np.float64(np.int32(largest).view(np.float32)) * spare)
    scale = math.sqrt(abs(square)) / REACH  # first, as then it's no call of C
    if not LEAST_SQUARE < square < LARGEST_SQUARE:
        return 0.0
    inverse = np.float32(1 / scale)
    for start in range(0, points.shape[0], BLOCK):
        _load(points, numbers, start, origin, rows)
        for tile in range(start, min(start + BLOCK, points.shape[0]), POINTS):
            for f in range(n_features):
                first = f * BLOCK + tile - start
                row, place = rows[first : first + POINTS], (tile * n_features) + f * POINTS
                _write(row, inverse, values[place : place + POINTS])
    return scale


@part()
def _load(points, numbers, start, origin, rows):
    """Write a block of points relative to the origin, one row a feature; beyond the last are some of another block."""
    n, kind = min(BLOCK, points.shape[0] - start), origin.dtype.type
    if origin.size == 3:  # a known step lets LLVM shuffle vectors: a quarter of the time
        a, b, c = origin[0], origin[1], origin[2]
        some = numbers[3 * start : 3 * (start + n)]
        row_a, row_b, row_c = rows[:BLOCK], rows[BLOCK : 2 * BLOCK], rows[2 * BLOCK : 3 * BLOCK]
        for i in range(n):
            row_a[i] = np.float32(kind(some[3 * i]) - a)
            row_b[i] = np.float32(kind(some[3 * i + 1]) - b)
            row_c[i] = np.float32(kind(some[3 * i + 2]) - c)
    else:
        for f in range(origin.size):
            row, value = rows[f * BLOCK : (f + 1) * BLOCK], origin[f]
            for i in range(n):
                row[i] = np.float32(kind(points[np.uint64(start + i), np.uint64(f)]) - value)


@part()
def _add_squares(row, squares):
    for i in range(BLOCK):
        squares[i] += row[i] * row[i]


@part()
def _write(row, inverse, values):
    for i in range(POINTS):
        values[i] = np.int32(np.rint(row[i] * inverse))


def label(
    points: Any,  # in
    values: Any,  # in
    scale: float,  # in
    centroids: Any,  # in
    factors: Any,  # in
    squares: Any,  # in
    terms: Any,  # in
    labels: Any,  # out
    kept: list[Any],  # in/out
) -> int:
    """Label points: by the textbook those whose leads are too small; return how many these are.

    Takes ‖c‖², (K,), about the origin, and as terms t and the largest ‖d‖. `kept` is an empty list at first, and may be
    handed in again with the same arguments, which saves laying them out.
    """
    if not kept:
        leads, nearest = on_cache_lines((BLOCK, np.uint16), (BLOCK, np.int16))
        offsets = np.empty(CENTROIDS * len(factors), np.int32)
        work = offsets, leads, nearest, np.empty(MOST_LEFT + BLOCK, np.int64), wide_work_space(points.shape[1])
        flat = values.reshape(-1), factors.reshape(-1)
        kept.append(_label.prepared(points, *flat, scale, centroids, squares, terms, work, labels))
    n_left: int = kept[0]()
    return n_left


@kernel()
def _label(
    points,  # in
    values,  # in
    factors,  # in
    scale,  # in
    centroids,  # in
    squares,  # in
    terms,  # in
    work,  # work space
    labels,  # out
):
    offsets, leads, nearest, places, wide = work
    n_features, n_left, n_settled = points.shape[1], 0, 0
    least = least_lead(n_features, scale, terms[0], terms[1], math.sqrt)
    are_told = least < LARGEST
    if not are_told:  # values may not fit into 16 bits: all are left
        least, leads[:] = 1.0, 0
    _lay_out(squares, scale * terms[0], offsets)
    for start in range(0, labels.size, BLOCK):
        some = labels[start : start + BLOCK]
        tiles = values[start * n_features : (start + BLOCK) * n_features]
        if are_told:
            compare_halves(tiles, factors, offsets, leads, nearest, n_features)
        for i in range(some.size):
            some[i] = nearest[i]
        n_left = _list_undecided(leads[: some.size], np.uint16(least), start, places, n_left)
        if n_left > MOST_LEFT or start + BLOCK >= labels.size:
            label_by_textbook(points, places[:n_left], centroids, wide, labels)
            n_settled, n_left = n_settled + n_left, 0
    return n_settled


@part()
def _lay_out(squares, unit, offsets):
    """Write what values begin with, in both halves of 32 bits, for a unit of s·t; some more for a last pair."""
    for k in range(offsets.size):
        offset = np.float64(LARGEST)
        if k < squares.size:
            offset = min(np.rint(squares[k] / (2 * HALF * unit)), offset)
        offsets[k] = np.int64(offset) * (HALF + 1)


@part()
def _list_undecided(leads, least, first, places, n_left):
    """Add the places, from `first` on, of points whose leads are too small to a list; return how many it holds.

    Most stretches have none, and to find the smallest is done in vectors.
    """
    end = np.uint64(n_left)
    for start in range(0, leads.size, STRETCH):
        some, smallest = leads[start : start + STRETCH], least
        for j in range(some.size):
            smallest = min(smallest, some[j])
        if smallest < least:
            for j in range(some.size):
                places[end] = first + start + j
                end += np.uint64(some[j] < least)
    return np.int64(end)
