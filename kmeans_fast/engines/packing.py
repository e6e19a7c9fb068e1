"""Three channels in one 64-bit number: colours and errors that are added, scaled and compared with one instruction.

A colour or error c is the number c₀ + 2²⁰ c₁ + 2⁴⁰ c₂. Sums and multiples of such numbers are right whatever the signs;
to take one apart, `BIAS` makes all fields positive first. See `kmeans_fast.engines.layout.Nearest` for products.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FIELD_BITS = 20
FIELD = 2**FIELD_BITS - 1
CHANNELS = (0, FIELD_BITS, 2 * FIELD_BITS)
ONES = sum(1 << place for place in CHANNELS)
# Targets are in 1/64 of an 8-bit step, and so are weights.
UNIT_BITS = 6
UNIT = 2**UNIT_BITS
OFFSET = 2 ** (FIELD_BITS - 1)
# A half is added for rounding.
BIAS = (OFFSET + UNIT // 2) * ONES
LANES = 4
# Larger than any norm with an index.
NO_CANDIDATE = 2**62
# The most entries that an index has room for beside a norm.
MOST_ENTRIES = 2**FIELD_BITS
# Twice the field of a product that is the dot product, moved to the place of norms.
DOT_SHIFT = FIELD_BITS - 1
DOT = FIELD << (FIELD_BITS + 1)
# Logarithm of how many codes share a word that says which of them there are.
WORD_BITS = 5
WORD = 2**WORD_BITS


def pack(colors: NDArray[Any]) -> NDArray[np.int64]:
    """Return colours (N, 3) packed, (N,)."""
    channels = colors.astype(np.int64)
    packed: NDArray[np.int64] = channels[:, 0] | channels[:, 1] << CHANNELS[1] | channels[:, 2] << CHANNELS[2]
    return packed
