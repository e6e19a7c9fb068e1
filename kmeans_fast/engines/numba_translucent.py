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

BYTE = np.uint32(255)
# What a product may have lost with its lowest two bits.
LEFT_OUT = np.uint32(3)
HALF = np.uint64(32)
ONE, TWO, THREE, FOUR, EIGHT = (np.uint64(i) for i in (1, 2, 3, 4, 8))
# Pixels whose codes are made at a time: these stay in the smallest cache.
STRETCH = 512
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
    _count(pixels.reshape(-1), spread_table(3), *_room(), table, table_marks, table_carried, counts)


def _room() -> tuple[Any, Any]:
    """Make work space for the codes and buckets of a stretch of pixels."""
    return np.empty(STRETCH, np.uint64), np.empty(STRETCH, np.uint32)


@kernel()
def _count(
    values,  # in
    spread,  # in
    codes,  # work space
    buckets,  # work space
    table,  # in/out
    marks,  # in/out
    carried,  # in/out
    counts,  # in/out
):
    s0, s1, s2 = spread[0], spread[1], spread[2]
    n_carried, n_pixels, stretch = np.uint64(carried[0]), np.uint64(values.shape[0]) // FOUR, np.uint64(STRETCH)
    for start in range(np.uint64(0), n_pixels, stretch):
        n = min(stretch, n_pixels - start)
        if _smallest_alpha(values, start, n) == OPAQUE:
            for i in range(start, start + n):
                place = i * FOUR
                code = s0[values[place]] | s1[values[place + ONE]] | s2[values[place + TWO]]
                n_carried = _add_one(code, table, marks, carried, n_carried)
            continue
        _encode_stretch(values, start, n, codes, buckets)
        for i in range(n):
            place = (start + i) * FOUR
            if values[place + THREE] == OPAQUE:
                code = s0[values[place]] | s1[values[place + ONE]] | s2[values[place + TWO]]
                n_carried = _add_one(code, table, marks, carried, n_carried)
            else:
                counts[buckets[i]] += np.uint32(1)
    carried[0] = n_carried


@part()
def _smallest_alpha(values, start, n):
    """Return the smallest alpha of some pixels, by vectors."""
    least = np.uint8(OPAQUE)
    for i in range(n):
        least = min(least, values[(start + i) * FOUR + THREE])
    return least


@part()
def _encode_stretch(values, start, n, codes, buckets):
    """Write the code of each of some pixels' products, and its bucket, by vectors."""
    for i in range(n):
        place = (start + i) * FOUR
        alpha = np.uint64(values[place + THREE])
        channels = np.uint64(values[place]) << np.uint64(48) | np.uint64(values[place + ONE]) << np.uint64(32)
        channels |= np.uint64(values[place + TWO]) << np.uint64(16) | np.uint64(BYTE)
        code = _interleaved(channels * alpha)  # products don't reach the next lane
        faint = np.uint32(min(alpha, ONE))
        codes[i] = code
        buckets[i] = faint if alpha < np.uint64(FAINT) else np.uint32(code >> np.uint64(48)) + np.uint32(2)


@part(inline=True)
def _interleaved(lanes):
    """Return the code of four channels of 16 bits, the first in the highest.

    As place 16·c + b of a bit becomes 4·b + c, the six bits of places take turns: four exchanges of two of them.
    """
    lanes = _exchanged(lanes, np.uint64(0x0A0A0A0A0A0A0A0A), np.uint64(3))
    lanes = _exchanged(lanes, np.uint64(0x0000AAAA0000AAAA), np.uint64(15))
    lanes = _exchanged(lanes, np.uint64(0x00CC00CC00CC00CC), np.uint64(6))
    return _exchanged(lanes, np.uint64(0x00000000CCCCCCCC), np.uint64(30))


