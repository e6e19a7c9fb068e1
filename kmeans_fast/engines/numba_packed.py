"""Packed colours (see `packing`), compiled: made of channels, rounded, and the nearest entry of a palette to them.

`nearest` is as in `layout`.
"""

import numpy as np

from kmeans_fast.engines.numba_jit import part
from kmeans_fast.engines.packing import (
    BIAS,
    CHANNELS,
    DOT,
    DOT_SHIFT,
    FIELD,
    OFFSET,
    ONES,
    UNIT,
    UNIT_BITS,
)

PLACE1, PLACE2 = CHANNELS[1:]
ZERO = OFFSET >> UNIT_BITS
# Bits of three fields: those of what is in the range of 8 bits, rounded; those that it has, and that it has set.
BYTES, OUTSIDE, INSIDE = 255 * ONES, (FIELD - 256 * UNIT + 1) * ONES, OFFSET * ONES


@part()
def pack_channels(c0, c1, c2):
    """Return a colour of three channels packed."""
    return np.int64(c0) | np.int64(c1) << PLACE1 | np.int64(c2) << PLACE2


@part()
def rounded(value):
    """Return packed 1/64 steps, rounded to whole ones and kept in the range of 8 bits."""
    value += BIAS
    # Most are in the range, and a guess which ones are beats waiting for three channels to be kept in it.
    return _kept(value) if (value ^ INSIDE) & OUTSIDE else value >> UNIT_BITS & BYTES


@part()
def _kept(value):
    t0 = min(max(((value & FIELD) >> UNIT_BITS) - ZERO, 0), 255)
    t1 = min(max(((value >> PLACE1 & FIELD) >> UNIT_BITS) - ZERO, 0), 255)
    t2 = min(max(((value >> PLACE2 & FIELD) >> UNIT_BITS) - ZERO, 0), 255)
    return t0 | t1 << PLACE1 | t2 << PLACE2


@part()
def nearest_entry(target, nearest):
    """Return the index of the entry that is nearest to a packed colour."""
    bits, first, starts, more = nearest
    shift = 8 - bits
    t0, t1, t2 = target & FIELD, target >> PLACE1 & FIELD, target >> PLACE2
    cube = np.uint64(t0 >> shift << bits + bits | t1 >> shift << bits | t2 >> shift)
    least = _least(target, first, cube)
    for group in range(starts[cube], starts[cube + np.uint64(1)]):
        least = min(least, _least(target, more, np.uint64(group)))
    return least & FIELD


@part()
def _least(target, table, row):
    a = table[row, 4] - (target * table[row, 0] >> DOT_SHIFT & DOT)
    b = table[row, 5] - (target * table[row, 1] >> DOT_SHIFT & DOT)
    c = table[row, 6] - (target * table[row, 2] >> DOT_SHIFT & DOT)
    d = table[row, 7] - (target * table[row, 3] >> DOT_SHIFT & DOT)
    return min(min(a, b), min(c, d))
