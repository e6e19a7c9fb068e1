"""Codes of colours made, sorted and turned back, compiled.

In every signature: `codes` (n,) uint32, or uint64 where `colors` (n, C), of 1 to 4 channels, are uint16. A pass of
radix sort may be shared: each thread counts, and then moves, a stretch of codes by their digit, which is the bits above
the lowest `shift`, one of D values, a power of two.

Kernels take a tuple of C numbers, `channels`, so that code is made for each number of channels.
"""

from typing import Any

import numpy as np

from kmeans_fast.engines.codes import compact_table, spread_table
from kmeans_fast.engines.numba_jit import kernel, part

BYTE = np.uint64(255)
ONE = np.uint64(1)
# Codes that are sorted by insertion.
FEW = 24
# Bits of a digit, and of one for so many codes that it's worth its longer table.
BYTE_BITS, WIDE_BITS = 8, 11
MANY = 1024
# How many more bits codes are sorted by, at least, than there would be different ones of as many codes.
SPARE_BITS = 6


def encode(
    colors: Any,  # in
    codes: Any,  # out
) -> None:
    """Write the codes of colours."""
    _encode(colors, tuple(range(colors.shape[1])), spread_table(colors.shape[1]), codes)


@kernel()
def _encode(
    colors,  # in
    channels,
    spread,  # in
    codes,  # out
):
    for i in range(np.uint64(colors.shape[0])):
        codes[i] = _code(colors, channels, i, spread)


@part(inline=True)
def _code(colors, channels, i, spread):
    lower, upper = _spread_bytes(colors, channels, i, spread, np.uint64(0)), np.uint64(0)
    if colors.itemsize > 1:
        upper = _spread_bytes(colors, channels, i, spread, np.uint64(8))
    return upper << np.uint64(8 * len(channels)) | lower


@part(inline=True)
def _spread_bytes(colors, channels, i, spread, shift):
    code = np.uint64(spread[0, np.uint64(colors[i, 0]) >> shift & BYTE])
    if len(channels) > 1:
        code |= np.uint64(spread[1, np.uint64(colors[i, 1]) >> shift & BYTE])
    if len(channels) > 2:
        code |= np.uint64(spread[2, np.uint64(colors[i, 2]) >> shift & BYTE])
    if len(channels) > 3:
        code |= np.uint64(spread[3, np.uint64(colors[i, 3]) >> shift & BYTE])
    return code


def decode(
    codes: Any,  # in
    colors: Any,  # out
) -> None:
    """Write the colours of codes."""
    _decode(codes, compact_table(colors.shape[1]), colors)


@kernel()
def _decode(
    codes,  # in
    table,  # in
    colors,  # out
):
    n_channels = colors.shape[1]
    half = np.uint64(4 * n_channels)
    mask = (ONE << half) - ONE
    for i in range(np.uint64(codes.shape[0])):
        code = np.uint64(codes[i])
        packed = table[code >> half & mask] << np.uint32(4) | table[code & mask]
        for f in range(n_channels):
            colors[i, f] = packed >> np.uint32(8 * f) & np.uint32(255)
        if colors.itemsize > 1:
            code >>= half + half
            packed = table[code >> half & mask] << np.uint32(4) | table[code & mask]
            for f in range(n_channels):
                colors[i, f] |= (packed >> np.uint32(8 * f) & np.uint32(255)) << np.uint32(8)


@kernel()
def count_digits(
    codes,  # in
    shift,
    counts,  # out
):
    """Write to `counts` (D,) int64 how many codes have each digit."""
    counts[:] = 0
    mask = np.uint64(counts.shape[0] - 1)
    for i in range(np.uint64(codes.shape[0])):
        counts[np.uint64(codes[i]) >> np.uint64(shift) & mask] += 1


