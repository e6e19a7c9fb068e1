"""Packed colours in plain NumPy: rounded, and the nearest entries of a palette to them; see `numba_packed`."""

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines.layout import Nearest
from kmeans_fast.engines.packing import (
    BIAS,
    CHANNELS,
    DOT,
    DOT_SHIFT,
    FIELD,
    LANES,
    OFFSET,
    UNIT_BITS,
)

ZERO = OFFSET >> UNIT_BITS


def three_channels(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return three channels: a grey one thrice, and without alpha."""
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3]


def rounded_one(value: int) -> int:
    """Return packed 1/64 steps, rounded to whole ones and kept in the range of 8 bits."""
    value += BIAS
    target = 0
    for place in CHANNELS:
        target |= min(max((value >> place & FIELD) - OFFSET >> UNIT_BITS, 0), 255) << place
    return target


def rounded(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Do as `rounded_one` for many."""
    values = values + BIAS
    targets = np.zeros_like(values)
    for place in CHANNELS:
        targets |= np.clip(((values >> place & FIELD) >> UNIT_BITS) - ZERO, 0, 255) << place
    return targets


def nearest_entries(targets: NDArray[np.int64], nearest: Nearest) -> NDArray[np.int64]:
    """Return the indices of the entries that are nearest to packed colours."""
    cubes = np.zeros(len(targets), np.int64)
    for place in CHANNELS:
        cubes = cubes << nearest.bits | (targets >> place & FIELD) >> (8 - nearest.bits)
    least = _least(targets, nearest.first[cubes])
    groups, stops = nearest.starts[cubes], nearest.starts[cubes + 1]
    some = np.flatnonzero(groups < stops)
    while some.size:
        least[some] = np.minimum(least[some], _least(targets[some], nearest.more[groups[some]]))
        groups[some] += 1
        some = some[groups[some] < stops[some]]
    indices: NDArray[np.int64] = least & FIELD
    return indices


def _least(targets: NDArray[np.int64], candidates: NDArray[np.int64]) -> NDArray[np.int64]:
    products = targets[:, np.newaxis] * candidates[:, :LANES]  # may wrap, above the bits that count
    least: NDArray[np.int64] = (candidates[:, LANES:] - (products >> DOT_SHIFT & DOT)).min(axis=1)
    return least
