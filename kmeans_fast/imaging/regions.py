"""Specks removed: `without_specks` gives small regions of one label to a neighbour.

A region is a set of pixels of one label in which each can be reached from each other by steps to one of four
neighbours. The smallest region goes first, of equally small ones that which begins first, row by row; its pixels get
the label that it has the longest border with, in edges of pixels, of equally long ones the lowest. With all regions of
that label that it touches it is then one region, which may be large enough, or have its turn later.

As a region never goes to one that is smaller, each pixel is looked at once for each doubling of its region: time grows
with the number of pixels, and the logarithm of the size asked for. Memory: 4 bytes a pixel beyond the labels.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines import Engine


def without_specks(labels: NDArray[Any], n_labels: int, min_region: int, engine: Engine) -> NDArray[Any]:
    """Return labels (H, W) below `n_labels` in which no region has less than `min_region` pixels, or frames of them.

    That is, unless the picture itself is smaller. Labels may be left without pixels.

    Examples
    --------
    >>> from kmeans_fast import engines
    >>> labels = np.array([[0, 0, 0, 1, 1], [0, 2, 0, 1, 1], [0, 0, 0, 1, 2]], np.uint8)
    >>> without_specks(labels, 3, 2, engines.load("numpy"))
    array([[0, 0, 0, 1, 1],
           [0, 0, 0, 1, 1],
           [0, 0, 0, 1, 1]], dtype=uint8)
    """
    if labels.ndim > 2:
        return np.stack([without_specks(frame, n_labels, min_region, engine) for frame in labels])
    kernels, (height, width) = engine.regions, labels.shape
    flat = labels.flatten()
    links: NDArray[Any] = np.empty(flat.size, np.int32 if flat.size < 2**31 else np.int64)
    kernels.find_regions(flat, width, links)
    waiting = _Waiting(links, min_region)
    roots = np.flatnonzero(links < 0)
    waiting.add(roots[links[roots] > -min_region])
    votes = np.zeros(n_labels, np.int64)
    while waiting:
        size, roots = waiting.smallest()
        pixels, border, grown = (np.empty(n, np.int64) for n in (size, 4 * size, len(roots)))
        kernels.merge_regions(flat, width, links, roots, size, votes, pixels, border, grown)
        waiting.add(grown[grown >= 0])
    return flat.reshape(height, width)


class _Waiting:
    """The roots of regions that are too small, by size. One may be here that has become a part of another since."""

    def __init__(self, links: NDArray[Any], min_region: int) -> None:
        self._links = links
        self._min_region = min_region
        self._of_size: dict[int, list[NDArray[np.int64]]] = defaultdict(list)
        self._sizes: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._sizes)

    def add(self, roots: NDArray[np.int64]) -> None:
        """Take in those that are still too small."""
        sizes = -self._links[roots]
        is_small = (sizes > 0) & (sizes < self._min_region)
        roots, sizes = roots[is_small], sizes[is_small]
        order = np.argsort(sizes, kind="stable")
        firsts = np.flatnonzero(np.diff(sizes[order], prepend=0))
        for size, some in zip(
            sizes[order][firsts].tolist(), np.split(roots[order], firsts[1:]), strict=len(firsts) > 0
        ):
            if size not in self._of_size:
                heapq.heappush(self._sizes, size)
            self._of_size[size].append(some)

    def smallest(self) -> tuple[int, NDArray[np.int64]]:
        """Take out the smallest, in the order of the picture."""
        size = heapq.heappop(self._sizes)
        return size, np.unique(np.concatenate(self._of_size.pop(size)))
