"""The entries of a palette in plain NumPy: the same as `numba_entries`; see there for the shapes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def narrow(
    entries: NDArray[np.int64],  # in
    level: int,
    starts: NDArray[np.int64],  # in
    candidates: NDArray[np.int64],  # in
    new_starts: NDArray[np.int64],  # out
    new_candidates: NDArray[np.int64],  # out
) -> None:
    """Say for each cube of a grid which entries may be nearest in it, of those that may be in a cube twice as long."""
    side = 256 >> level
    corners = np.indices((2**level,) * 3).reshape(3, -1).T
    wider = np.ravel_multi_index((corners // 2).T, (2 ** (level - 1),) * 3)
    sizes = np.diff(starts)[wider]
    ends = np.cumsum(sizes)
    places = np.arange(ends[-1]) + np.repeat(starts[wider] - (ends - sizes), sizes)
    indices = candidates[places]
    doubled = 2 * entries[indices]
    squares = ((doubled - np.repeat(2 * side * corners + side - 1, sizes, axis=0)) ** 2).sum(axis=1)
    least = np.repeat(np.minimum.reduceat(squares, ends - sizes), sizes)
    cubes = np.repeat(np.arange(len(sizes)), sizes)
    is_least = np.flatnonzero(squares == least)
    nearest = is_least[np.unique(cubes[is_least], return_index=True)[1]]
    gaps = np.abs(doubled - np.repeat(doubled[nearest], sizes, axis=0)).sum(axis=1)
    is_kept = squares - least <= 2 * (side - 1) * gaps
    new_starts[1:] = np.cumsum(np.bincount(cubes[is_kept], minlength=len(sizes)))
    new_candidates[: new_starts[-1]] = indices[is_kept]


def measure(
    pixels: NDArray[np.uint8],  # in
    entries: NDArray[np.uint8],  # in
    labels: NDArray[Any],  # in
    counts: NDArray[np.int64],  # in/out
) -> int:
    """Count the labels and return the sum of all squared distances of pixels to their entries."""
    total = 0
    points = _points(entries)
    for row, row_labels in zip(pixels, labels, strict=True):
        total += int(((_points(row) - points[row_labels]) ** 2).sum())
        counts[0] += np.bincount(row_labels, minlength=len(entries))
    return total


def _points(colors: NDArray[np.uint8]) -> NDArray[np.int64]:
    points = colors.astype(np.int64)
    if colors.shape[1] == 4:
        points[:, :3] *= points[:, 3:]
        points[:, 3] *= 255
    return points
