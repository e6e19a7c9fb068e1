"""Counting pixels of RGBA by what they become, (r·a, g·a, b·a, 255·a) of 16 bits, compiled.

Those that aren't opaque are sorted as keys of 64 bits, of which the lowest `NUMBER_BITS` are the pixel's number; those
above are of its point's code. The 16 highest bits of a code are told by the bucket that a key is in, the lowest 8, two
of each channel, are left out: with an alpha of 5 or more points that differ do so in the others. The codes of fainter
ones have 40 bits in all, and a bucket of their own, as have those of alpha 0, whose code is 0.

In every signature: pixels (n, 4) uint8; `counts` and `places` (BUCKETS,) uint32; `keys` (m,) uint64; `ends` (B,) int64
says where in `keys` each of some buckets ends.
"""

from typing import Any

import numpy as np

from kmeans_fast.engines.codes import FAINT, NUMBER_BITS, OPAQUE, spread_table
from kmeans_fast.engines.numba_histogram import _add_one
from kmeans_fast.engines.numba_jit import kernel, part

BYTE, BYTE_BITS = np.uint32(255), np.uint32(8)
HALF = np.uint64(32)


def count(
    pixels: Any,  # in
    table: Any,  # in/out
    table_marks: Any,  # in/out
    table_carried: Any,  # in/out
    counts: Any,  # in/out
) -> None:
    """Do as `histogram.count` with opaque pixels' RGB; add to `counts` how many others each bucket has."""
    _count(pixels, spread_table(3), spread_table(4), table, table_marks, table_carried, counts)


@kernel()
def _count(
    pixels,  # in
    spread,  # in
    wide_spread,  # in
    table,  # in/out
    marks,  # in/out
    carried,  # in/out
    counts,  # in/out
):
    s0, s1, s2 = spread[0], spread[1], spread[2]
    w0, w1, w2, w3 = wide_spread[0], wide_spread[1], wide_spread[2], wide_spread[3]
    n_carried = np.uint64(carried[0])
    for i in range(np.uint64(pixels.shape[0])):
        alpha = np.uint32(pixels[i, 3])
        if alpha == OPAQUE:
            code = s0[pixels[i, 0]] | s1[pixels[i, 1]] | s2[pixels[i, 2]]
            n_carried = _add_one(code, table, marks, carried, n_carried)
        else:
            p0, p1, p2, p3 = alpha * pixels[i, 0], alpha * pixels[i, 1], alpha * pixels[i, 2], alpha * BYTE
            upper = w0[p0 >> BYTE_BITS] | w1[p1 >> BYTE_BITS] | w2[p2 >> BYTE_BITS] | w3[p3 >> BYTE_BITS]
            counts[_bucket(alpha, upper)] += np.uint32(1)
    carried[0] = n_carried


@part(inline=True)
def _bucket(alpha, upper):
    """Return the bucket of a code by its upper half."""
    faint = np.uint32(0) if alpha == 0 else np.uint32(1)
    return faint if alpha < FAINT else (upper >> np.uint32(16)) + np.uint32(2)


def place(
    pixels: Any,  # in
    first: int,
    places: Any,  # in/out
    keys: Any,  # out
) -> None:
    """Write the keys of pixels that aren't opaque to where `places` says that the next of its bucket goes.

    Numbers count from `first`.
    """
    _place(pixels, first, spread_table(4), places, keys)


@kernel()
def _place(
    pixels,  # in
    first,
    spread,  # in
    places,  # in/out
    keys,  # out
):
    w0, w1, w2, w3 = spread[0], spread[1], spread[2], spread[3]
    for i in range(np.uint64(pixels.shape[0])):
        alpha = np.uint32(pixels[i, 3])
        if alpha != OPAQUE:
            p0, p1, p2, p3 = alpha * pixels[i, 0], alpha * pixels[i, 1], alpha * pixels[i, 2], alpha * BYTE
            upper = w0[p0 >> BYTE_BITS] | w1[p1 >> BYTE_BITS] | w2[p2 >> BYTE_BITS] | w3[p3 >> BYTE_BITS]
            lower = w0[p0 & BYTE] | w1[p1 & BYTE] | w2[p2 & BYTE] | w3[p3 & BYTE]
            code = np.uint64(upper) << HALF | np.uint64(lower)
            if alpha >= FAINT:
                code >>= np.uint64(BYTE_BITS)
            bucket = _bucket(alpha, upper)
            at = places[bucket]
            places[bucket] = at + np.uint32(1)
            keys[at] = code << np.uint64(NUMBER_BITS) | (np.uint64(first) + i)


@kernel()
def count_points(
    keys,  # in
    ends,  # in
):
    """Return how many different points there are in some buckets, the first of which begins with the keys."""
    n, start = np.int64(0), np.uint64(0)
    for bucket in range(ends.shape[0]):
        stop = np.uint64(ends[bucket])
        if start < stop:
            n += 1
            for i in range(start + np.uint64(1), stop):
                n += keys[i] >> np.uint64(NUMBER_BITS) != keys[i - np.uint64(1)] >> np.uint64(NUMBER_BITS)
        start = stop
    return n


def list_points(
    pixels: Any,  # in
    keys: Any,  # in
    ends: Any,  # in
    points: Any,  # out
    codes: Any,  # out
    counts: Any,  # out
    order: Any,  # out
) -> None:
    """Write the points in some buckets, their codes, how many pixels each has, and the numbers of these.

    `pixels` are all; `points` (p, 4) are uint16, `codes` (p,) uint64, `counts` (p,) int64 and `order` (m,) uint32.
    """
    _list_points(pixels, keys, ends, spread_table(4), points, codes, counts, order)


@kernel()
def _list_points(
    pixels,  # in
    keys,  # in
    ends,  # in
    spread,  # in
    points,  # out
    codes,  # out
    counts,  # out
    order,  # out
):
    w0, w1, w2, w3 = spread[0], spread[1], spread[2], spread[3]
    mask = (np.uint64(1) << np.uint64(NUMBER_BITS)) - np.uint64(1)
    n, i = np.uint64(0), np.uint64(0)
    for bucket in range(ends.shape[0]):
        stop = np.uint64(ends[bucket])
        while i < stop:
            first, part_of_code = i, keys[i] >> np.uint64(NUMBER_BITS)
            number = keys[i] & mask
            while i < stop and keys[i] >> np.uint64(NUMBER_BITS) == part_of_code:
                order[i] = keys[i] & mask
                i += np.uint64(1)
            alpha = np.uint32(pixels[number, 3])
            p0, p1, p2 = alpha * pixels[number, 0], alpha * pixels[number, 1], alpha * pixels[number, 2]
            p3 = alpha * BYTE
            upper = w0[p0 >> BYTE_BITS] | w1[p1 >> BYTE_BITS] | w2[p2 >> BYTE_BITS] | w3[p3 >> BYTE_BITS]
            lower = w0[p0 & BYTE] | w1[p1 & BYTE] | w2[p2 & BYTE] | w3[p3 & BYTE]
            points[n, 0], points[n, 1], points[n, 2], points[n, 3] = p0, p1, p2, p3
            codes[n] = np.uint64(upper) << HALF | np.uint64(lower)
            counts[n] = np.int64(i - first)
            n += np.uint64(1)
