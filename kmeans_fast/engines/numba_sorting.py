"""Radix sort of codes, a pass at a time, compiled: each thread counts, and then moves, a stretch of them.

In every signature: `codes` (n,) uint32 or uint64, of which the 8 bits above the lowest `shift` are the digit.
"""

import numpy as np

from kmeans_fast.engines.numba_jit import kernel

BYTE = np.uint64(255)
ONE = np.uint64(1)


@kernel()
def count_digits(
    codes,  # in
    shift,
    counts,  # out
):
    """Write to `counts` (256,) int64 how many codes have each digit."""
    counts[:] = 0
    for i in range(np.uint64(codes.shape[0])):
        counts[np.uint64(codes[i]) >> np.uint64(shift) & BYTE] += 1


@kernel()
def move_by_digit(
    codes,  # in
    carried,  # in
    shift,
    places,  # in/out
    sorted_codes,  # out
    sorted_carried,  # out
):
    """Write codes, and what they carry, to where `places` (256,) int64 says that the next of their digit goes.

    `carried` is (n,) uint32 or int64, or empty where there is nothing to carry.
    """
    if carried.shape[0] == 0:
        for i in range(np.uint64(codes.shape[0])):
            digit = np.uint64(codes[i]) >> np.uint64(shift) & BYTE
            place = np.uint64(places[digit])
            places[digit] = place + ONE
            sorted_codes[place] = codes[i]
    else:
        for i in range(np.uint64(codes.shape[0])):
            digit = np.uint64(codes[i]) >> np.uint64(shift) & BYTE
            place = np.uint64(places[digit])
            places[digit] = place + ONE
            sorted_codes[place] = codes[i]
            sorted_carried[place] = carried[i]
