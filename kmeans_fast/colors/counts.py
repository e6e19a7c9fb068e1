"""Distinct colours with their numbers of pixels, and such counts from several places added up."""

from collections.abc import Sequence
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.machine.pages import sparse_zeros

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
        """Return a copy that takes the least memory until it's merged by `merge_narrow`."""
        copy = _narrow(self.codes.size, [self])
        copy.codes[:], copy.counts[:] = self
        return copy


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
    parts = [part for part in parts if part.codes.size] or parts[:1]
    if len(parts) == 1:
        return parts[0]
    most = sum(part.codes.size for part in parts)
    merged = Counts(np.empty(most, parts[0].codes.dtype), np.empty(most, np.int64))
    n = _merge(parts, merged)
    for array in merged:
        array.resize(n, refcheck=False)  # gives back in place what was never touched: there is no second copy
    return merged


def merge_narrow(parts: Sequence[Counts]) -> Counts:
    """Add narrowed counts up: what `merge` returns, in integers no wider than the sums could be."""
    merged = _narrow(sum(part.codes.size for part in parts), parts)
    n = _merge(parts, merged)
    return Counts(merged.codes[:n], merged.counts[:n])


def _narrow(n: int, parts: Sequence[Counts]) -> Counts:
    """Return room for n sums, out of the heap: freed for good, however many came and went around them."""
    dtype = np.min_scalar_type(sum(int(part.counts.max()) for part in parts))
    return Counts(sparse_zeros((n,), parts[0].codes.dtype), sparse_zeros((n,), dtype))


def _merge(parts: Sequence[Counts], merged: Counts) -> int:
    """Add counts up into an array that is long enough; return how many colours there are."""
    # Between two of these edges no part has more than MERGE_SIZE entries.
    edges = np.unique(np.concatenate([part.codes[MERGE_SIZE::MERGE_SIZE] for part in parts]))
    cuts = [[0, *np.searchsorted(part.codes, edges), part.codes.size] for part in parts]
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
    return n


def _merge_piece(codes: NDArray[Any], counts: NDArray[Any]) -> Counts:
    order = np.argsort(codes, kind="stable")  # merges the sorted runs that it finds
    codes = codes[order]
    starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
    return Counts(codes[starts], np.add.reduceat(counts[order], starts, dtype=np.int64))