@kernel()
def move_by_digit(
    codes,  # in
    carried,  # in
    shift,
    places,  # in/out
    sorted_codes,  # out
    sorted_carried,  # out
):
    """Write codes, and what they carry, to where `places` (D,) int64 says that the next of their digit goes.

    `carried` is (n,) uint32 or int64, or empty where there is nothing to carry.
    """
    _move(codes, carried, np.uint64(shift), places, sorted_codes, sorted_carried)


@part()
def _move(codes, carried, shift, places, sorted_codes, sorted_carried):
    mask = np.uint64(places.shape[0] - 1)
    if carried.shape[0] == 0:
        for i in range(np.uint64(codes.shape[0])):
            digit = np.uint64(codes[i]) >> shift & mask
            place = np.uint64(places[digit])
            places[digit] = place + ONE
            sorted_codes[place] = codes[i]
    else:
        for i in range(np.uint64(codes.shape[0])):
            digit = np.uint64(codes[i]) >> shift & mask
            place = np.uint64(places[digit])
            places[digit] = place + ONE
            sorted_codes[place] = codes[i]
            sorted_carried[place] = carried[i]


@kernel()
def sort_parts(
    codes,  # in/out
    carried,  # in/out
    other_codes,  # in/out
    other_carried,  # in/out
    ends,  # in
    most,
    n_bits,
    counts,  # out
    is_moved,
):
    """Sort each part of codes by their lowest bits. `counts` (D, 2**W) int64 has a row for each digit of them.

    Parts end at `ends` (P,); one with more than `most` codes is left alone. They go to and fro between two arrays, and
    end in the other one if `is_moved` is 1, not 0.
    """
    start = np.int64(0)
    for i in range(ends.shape[0]):
        stop = ends[i]
        if 0 < stop - start <= most:
            own = codes[start:stop], other_codes[start:stop]
            first = min(start, np.int64(carried.shape[0]))  # nothing may be carried
            last = min(stop, np.int64(carried.shape[0]))
            _sort_part(own[0], carried[first:last], own[1], other_carried[first:last], n_bits, counts, is_moved)
        start = stop


@part()
def _sort_part(codes, carried, other_codes, other_carried, n_bits, counts, is_moved):
    is_there = 0
    if codes.shape[0] <= FEW:
        _sort_few(codes, carried, 0, codes.shape[0])
    else:
        # By digits that leave few codes with those in common, and these by the rest.
        width, n_digits = BYTE_BITS if codes.shape[0] < MANY else WIDE_BITS, 1
        while n_digits * width < n_bits and codes.shape[0] >> max(0, n_digits * width - SPARE_BITS) > 0:
            n_digits += 1
        n_rest = max(0, n_bits - n_digits * width)
        is_there = _sort_by_digits(codes, carried, other_codes, other_carried, n_rest, width, n_digits, counts)
        if n_rest > 0 and is_there:
            _sort_runs(other_codes, other_carried, codes, carried, n_rest, counts)
        elif n_rest > 0:
            _sort_runs(codes, carried, other_codes, other_carried, n_rest, counts)
    if is_there != is_moved:
        if is_moved:
            _copy(codes, other_codes)
            _copy(carried, other_carried)
        else:
            _copy(other_codes, codes)
            _copy(other_carried, carried)


@part()
def _sort_few(codes, carried, start, stop):
    """Sort by insertion: counting digits would take longer."""
    for i in range(start + 1, stop):
        code, j = codes[i], i
        while j > start and codes[j - 1] > code:
            codes[j] = codes[j - 1]
            j -= 1
        codes[j] = code
        if carried.shape[0] > 0:
            value = carried[i]
            for m in range(i, j, -1):
                carried[m] = carried[m - 1]
            carried[j] = value


