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

from kmeans_fast.engines.codes import FAINT, NUMBER_BITS, OPAQUE, lanes_table, reciprocals, spread_table
from kmeans_fast.engines.numba_histogram import _add_one
from kmeans_fast.engines.numba_jit import kernel, part

BYTE, BYTE_BITS = np.uint32(255), np.uint32(8)
HALF = np.uint64(32)
ONE, EIGHT = np.uint64(1), np.uint64(8)
# Of what is divided by alpha, added so that rounding doesn't matter.
HALF_STEP = np.float32(0.5)


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
            p0, p1, p2, p3 = _products(pixels, i, alpha)
            upper = _upper_half(w0, w1, w2, w3, p0, p1, p2, p3)
            counts[_bucket(alpha, upper)] += np.uint32(1)
    carried[0] = n_carried


@part(inline=True)
def _products(pixels, i, alpha):
    return alpha * pixels[i, 0], alpha * pixels[i, 1], alpha * pixels[i, 2], alpha * BYTE


@part(inline=True)
def _upper_half(w0, w1, w2, w3, p0, p1, p2, p3):
    """Return the upper half of the code of products."""
    return w0[p0 >> BYTE_BITS] | w1[p1 >> BYTE_BITS] | w2[p2 >> BYTE_BITS] | w3[p3 >> BYTE_BITS]


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
            p0, p1, p2, p3 = _products(pixels, i, alpha)
            upper = _upper_half(w0, w1, w2, w3, p0, p1, p2, p3)
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
            for i in range(start + ONE, stop):
                n += keys[i] >> np.uint64(NUMBER_BITS) != keys[i - ONE] >> np.uint64(NUMBER_BITS)
        start = stop
    return n


def list_points(
    keys: Any,  # in
    ends: Any,  # in
    first_bucket: int,
    points: Any,  # out
    codes: Any,  # out
    counts: Any,  # out
    order: Any,  # out
) -> None:
    """Write the points in some buckets, their codes, how many pixels each has, and the numbers of these.

    `points` (p, 4) are uint16, `codes` (p,) uint64, `counts` (p,) int64 and `order` (m,) uint32. With the lowest two
    bits of each left out, products still tell alpha, and then the channels: that takes half the time of looking for
    each point's pixel.
    """
    _list_points(keys, ends, first_bucket, lanes_table(), reciprocals(), spread_table(4), points, codes, counts, order)


@kernel()
def _list_points(
    keys,  # in
    ends,  # in
    first_bucket,
    lanes,  # in
    inverse,  # in
    spread,  # in
    points,  # out
    codes,  # out
    counts,  # out
    order,  # out
):
    w0, w1, w2, w3 = spread[0], spread[1], spread[2], spread[3]
    lowest, left_out = np.uint32(3), np.uint32(255)
    n = start = np.uint64(0)
    for i in range(ends.shape[0]):
        first, stop, bucket = n, np.uint64(ends[i]), first_bucket + i
        if start == stop:
            continue
        n = _list_runs(keys, start, stop, codes, counts, order, first)
        is_faint = bucket < 2
        upper = np.uint64(0) if is_faint else np.uint64(bucket - 2)
        above = (lanes[upper >> EIGHT] << np.uint64(2) | lanes[upper & np.uint64(BYTE)]) << np.uint64(12)
        shift, half = (np.uint64(0), HALF_STEP) if is_faint else (EIGHT, HALF_STEP + np.float32(lowest))
        two = np.uint64(0) if is_faint else np.uint64(2)
        end = np.int64(start)
        for j in range(first, n):
            code = codes[j]
            products = above | _lanes(lanes, code) << two
            p0, p1, p2 = _lane(products, 0), _lane(products, 1), _lane(products, 2)
            alpha = (_lane(products, 3) + lowest) // left_out
            p0, p1 = _multiple(p0, half, alpha, inverse), _multiple(p1, half, alpha, inverse)
            p2, p3 = _multiple(p2, half, alpha, inverse), alpha * left_out
            points[j, 0], points[j, 1], points[j, 2], points[j, 3] = p0, p1, p2, p3
            lower = w0[p0 & lowest] | w1[p1 & lowest] | w2[p2 & lowest] | w3[p3 & lowest]
            codes[j] = upper << np.uint64(48) | code << shift | np.uint64(lower)
            counts[j], end = counts[j] - end, counts[j]
        start = stop


@part()
def _list_runs(keys, start, stop, codes, counts, order, n):
    """Write the numbers of a bucket's keys, each different part of a code, and where its keys end; return how many."""
    mask = (ONE << np.uint64(NUMBER_BITS)) - ONE
    for i in range(start, stop):  # where a run ends can't be foretold, so that jumps would cost more
        key = keys[i]
        order[i], codes[n], counts[n] = key & mask, key >> np.uint64(NUMBER_BITS), i + ONE
        after = keys[min(i + ONE, stop - ONE)]
        n += np.uint64(after >> np.uint64(NUMBER_BITS) != key >> np.uint64(NUMBER_BITS))
    return n + ONE


@part(inline=True)
def _lanes(lanes, code):
    """Return the channels of a code of 40 bits in lanes of 16 bits."""
    byte = np.uint64(BYTE)
    upper = lanes[code >> np.uint64(32)] << EIGHT | lanes[code >> np.uint64(24) & byte] << np.uint64(6)
    middle = lanes[code >> np.uint64(16) & byte] << np.uint64(4) | lanes[code >> EIGHT & byte] << np.uint64(2)
    return upper | middle | lanes[code & byte]


@part(inline=True)
def _lane(products, channel):
    return np.uint32(products >> np.uint64(16 * channel) & np.uint64(0xFFFF))


@part(inline=True)
def _multiple(product, half, alpha, inverse):
    """Return the largest multiple of alpha that `product` can be with what was left out of it."""
    return np.uint32(np.int32((np.float32(np.int32(product)) + half) * inverse[alpha])) * alpha