@part(inline=True)
def _apart(code):
    """Return the channels of a code: what `_interleaved` does, undone."""
    code = _exchanged(code, np.uint64(0x00000000CCCCCCCC), np.uint64(30))
    code = _exchanged(code, np.uint64(0x00CC00CC00CC00CC), np.uint64(6))
    code = _exchanged(code, np.uint64(0x0000AAAA0000AAAA), np.uint64(15))
    return _exchanged(code, np.uint64(0x0A0A0A0A0A0A0A0A), np.uint64(3))


@part(inline=True)
def _exchanged(value, mask, shift):
    """Exchange the bits in the mask with those so many places above."""
    differing = (value ^ value >> shift) & mask
    return value ^ differing ^ differing << shift


def place(
    pixels: Any,  # in
    first: int,
    places: Any,  # in/out
    keys: Any,  # out
) -> None:
    """Write the keys of pixels that aren't opaque to where `places` says that the next of its bucket goes.

    Numbers count from `first`.
    """
    _place(pixels.reshape(-1), first, *_room(), places, keys)


@kernel()
def _place(
    values,  # in
    first,
    codes,  # work space
    buckets,  # work space
    places,  # in/out
    keys,  # out
):
    n_pixels, stretch = np.uint64(values.shape[0]) // FOUR, np.uint64(STRETCH)
    for start in range(np.uint64(0), n_pixels, stretch):
        n = min(stretch, n_pixels - start)
        if _smallest_alpha(values, start, n) == OPAQUE:
            continue
        _encode_stretch(values, start, n, codes, buckets)
        for i in range(n):
            if values[(start + i) * FOUR + THREE] != OPAQUE:
                bucket = buckets[i]
                code = codes[i] if bucket < np.uint32(2) else codes[i] >> EIGHT
                at = places[bucket]
                places[bucket] = at + np.uint32(1)
                keys[at] = code << np.uint64(NUMBER_BITS) | (np.uint64(first) + start + i)


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
    _list_points(keys, ends, first_bucket, points.view(np.uint64)[:, 0], codes, counts, order)


@kernel()
def _list_points(
    keys,  # in
    ends,  # in
    first_bucket,
    rows,  # out
    codes,  # out
    counts,  # out
    order,  # out
):
    n = start = np.uint64(0)
    for i in range(ends.shape[0]):
        first, stop, bucket = n, np.uint64(ends[i]), first_bucket + i
        if start == stop:
            continue
        n = _list_runs(keys, start, stop, codes, counts, order, first)
        if bucket < 2:
            _list_bucket(codes, first, n, np.uint64(0), np.uint64(0), np.uint32(0), rows)
        else:
            _list_bucket(codes, first, n, np.uint64(bucket - 2) << np.uint64(48), EIGHT, LEFT_OUT, rows)
        end = np.int64(start)
        for j in range(first, n):
            counts[j], end = counts[j] - end, counts[j]
        start = stop


@part()
def _list_bucket(codes, first, last, upper, shift, left_out, rows):
    """Write some of a bucket's points and codes, of which that much may have been left out of each product."""
    half = HALF_STEP + np.float32(left_out)
    for j in range(first, last):
        lanes = _apart(upper | codes[j] << shift)
        alpha = (np.uint32(lanes & np.uint64(0xFFFF)) + left_out) // BYTE
        inverse = np.float32(1) / np.float32(np.int32(max(alpha, np.uint32(1))))
        p0, p1 = _multiple(lanes >> np.uint64(48), half, alpha, inverse), _multiple(lanes >> HALF, half, alpha, inverse)
        p2, p3 = _multiple(lanes >> np.uint64(16), half, alpha, inverse), np.uint64(alpha * BYTE)
        rows[j] = p3 << np.uint64(48) | p2 << HALF | p1 << np.uint64(16) | p0
        codes[j] = _interleaved(p0 << np.uint64(48) | p1 << HALF | p2 << np.uint64(16) | p3)


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
def _multiple(product, half, alpha, inverse):
    """Return the largest multiple of alpha that the lowest 16 bits can be with what was left out of them."""
    lowest = np.float32(np.int32(product & np.uint64(0xFFFF)))
    return np.uint64(np.uint32(np.int32((lowest + half) * inverse)) * alpha)
