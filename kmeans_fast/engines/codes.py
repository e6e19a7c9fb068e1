"""Colours as single numbers that keep neighbours together: their Morton codes.

The code of a colour of C channels of 8 bits is made of 8 groups of C bits: first the highest bit of each channel, then
the next ones. A cube of colour space whose side is a power of two, and that is aligned to its side, is therefore one
range of codes. `cells` sorts colours into cubes by that, and a table in this order has the entries of a picture's
neighbouring pixels, which are similar, close to each other.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

MAX_CHANNELS = 4
# Logarithm of the number of entries of a table of codes that share a mark; see `kmeans_fast.colors.counting`.
RUN_BITS = 9
# Codes decoded at a time, so that work space stays in a cache.
CODES_AT_ONCE = 2**14


@cache
def spread_table(n_channels: int) -> NDArray[np.uint32]:
    """Return what each value of each channel adds to a code, as t[0, c0] | t[1, c1] | …; (C, 256)."""
    values = np.arange(256, dtype=np.uint32)
    table = np.zeros((n_channels, 256), np.uint32)
    for channel in range(n_channels):
        for bit in range(8):
            place = bit * n_channels + n_channels - 1 - channel
            table[channel] |= (values >> np.uint32(bit) & np.uint32(1)) << np.uint32(place)
    table.setflags(write=False)
    return table


def encode(colors: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return the codes (N,) of colours (N, C)."""
    table = spread_table(colors.shape[1])
    codes: NDArray[np.uint32] = table[0, colors[:, 0]]
    for channel in range(1, colors.shape[1]):
        codes |= table[channel, colors[:, channel]]
    return codes


def decode(codes: NDArray[np.uint32], n_channels: int) -> NDArray[np.uint8]:
    """Return the colours (N, C) of codes (N,)."""
    table = _nibble_table(n_channels)
    bits = np.uint32(4 * n_channels)
    colors = np.empty((codes.size, n_channels), np.uint8)
    for start in range(0, codes.size, CODES_AT_ONCE):
        block = codes[start : start + CODES_AT_ONCE]
        upper, lower = block >> bits, block & np.uint32((1 << 4 * n_channels) - 1)
        packed = table[upper] << np.uint32(4) | table[lower]
        unpacked = _unpack(packed)
        for channel in range(n_channels):  # seven times as fast as a copy of short rows
            colors[start : start + CODES_AT_ONCE, channel] = unpacked[:, channel]
    return colors


@cache
def _nibble_table(n_channels: int) -> NDArray[np.uint32]:
    """Return for each 4 groups of bits of a code the 4 bits of each channel, packed as `_unpack` takes them."""
    colors = np.indices((16,) * n_channels, np.uint8).reshape(n_channels, -1).T
    padded = np.zeros((len(colors), MAX_CHANNELS), np.uint8)
    padded[:, :n_channels] = colors
    table = np.empty(len(colors), np.uint32)
    table[encode(colors)] = padded.view("<u4")[:, 0]
    return table


def _unpack(packed: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return the 4 bytes of each number as (N, 4), the lowest first."""
    return packed.astype("<u4", copy=False).view(np.uint8).reshape(-1, MAX_CHANNELS)
