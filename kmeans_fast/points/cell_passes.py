"""The cell algorithm: labels of points of 2 to 4 features are found a cell at a time, sums are the dense algorithm's.

Sums are made anew from the points, in their own order and chunk by chunk, wherever a label of a chunk has changed: they
have the bytes of the dense algorithm's.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.cells import empty_bounds
from kmeans_fast.engines import Engine
from kmeans_fast.lloyd import Givers, Measure
from kmeans_fast.machine.threads import Workers
from kmeans_fast.points.access import Points
from kmeans_fast.points.cells import CELL_BITS, Grid, build
from kmeans_fast.points.dense import DenseAlgorithm

# Beyond so many steps a centroid's square could leave the range in which the cells' float32 is sound.
LARGEST_COORDINATE = 1e6
# Logarithm of the number of points whose changes are noted together.
STRETCH_BITS = 16
# Parts of a pass for each worker.
PARTS_EACH = 4
# Points from which on sorting them pays.
LEAST_POINTS = 2**17
# Clusters, squared, times iterations from which on it does. With 2 threads sorting takes 60 ns a point, a dense pass
# 2 and 0.1 for each centroid, one over cells 3 to 6: with 16 clusters and 200 iterations, or 64 and 20, either takes
# about as long.
LEAST_COMPARED = 100_000


def pays(points: Points, n_clusters: int, max_iter: int) -> bool:
    """Say whether cells are likely to be faster than the dense algorithm, and possible without a copy of the points."""
    return (
        points.dtype.kind == "f"
        and points.n_features in CELL_BITS
        and points.is_one_array
        and LEAST_POINTS <= points.size < 2**31
        and n_clusters**2 * max_iter >= LEAST_COMPARED
    )


class CellAlgorithm:
    """The passes of Lloyd's algorithm over points sorted into cells; see `kmeans_fast.lloyd.Algorithm`.

    Parameters
    ----------
    points : Points
        N points of 2 to 4 features that are one array of a dtype of the kernels.
    weights : ndarray of float64, shape (N,) or (0,)
        A weight for each point, or nothing where all are 1.
    grid : Grid
        What cells are cut out of.
    n_clusters : int
        K.
    engine : Engine
        Whose kernels to run.
    workers : Workers
        Who runs them.
    """

    name = "cells"

    def __init__(
        self,
        points: Points,
        weights: NDArray[np.float64],
        grid: Grid,
        n_clusters: int,
        engine: Engine,
        workers: Workers,
    ) -> None:
        self._dense = DenseAlgorithm(points, weights, n_clusters, engine, workers)
        self.labels = self._dense.labels
        self._points = points.chunk(0, points.size)
        self._grid = grid
        self._relabel = engine.point_cells.relabel
        self._workers = workers
        self._structure = build(self._points, grid, engine, workers)
        self._parts = _even_parts(self._structure, 1 if workers.n_threads == 1 else PARTS_EACH * workers.n_threads)
        self._owners = np.empty_like(self.labels)
        self._changed = np.empty(-(-points.size >> STRETCH_BITS), np.uint8)
        self._forget(n_clusters)

    def _forget(self, n_clusters: int) -> None:
        """Begin without knowledge: all points are in cluster 0."""
        cells, regions = self._structure.cells, self._structure.regions
        self._bounds = empty_bounds(len(cells.centers), len(regions.centers), n_clusters)
        self._steps = np.zeros((n_clusters, 4))
        self.labels[:] = 0
        self._owners[:] = 0
        self._changed[:] = 1

    def assign(self, centroids: NDArray[np.float64]) -> None:
        """Label every point."""
        steps = self._grid.steps(centroids)
        if np.abs(steps).max() > LARGEST_COORDINATE:
            self._forget(len(centroids))
            self._dense.assign(centroids)
            self._owners[:] = self.labels[self._structure.order]
            return
        before = self._steps

        def relabel(part: tuple[int, int]) -> None:
            self._relabel(
                self._structure, self._bounds, self._points, before, steps, centroids, *part,
                self._owners, self.labels, self._changed,
            )  # fmt: skip

        self._workers.for_each(relabel, self._parts)
        self._steps = steps

    def assign_and_sum(self, centroids: NDArray[np.float64]) -> NDArray[np.float64]:
        """Label every point; return the weighted sums of each cluster's points, and in the last column its weight."""
        self.assign(centroids)
        changed = np.flatnonzero(self._changed) << STRETCH_BITS
        self._changed[:] = 0
        return self._dense.sum_again(len(centroids), changed)

    def measure(self, centroids: NDArray[np.float64]) -> Measure:
        """Measure the clusters that the labels describe."""
        return self._dense.measure(centroids)

    def givers(self, centroids: NDArray[np.float64]) -> list[Givers]:
        """Return each cluster's farthest point, for any centroid to take."""
        return self._dense.givers(centroids)


def _even_parts(structure: Any, n_parts: int) -> list[tuple[int, int]]:
    """Cut the regions into at most so many parts, of about as many points each."""
    first_points = structure.cells.starts[structure.regions.starts]
    edges = np.searchsorted(first_points, np.linspace(0, first_points[-1], n_parts + 1))
    return list(itertools.pairwise(np.unique(edges).tolist()))
