"""Connected regions of one label, found by NumPy, and merged in plain Python, as one depends on the other.

The same functions as in `numba_regions`, and the same results; see there for the shapes.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


def find_regions(
    labels: NDArray[Any],  # in
    width: int,
    links: NDArray[Any],  # out
) -> None:
    """Link the pixels of each region, all of them to its root."""
    rows = labels.reshape(-1, width)
    places = np.arange(labels.size, dtype=links.dtype).reshape(rows.shape)
    begins = np.ones(rows.shape, bool)
    begins[:, 1:] = rows[:, 1:] != rows[:, :-1]
    roots = np.maximum.accumulate(np.where(begins, places, 0).ravel())
    # Where regions of a row meet those of the row before; once for each two, or both ends of a stretch would do more.
    meets = np.zeros(rows.shape, bool)
    meets[1:] = rows[1:] == rows[:-1]
    meets[1:, 1:] &= begins[1:, 1:] | begins[:-1, 1:] | ~meets[1:, :-1]
    lower = np.flatnonzero(meets)
    upper = lower - width
    while lower.size:
        a, b = roots[upper], roots[lower]
        np.minimum.at(roots, np.maximum(a, b), np.minimum(a, b))
        while (further := roots[roots]).tobytes() != roots.tobytes():
            roots = further
        apart = roots[upper] != roots[lower]
        lower, upper = lower[apart], upper[apart]
    links[:] = roots
    firsts, sizes = np.unique(roots, return_counts=True)
    links[firsts] = -sizes


def merge_regions(
    labels: NDArray[Any],  # in/out
    width: int,
    links: NDArray[Any],  # in/out
    roots: NDArray[np.int64],  # in
    size: int,
    votes: NDArray[np.int64],  # noqa: ARG001 - these three are work space that isn't needed here
    pixels: NDArray[np.int64],  # noqa: ARG001
    border: NDArray[np.int64],  # noqa: ARG001
    grown: NDArray[np.int64],  # out
) -> None:
    """Give regions of `size` pixels, in the order of their `roots`, to the label they have the longest border with."""
    label_of, link_of = labels.data, links.data  # an element of an array takes longer to read
    for r, root in enumerate(roots.tolist()):
        grown[r] = -1
        if link_of[root] != -size:
            continue
        region, beyond = _flood(label_of, root, width)
        lengths = Counter(label_of[i] for i in beyond)
        if not lengths:
            continue
        winner = min(lengths, key=lambda label: (-lengths[label], label))
        whole = root
        for i in beyond:
            if label_of[i] == winner:
                whole = _join(link_of, whole, _root(link_of, i))
        for i in region:
            label_of[i] = winner
        grown[r] = whole


def _flood(labels: memoryview, root: int, width: int) -> tuple[list[int], list[int]]:
    """Return the pixels of a region, and what is beyond each edge of them."""
    region, seen, beyond = [root], {root}, []
    for i in region:
        for j in _neighbors(i, width, len(labels)):
            if labels[j] != labels[root]:
                beyond.append(j)
            elif j not in seen:
                seen.add(j)
                region.append(j)
    return region, beyond


def _neighbors(i: int, width: int, n: int) -> Iterator[int]:
    if i >= width:
        yield i - width
    if i % width > 0:
        yield i - 1
    if i % width < width - 1:
        yield i + 1
    if i < n - width:
        yield i + width


def _root(links: memoryview, i: int) -> int:
    while links[i] >= 0:
        if links[links[i]] >= 0:
            links[i] = links[links[i]]
        i = links[i]
    return i


def _join(links: memoryview, a: int, b: int) -> int:
    if a == b:
        return a
    first, second = min(a, b), max(a, b)
    links[first] += links[second]
    links[second] = first
    return first
