"""Ordered dithering in plain NumPy: the same labels as `numba_mixing`; see there for the shapes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines.codes import encode
from kmeans_fast.engines.layout import Nearest
from kmeans_fast.engines.numpy_packed import nearest_entries, rounded, three_channels
from kmeans_fast.engines.packing import UNIT, WORD, WORD_BITS

# Colours mixed at a time: work space of some megabytes.
COLORS_AT_ONCE = 2**15


def mix(
    colors: NDArray[np.int64],  # in
    entries: NDArray[np.int64],  # in
    ranks: NDArray[np.int64],  # in
    by_rank: NDArray[np.int64],  # in
    nearest: Nearest,  # in
    strength: int,
    first: int,
    last: int,
    mixtures: NDArray[Any],  # out
) -> None:
    """Write for colours `first` to `last` the L entries whose mean is nearly it, in the order of their ranks."""
    for start in range(first, last, COLORS_AT_ONCE):
        stop = min(start + COLORS_AT_ONCE, last)
        packed = colors[start:stop]
        chosen = np.empty((len(packed), mixtures.shape[1]), np.int64)
        error = np.zeros_like(packed)
        for n in range(mixtures.shape[1]):
            label = nearest_entries(rounded(UNIT * packed + strength * error), nearest)
            error += packed - entries[label]
            chosen[:, n] = ranks[label]
        chosen.sort(axis=1)
        mixtures[start:stop] = by_rank[chosen]


def place(
    codes: NDArray[np.uint32],  # in
    places: NDArray[np.int64],  # out
) -> None:
    """Write for each code of a colour where it is among those that there are."""
    words = (codes >> np.uint32(WORD_BITS)).astype(np.intp)
    places[:] = np.bincount(words, weights=2.0 ** (codes % np.uint32(WORD)), minlength=len(places))
    sizes = np.bincount(words, minlength=len(places))
    places |= (np.cumsum(sizes) - sizes) << 32


def pick(
    pixels: NDArray[np.uint8],  # in
    keeps: NDArray[np.uint8],  # in
    places: NDArray[np.int64],  # in
    mixtures: NDArray[Any],  # in
    levels: NDArray[np.uint8],  # in
    first_row: int,
    labels: NDArray[Any],  # in/out
) -> None:
    """Give each pixel the entry of its colour's mixture that the mask's level there says."""
    height, width = labels.shape
    side = len(levels)
    mask = levels[(first_row + np.arange(height))[:, np.newaxis] % side, np.arange(width) % side]
    is_dithered = keeps[labels] == 0 if keeps.size else np.ones(labels.shape, np.bool_)
    codes = encode(three_channels(pixels[is_dithered]))
    words = places[codes >> np.uint32(WORD_BITS)]
    before = (np.int64(1) << (codes % np.uint32(WORD)).astype(np.int64)) - 1
    labels[is_dithered] = mixtures[(words >> 32) + np.bitwise_count(words & before), mask[is_dithered]]
