"""Colours as single numbers that keep neighbours together: their Morton codes.

The code of a colour of C channels of 8 or 16 bits is made of as many groups of C bits: first the highest bit of each
channel, then the next ones. A cube of colour space whose side is a power of two, and that is aligned to its side, is
therefore one range of codes. `cells` sorts colours into cubes by that, and a table in this order has the entries of a
picture's neighbouring pixels, which are similar, close to each other.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_CHANNELS = 4
# The alpha of what is opaque, in 8 bits.
OPAQUE = 255
# Logarithm of the number of entries of a table of codes that share a mark; see `kmeans_fast.colors.counting`.
RUN_BITS = 9
# Pixels that a code stands for that is carried from an entry of 8 bits.
CARRY = 255
# Of keys of pixels with alpha, see `numba_translucent`: the bits of a pixel's number, the buckets for codes' highest 16
# bits and two more, and the alpha below which pixels are in these.
NUMBER_BITS = 24
BUCKETS = 2**16 + 2
FAINT = 5
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


def encode(colors: NDArray[Any]) -> NDArray[Any]:
    """Return the codes (N,) of colours (N, C): uint32 for colours of 8 bits, uint64 for 16."""
    if colors.dtype == np.uint8:
        return _encode_bytes(colors)
    codes = np.empty(len(colors), np.uint64)
    for start in range(0, codes.size, CODES_AT_ONCE):
        block = colors[start : start + CODES_AT_ONCE]
        codes[start : start + CODES_AT_ONCE] = _encode_bytes((block >> np.uint16(8)).astype(np.uint8))
        codes[start : start + CODES_AT_ONCE] <<= np.uint64(8 * colors.shape[1])
        codes[start : start + CODES_AT_ONCE] |= _encode_bytes(block.astype(np.uint8))
    return codes


def _encode_bytes(colors: NDArray[np.uint8]) -> NDArray[np.uint32]:
    table = spread_table(colors.shape[1])
    codes: NDArray[np.uint32] = table[0, colors[:, 0]]
    for channel in range(1, colors.shape[1]):
        codes |= table[channel, colors[:, channel]]
    return codes


def decode(codes: NDArray[Any], n_channels: int) -> NDArray[Any]:
    """Return the colours (N, C) of codes (N,)."""
    is_wide = codes.dtype == np.uint64
    colors = np.empty((codes.size, n_channels), np.uint16 if is_wide else np.uint8)
    for start in range(0, codes.size, CODES_AT_ONCE):
        block = codes[start : start + CODES_AT_ONCE]
        decoded = _decode_wide(block, n_channels) if is_wide else _decode_bytes(block, n_channels)
        for channel in range(n_channels):  # seven times as fast as a copy of short rows
            colors[start : start + CODES_AT_ONCE, channel] = decoded[:, channel]
    return colors


def _decode_wide(codes: NDArray[np.uint64], n_channels: int) -> NDArray[np.uint16]:
    """Return the colours of codes of 16 bits a channel, as (N, 4)."""
    bits = np.uint64(8 * n_channels)
    upper = _decode_bytes((codes >> bits).astype(np.uint32), n_channels).astype(np.uint16)
    lower = _decode_bytes((codes & np.uint64((1 << 8 * n_channels) - 1)).astype(np.uint32), n_channels)
    return upper << np.uint16(8) | lower


def _decode_bytes(codes: NDArray[np.uint32], n_channels: int) -> NDArray[np.uint8]:
    """Return the colours of codes of 8 bits a channel, as (N, 4)."""
    table = compact_table(n_channels)
    upper, lower = codes >> np.uint32(4 * n_channels), codes & np.uint32((1 << 4 * n_channels) - 1)
    return _unpack(table[upper] << np.uint32(4) | table[lower])


@cache
def compact_table(n_channels: int) -> NDArray[np.uint32]:
    """Return for 4 groups of bits of a code the 4 bits of each channel, in a byte each, the first in the lowest."""
    colors = np.indices((16,) * n_channels, np.uint8).reshape(n_channels, -1).T
    padded = np.zeros((len(colors), MAX_CHANNELS), np.uint8)
    padded[:, :n_channels] = colors
    table = np.empty(len(colors), np.uint32)
    table[encode(colors)] = padded.view("<u4")[:, 0]
    table.setflags(write=False)
    return table


def with_alpha(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Turn codes of RGB into those of the same colours, opaque, as RGBA; the order stays."""
    widened, _ = _alpha_tables()
    coded: NDArray[np.uint32] = widened[codes >> np.uint32(12)] << np.uint32(16) | widened[codes & np.uint32(0xFFF)]
    return coded


def without_alpha(codes: NDArray[Any]) -> NDArray[Any]:
    """Turn codes of RGBA into those of RGB, of as many bits."""
    if codes.dtype == np.uint64:
        upper, lower = ((codes >> np.uint64(shift)).astype(np.uint32) for shift in (32, 0))
        wide: NDArray[np.uint64] = without_alpha(upper).astype(np.uint64) << np.uint64(24) | without_alpha(lower)
        return wide
    _, narrowed = _alpha_tables()
    coded: NDArray[np.uint32] = narrowed[codes >> np.uint32(16)] << np.uint32(12) | narrowed[codes & np.uint32(0xFFFF)]
    return coded


@cache
def _alpha_tables() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return 4 groups of 4 bits, the last of each set, for 4 of 3, and 4 groups of 3 bits for 4 of 4."""
    widened, narrowed = np.zeros(2**12, np.uint32), np.zeros(2**16, np.uint32)
    for group in range(4):
        widened |= (np.arange(2**12, dtype=np.uint32) >> np.uint32(3 * group) & np.uint32(7)) << np.uint32(
            4 * group + 1
        )
        widened |= np.uint32(1 << 4 * group)
        narrowed |= (np.arange(2**16, dtype=np.uint32) >> np.uint32(4 * group + 1) & np.uint32(7)) << np.uint32(
            3 * group
        )
    return widened, narrowed


def _unpack(packed: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return the 4 bytes of each number as (N, 4), the lowest first."""
    return packed.astype("<u4", copy=False).view(np.uint8).reshape(-1, MAX_CHANNELS)
