"""Hash tables of colours, for more than a table with an entry for each possible one could hold.

A table grows fourfold when half of it is used, up to 64 MB, then until three quarters are. After that what it holds is
sorted and put aside, and it begins anew. In any case what comes out doesn't depend on where a key was.
"""

import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.counts import Counts

MOST_BYTES = 2**26
# A value has 32 bits at least.
MOST_PIXELS = 2**32 - 1
# Other in each process, so that no picture can be made whose colours all want the same row; begins as the golden ratio
# does, by which colours that follow one another are spread evenly.
MULTIPLIER = 0x61C8 << 48 | int.from_bytes(os.urandom(6)) | 1


class CountingTable:
    """Counts pixels of C channels of 8 or 16 bits, by one thread at a time."""

    def __init__(self, n_channels: int, dtype: np.dtype[Any], room: int, kernels: SimpleNamespace) -> None:
        self._n_channels = n_channels
        self._room = room
        self._row_dtype = _row_dtype(dtype)
        self._kernels = kernels
        self._begin()

    def _begin(self) -> None:
        self._table = _with_room(self._room, self._row_dtype)
        self._n_used = np.zeros(1, np.int64)
        self._n_pixels = 0

    @property
    def _is_largest(self) -> bool:
        return self._table.nbytes >= MOST_BYTES

    def count(self, pixels: NDArray[Any]) -> Iterator[Counts]:
        """Count `room` pixels (n, C) at most; yield what was counted so far wherever there is no more room."""
        if self._n_pixels + len(pixels) > MOST_PIXELS:
            yield self.empty()
        self._n_pixels += len(pixels)
        n_counted = 0
        while True:
            n_rows = len(self._table)
            most = n_rows * 3 // 4 if self._is_largest else n_rows // 2
            n_counted = self._kernels.tally(pixels, n_counted, self._table, self._n_used, most, MULTIPLIER)
            if n_counted == len(pixels):
                return
            if self._is_largest:
                yield self.empty()
            else:
                self._grow()

    def _grow(self) -> None:
        n_rows = min(4 * len(self._table), MOST_BYTES // (2 * self._row_dtype.itemsize))
        larger = np.zeros((n_rows, 2), self._row_dtype)
        self._kernels.move(self._table, larger, MULTIPLIER)
        self._table = larger

    def empty(self) -> Counts:
        """Return what was counted, and begin anew."""
        spare = np.empty((self._n_used[0], 2), self._row_dtype)
        n = self._kernels.sort(self._table, self._n_channels, spare, np.empty(256, np.int64))
        result = Counts(self._table[:n, 0].copy(), self._table[:n, 1].astype(np.int64))
        self._begin()
        return result


def _row_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.uint32 if dtype == np.uint8 else np.uint64)


def _with_room(n_colors: int, row_dtype: np.dtype[Any]) -> NDArray[Any]:
    """Make an empty table of which so many colours use half at most."""
    return np.zeros((2 ** (2 * n_colors - 1).bit_length(), 2), row_dtype)


def numbered(colors: NDArray[Any], kernels: SimpleNamespace) -> NDArray[Any]:
    """Make a table of distinct colours (N, C) that holds their places, counted from 1."""
    table = _with_room(len(colors), _row_dtype(colors.dtype))
    kernels.number(colors, table, MULTIPLIER)
    return table