@part()
def _sort_by_digits(codes, carried, other_codes, other_carried, lowest, width, n_digits, counts):
    """Sort by digits from the one at bit `lowest` up; return 1 if the result is in the other arrays, 0 otherwise."""
    n, mask = codes.shape[0], (ONE << np.uint64(width)) - ONE
    for digit in range(n_digits):
        for value in range(mask + ONE):
            counts[digit, value] = 0
    for i in range(np.uint64(n)):
        code = np.uint64(codes[i]) >> np.uint64(lowest)
        for digit in range(n_digits):
            counts[digit, code & mask] += 1
            code >>= np.uint64(width)
    is_there = 0
    for digit in range(n_digits):
        places, shift = counts[digit, : mask + ONE], np.uint64(lowest + width * digit)
        place = most = 0
        for value in range(mask + ONE):
            count = places[value]
            places[value] = place
            place += count
            most = max(most, count)
        if most < n:  # not all have one digit
            if is_there:
                _move(other_codes, other_carried, shift, places, codes, carried)
            else:
                _move(codes, carried, shift, places, other_codes, other_carried)
            is_there = 1 - is_there
    return is_there


@part()
def _sort_runs(codes, carried, other_codes, other_carried, n_bits, counts):
    """Sort each run of codes that differ in their lowest bits only."""
    shift, n_bytes = np.uint64(n_bits), (n_bits + BYTE_BITS - 1) // BYTE_BITS
    n = codes.shape[0]
    stop = 1
    while stop < n:
        if codes[stop - 1] <= codes[stop]:
            stop += 1
            continue
        start, upper = stop - 1, np.uint64(codes[stop]) >> shift
        while start > 0 and np.uint64(codes[start - 1]) >> shift == upper:
            start -= 1
        while stop < n and np.uint64(codes[stop]) >> shift == upper:
            stop += 1
        if stop - start <= FEW:
            _sort_few(codes, carried, start, stop)
        else:
            own, other = codes[start:stop], other_codes[start:stop]
            first = min(start, carried.shape[0])  # nothing may be carried
            last = min(stop, carried.shape[0])
            own_carried, other_own = carried[first:last], other_carried[first:last]
            if _sort_by_digits(own, own_carried, other, other_own, 0, BYTE_BITS, n_bytes, counts):
                _copy(other, own)
                _copy(other_own, own_carried)


@part()
def _copy(source, target):
    for i in range(source.shape[0]):
        target[i] = source[i]


@kernel()
def count_runs(
    codes,  # in
    first,
    last,
):
    """Return how many runs of equal ones begin among codes `first` to `last`."""
    n = np.int64(first == 0)
    for i in range(np.uint64(max(1, first)), np.uint64(last)):
        n += codes[i] != codes[i - ONE]
    return n


@kernel()
def list_runs(
    codes,  # in
    first,
    last,
    distinct,  # out
    counts,  # out
):
    """Write of each run that begins among codes `first` to `last` (there is one) the code and its length."""
    n, i, stop = np.uint64(0), np.uint64(first), np.uint64(codes.shape[0])
    while i > np.uint64(0) and codes[i] == codes[i - ONE]:
        i += ONE
    while i < np.uint64(last):
        code, start = codes[i], i
        i += ONE
        while i < stop and codes[i] == code:
            i += ONE
        distinct[n], counts[n] = code, np.int64(i - start)
        n += ONE


@kernel()
def put(
    places,  # in
    counts,  # in
    values,  # in
    target,  # out
):
    """Write the first value to as many of the first places in `target` as its count says, and so on."""
    first = 0
    for i in range(counts.shape[0]):
        value, last = values[i], first + counts[i]
        for j in range(first, last):
            target[np.uint64(places[j])] = value
        first = last


@kernel()
def pick(
    counts,  # in
    before,
    step,
    places,  # out
    times,  # out
):
    """Of pixels in the order of their colours, find every `step`-th, after so many before the first.

    Writes the place among `counts` (n,) int64 of each colour that has such a pixel, and how many of them it has.
    Returns how many colours these are.
    """
    n, left = np.uint64(0), np.int64(before)
    for i in range(np.uint64(counts.shape[0])):
        left -= counts[i]
        if left < 0:
            n_here = (-left - 1) // step + 1
            places[n], times[n] = i, n_here
            left += n_here * step
            n += ONE
    return np.int64(n)
