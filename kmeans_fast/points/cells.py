"""Points of 2 to 4 features sorted into cells, as `kmeans_fast.colors.cells` sorts colours.

Points are shifted and scaled alike in all features, so that they lie between −128 and 128: coordinates in *steps*.
A cell is a cube of some steps a side with at least one point in it, a region a cube of twice that. Takes 20 bytes a
point and, while sorting, 4 more.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.cells import run_starts
from kmeans_fast.engines import Engine
from kmeans_fast.engines.codes import spread_table
from kmeans_fast.engines.layout import Level, PointCells, cube_centers
from kmeans_fast.machine.chunks import chunk_bounds
from kmeans_fast.machine.threads import Workers

# Logarithm of the side of the cells in steps, by the number of features, if there are enough points.
CELL_BITS = {2: 1, 3: 3, 4: 4}
# Fewer cubes than one for so many points are made; some will be empty.
POINTS_A_CUBE = 16
# Half the range of the points in steps: a little less than what the steps of a key can be.
HALF_RANGE = 127.0
# With more steps to a unit, squares of what float64 still tells apart in steps could be too small for it in units.
LARGEST_SCALE = 1e100
# Parts of a shared pass over points or cells.
PARTS = 8


class Grid(NamedTuple):
    """Where the steps begin, and how many there are to one of the points' units."""

    origin: NDArray[np.float64]
    scale: float

    def steps(self, centroids: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return centroids (K, D) in steps, as (K, 4)."""
        padded = np.zeros((len(centroids), 4))
        padded[:, : len(self.origin)] = (centroids - self.origin) * self.scale
        return padded


def grid_of(points: NDArray[Any], workers: Workers) -> Grid | None:
    """Lay a grid over points (N, D); None if they are all alike, or too close for it."""
    chunks = list(enumerate(chunk_bounds(len(points))))
    lows, highs = (np.zeros((len(chunks), points.shape[1])) for _ in range(2))

    def run(task: tuple[int, tuple[int, int]]) -> None:
        i, (start, stop) = task
        lows[i], highs[i] = _extremes(points[start:stop])

    workers.for_each(run, chunks)
    low, high = lows.min(axis=0), highs.max(axis=0)
    half = float((high - low).max()) / 2
    if half * LARGEST_SCALE <= HALF_RANGE:
        return None
    return Grid(low + (high - low) / 2, HALF_RANGE / half)


def _extremes(points: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the least and the largest of each feature; some points in a row at a time, as short rows are slow."""
    n_features = points.shape[1]
    n_rows = len(points) // 64
    rows, rest = points[: 64 * n_rows].reshape(n_rows, 64 * n_features), points[64 * n_rows :]
    if not n_rows:
        return rest.min(axis=0), rest.max(axis=0)
    low, high = (extreme.reshape(64, n_features) for extreme in (rows.min(axis=0), rows.max(axis=0)))
    return np.concatenate([low, rest]).min(axis=0), np.concatenate([high, rest]).max(axis=0)


def build(points: NDArray[Any], grid: Grid, engine: Engine, workers: Workers) -> PointCells:
    """Sort points (N, D) into cells and regions; points of a cell stay in their order."""
    n_features = points.shape[1]
    bits = CELL_BITS[n_features]
    while bits < 8 and 2 ** (n_features * (8 - bits)) * POINTS_A_CUBE > len(points):
        bits += 1
    table = spread_table(n_features) >> np.uint32(n_features * bits)
    keys = np.empty(len(points), np.uint32)
    order, local = np.empty(len(points), np.int32), np.zeros((4, len(points)), np.float32)
    parts = list(enumerate(_even_parts(len(points))))
    counts = np.zeros((len(parts), 2 ** (n_features * (8 - bits))), np.int64)

    def find_keys(task: tuple[int, tuple[int, int]]) -> None:
        i, (start, stop) = task
        engine.point_cells.find_keys(points[start:stop], *grid, table, keys[start:stop], counts[i])

    def place(task: tuple[int, tuple[int, int]]) -> None:
        i, (start, stop) = task
        engine.point_cells.place(points[start:stop], *grid, bits, keys[start:stop], start, ends[i], order, local)

    workers.for_each(find_keys, parts)
    totals = counts.sum(axis=0)
    ends = np.cumsum(totals) - totals + np.cumsum(counts, axis=0) - counts
    workers.for_each(place, parts)
    occupied = np.flatnonzero(totals)
    starts = np.concatenate([[0], np.cumsum(totals[occupied])]).astype(np.int64)
    centers = _cube_centers(grid.steps(points[order[starts[:-1]]]), bits, n_features)
    cells = Level(starts, centers, np.zeros_like(centers))

    def find_boxes(part: tuple[int, int]) -> None:
        engine.point_cells.find_boxes(starts, *part, local, cells.halves)

    edges = np.unique(np.searchsorted(starts, np.linspace(0, len(points), PARTS + 1))).tolist()
    workers.for_each(find_boxes, list(itertools.pairwise(edges)))
    return PointCells(order, local, cells, _regions(cells, run_starts(occupied >> n_features)))


def _cube_centers(steps: NDArray[np.float64], bits: int, n_features: int) -> NDArray[np.float32]:
    """Return the middles of the cubes that some points are in."""
    centers = cube_centers(steps, bits).astype(np.float32)
    centers[:, n_features:] = 0
    return centers


def _even_parts(n_points: int) -> list[tuple[int, int]]:
    edges = np.linspace(0, n_points, PARTS + 1).astype(int).tolist()
    return list(itertools.pairwise(edges))


def _regions(cells: Level, starts: NDArray[np.int64]) -> Level:
    """Return the boxes around cells' boxes, rounded up."""
    centers, halves = cells.centers.astype(np.float64), cells.halves.astype(np.float64)
    low = np.minimum.reduceat(centers - halves, starts[:-1], axis=0)
    high = np.maximum.reduceat(centers + halves, starts[:-1], axis=0)
    middles = ((low + high) / 2).astype(np.float32)
    return Level(starts, middles, (np.maximum(high - middles, middles - low) * 1.000001).astype(np.float32))
