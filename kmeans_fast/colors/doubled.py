"""Pixels of 16 bits that are 8-bit ones times 257, as what has been read from 8 bits is: counted as those they are.

Such a value has one byte twice. So the code of a colour is that of its bytes twice, too, and the order stays.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.counts import Counts
from kmeans_fast.points.access import Points

FACTOR = 257
# Codes that tell at once, mostly, that not all are double.
FEW = 1000


class NotDoubledError(Exception):
    """There is a value that isn't a byte twice."""


class Bytes(Points):
    """The bytes of 16-bit pixels.

    Parameters
    ----------
    pixels : Points
        Of 16 bits.
    kernels : SimpleNamespace
        Of the engine's module for histograms.
    """

    def __init__(self, pixels: Points, kernels: SimpleNamespace) -> None:
        super().__init__(pixels.array, pixels.name)
        self.dtype = np.dtype(np.uint8)
        self._pixels = pixels
        self._kernels = kernels

    def chunk(self, start: int, stop: int) -> NDArray[Any]:
        """Return some pixels' bytes; raise NotDoubledError if that isn't what they are."""
        chunk, is_doubled = halved(self._pixels.chunk(start, stop), self._kernels)
        if not is_doubled:
            raise NotDoubledError
        return chunk

    is_one_array = False

    def take(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return some pixels' bytes, as (n, C) float64."""
        return super().take(indices) // FACTOR


def halved(pixels: NDArray[np.uint16], kernels: SimpleNamespace) -> tuple[NDArray[np.uint8], bool]:
    """Return the lower bytes of pixels (n, C), and whether the upper ones are the same."""
    lower = np.empty(pixels.shape, np.uint8)
    return lower, bool(kernels.halve(pixels.reshape(-1), lower.reshape(-1)))


def doubled(counts: Counts, n_channels: int) -> Counts:
    """Return the counts of the 16-bit pixels that have these bytes."""
    return Counts(counts.codes.astype(np.uint64) * np.uint64(2 ** (8 * n_channels) + 1), counts.counts)


def halved_codes(codes: NDArray[np.uint64], n_channels: int) -> NDArray[np.uint32] | None:
    """Return the codes of the bytes of 16-bit colours, or None if one isn't a byte twice."""
    factor = np.uint64(2 ** (8 * n_channels) + 1)
    for some in (codes[:FEW], codes):
        halves = some // factor
        if not np.array_equal(halves * factor, some):
            return None
    return halves.astype(np.uint32)
