"""Distinct colours with their numbers of pixels, and such counts from several places added up."""

from collections.abc import Sequence
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Entries of each part that are merged at a time: work space, 1 MB, stays in a cache and doesn't grow with the parts.
MERGE_SIZE = 2**14


class Counts(NamedTuple):
    """Distinct colours and the number of pixels of each.

    Attributes
    ----------
    codes : ndarray of uint32, or uint64 for 16 bits a channel, shape (N,)
        The colours' codes in ascending order.
    counts : ndarray of int64, shape (N,)
        All at least 1. Those of `narrowed` counts are unsigned integers of fewer bytes.
    """

    codes: NDArray[Any]
    counts: NDArray[Any]

    def narrowed(self) -> "Counts":
        """Return what takes the least memory until it's merged by `merge_narrow`."""
        return Counts(self.codes, self.counts.astype(np.min_scalar_type(_most(self))))


class Total:
    """Adds counts up as they come, from any thread, in memory for a few times as many colours as there are."""

    def __init__(self) -> None:
        self._parts: list[Counts] = []
        self._lock = Lock()

    def add(self, part: Counts) -> None:
        """Add further counts."""
        with self._lock:
            self._parts.append(part)
            # Each colour is thus merged few times, and parts that have the same colours don't pile up.
            if sum(part.codes.size for part in self._parts[1:]) > self._parts[0].codes.size:
                self._parts = [merge(self._parts)]

    def result(self) -> Counts:
        """Return all that was added."""
        return merge(self._parts)


def merge(parts: Sequence[Counts]) -> Counts:
    """Add counts up, in a piece of the range of codes at a time."""
    return _merge(parts, np.dtype(np.int64))


def merge_narrow(parts: Sequence[Counts]) -> Counts:
    """Add narrowed counts up: what `merge` returns, in integers no wider than the sums could be."""
    return _merge(parts, np.min_scalar_type(sum(map(_most, parts))))


def _most(part: Counts) -> int:
    return int(part.counts.max(initial=0))


def _merge(parts: Sequence[Counts], dtype: np.dtype[Any]) -> Counts:
    parts = [part for part in parts if part.codes.size] or parts[:1]
    if len(parts) == 1:
        return parts[0]
    # Between two of these edges no part has more than MERGE_SIZE entries.
    edges = np.unique(np.concatenate([part.codes[MERGE_SIZE::MERGE_SIZE] for part in parts]))
    cuts = [[0, *np.searchsorted(part.codes, edges), part.codes.size] for part in parts]
    most = sum(part.codes.size for part in parts)
    merged = Counts(np.empty(most, parts[0].codes.dtype), np.empty(most, dtype))
    n = 0
    for i in range(len(edges) + 1):
        places = [slice(cut[i], cut[i + 1]) for cut in cuts]
        piece = _merge_piece(
            np.concatenate([part.codes[place] for part, place in zip(parts, places, strict=True)]),
            np.concatenate([part.counts[place] for part, place in zip(parts, places, strict=True)]),
        )
        there = slice(n, n + piece.codes.size)
        merged.codes[there], merged.counts[there] = piece
        n = there.stop
    for array in merged:
        array.resize(n, refcheck=False)  # gives back in place what was never touched: there is no second copy
    return merged


def _merge_piece(codes: NDArray[Any], counts: NDArray[Any]) -> Counts:
    order = np.argsort(codes, kind="stable")  # merges the sorted runs that it finds
    codes = codes[order]
    starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
    return Counts(codes[starts], np.add.reduceat(counts[order], starts, dtype=np.int64))
