"""Points sorted into cells in plain NumPy: the same functions as `numba_point_cells`, the same labels.

Sorting is the same. An iteration compares each point of the cells with all centroids, and keeps no bounds.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines import numpy_dense
from kmeans_fast.engines.layout import Bounds, PointCells, cube_centers, whole_steps

# Points looked at in one go.
POINTS_AT_ONCE = 2**16


def find_keys(
    points: NDArray[Any],  # in
    origin: NDArray[np.float64],  # in
    scale: float,
    table: NDArray[np.uint32],  # in
    keys: NDArray[np.uint32],  # out
    counts: NDArray[np.int64],  # in/out
) -> None:
    """Write the key (n,) uint32 of each point's cell; add to how many points have each.

    A point's steps, (x − origin)·scale + 128, are cut off to whole ones; `table` (D, 256) uint32 says what each adds to
    a key.
    """
    keys[:] = 0
    for f in range(points.shape[1]):
        keys |= table[f, whole_steps((points[:, f].astype(np.float64) - origin[f]) * scale)]
    counts += np.bincount(keys, minlength=len(counts))


def place(
    points: NDArray[Any],  # in
    origin: NDArray[np.float64],  # in
    scale: float,
    bits: int,
    keys: NDArray[np.uint32],  # in
    first: int,
    ends: NDArray[np.int64],  # in/out
    order: NDArray[np.int32],  # in/out
    local: NDArray[np.float32],  # in/out
) -> None:
    """Write the number of each point, from `first` on, and its place to the next free one of its cell, told by `ends`.

    Places, (4, N) float32, are relative to the cell's center; a cell is 2 to the `bits` steps wide.
    """
    by_key = np.argsort(keys, kind="stable")
    counts = np.bincount(keys, minlength=len(ends))
    ranks = np.arange(len(keys)) - np.repeat(np.cumsum(counts) - counts, counts)
    targets = ends[keys[by_key]] + ranks
    order[targets] = first + by_key
    ends += counts
    for f in range(points.shape[1]):
        steps = (points[by_key, f].astype(np.float64) - origin[f]) * scale
        local[f, targets] = steps - cube_centers(steps, bits)


def find_boxes(
    starts: NDArray[np.int64],  # in
    first_cell: int,
    last_cell: int,
    local: NDArray[np.float32],  # in
    halves: NDArray[np.float32],  # out
) -> None:
    """Write how far points in some cells are from the centers.

    That is rounded up by far more than a point's place is rounded.
    """
    part, cells = slice(starts[first_cell], starts[last_cell]), slice(first_cell, last_cell)
    begins = starts[cells] - starts[first_cell]
    halves[cells] = np.maximum.reduceat(np.abs(local[:, part]), begins, axis=1).T * np.float32(1.000001)


def relabel(
    structure: PointCells,  # in
    bounds: Bounds,  # noqa: ARG001 - in/out, the compiled engine's
    points: NDArray[Any],  # in
    before: NDArray[np.float64],  # noqa: ARG001 - in, the compiled engine's
    steps: NDArray[np.float64],  # noqa: ARG001 - in, the compiled engine's
    centroids: NDArray[np.float64],  # in
    first_region: int,
    last_region: int,
    owners: NDArray[Any],  # in/out
    labels: NDArray[Any],  # in/out
    changed: NDArray[np.uint8],  # in/out
) -> int:
    """Label the points of some regions; return how many were looked at."""
    first, last = structure.cells.starts[structure.regions.starts[[first_region, last_region]]].tolist()
    for start in range(first, last, POINTS_AT_ONCE):
        part = slice(start, min(start + POINTS_AT_ONCE, last))
        places = structure.order[part]
        found = np.empty_like(owners[part])
        numpy_dense.assign(points[places], centroids, found)
        changed[places[found != owners[part]] >> 16] = 1
        owners[part] = labels[places] = found
    return int(last - first)
