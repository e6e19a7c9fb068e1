"""The histogram algorithm: Lloyd's passes over distinct colours of 8 or 16 bits, whole cells of them at a time."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors import cells
from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.colors.shared_passes import SharedPasses
from kmeans_fast.engines import Engine
from kmeans_fast.lending import Machine
from kmeans_fast.lloyd import Givers, Measure
from kmeans_fast.machine.threads import Workers
from kmeans_fast.points.access import Points
from kmeans_fast.points.dense import DenseAlgorithm

# Beyond this magnitude, scaled, a centroid's square could leave the range in which the cells' float32 is sound.
LARGEST_COORDINATE = 1e6
# An iteration after one that looked at this many colours, which takes half a millisecond, is shared among the workers:
# with 25,000 or 150,000 the way to the fixed point took 1.2 to 1.3 times as long.
SHARED_COLORS = 50_000


class HistogramAlgorithm:
    """The passes of Lloyd's algorithm over a histogram; see `kmeans_fast.lloyd.Algorithm`. Labels are those of colours.

    Parameters
    ----------
    histogram : ColorHistogram
        N distinct colours of C channels.
    n_clusters : int
        K.
    engine : Engine
        Whose kernels to run.
    workers : Workers
        Who runs them.
    n_points : ndarray of int64, shape (N,), optional
        How many points have each colour, where the histogram's counts are weights, of which some may be 0.
    """

    name = "histogram"

    def __init__(
        self,
        histogram: ColorHistogram,
        n_clusters: int,
        engine: Engine,
        workers: Workers,
        n_points: NDArray[np.int64] | None = None,
    ) -> None:
        self._n_points = n_points
        self._relabel = engine.cells.relabel
        self._workers = workers
        self._dense = DenseAlgorithm(Points(histogram.colors), histogram.counts, n_clusters, engine, workers)
        self.labels = self._dense.labels
        self._cells, _, moments = histogram.built(Machine(engine, workers))
        self._totals = moments.sum(axis=0)
        self._bits = 8 * histogram.colors.itemsize
        self._n_channels = histogram.n_channels
        # the columns of the sums that there are channels for, and that of counts
        self._summed = [*range(self._n_channels), 4]
        self._forget(n_clusters)

    def _forget(self, n_clusters: int) -> None:
        """Begin without knowledge: all colours are in cluster 0."""
        self._bounds = cells.no_bounds(self._cells, n_clusters)
        # those of the last pass and of this one, always in the same arrays
        self._before, self._centroids = np.zeros((n_clusters, 4)), np.zeros((n_clusters, 4))
        self._passes = SharedPasses(self._cells, self._workers, SHARED_COLORS)
        n_parts = len(self._passes.parts)
        # what each part has added to the sums so far; first, the sums without that
        self._sums = np.zeros((1 + n_parts, n_clusters, 5), np.int64)
        self._sums[0, 0, :4], self._sums[0, 0, 4] = self._totals[1:5], self._totals[0]
        self._kept: list[list[Any]] = [[] for _ in range(n_parts)]
        self.labels[:] = 0

    def assign(self, centroids: NDArray[np.float64]) -> None:
        """Label every colour."""
        if np.abs(centroids).max() * self._cells.scale > LARGEST_COORDINATE:
            self._forget(len(centroids))
            self._sums[0, :, self._summed] = self._dense.assign_and_sum(centroids).T
            return
        self._before[:] = self._centroids
        self._centroids[:, : self._n_channels] = centroids
        self._passes.run(self._relabel_part)

    def _relabel_part(self, part: int) -> int:
        n_looked: int = self._relabel(
            self._cells, self._bounds, self._before, self._centroids, *self._passes.parts[part],
            self.labels, self._sums[1 + part], self._kept[part],
        )  # fmt: skip
        return n_looked

    def assign_and_sum(self, centroids: NDArray[np.float64]) -> NDArray[np.float64]:
        """Label every colour; return the sums of each cluster's pixels, and in the last column their number."""
        self.assign(centroids)
        return self._all_sums()[:, self._summed].astype(np.float64)

    def _all_sums(self) -> NDArray[np.int64]:
        """Return the sums of each cluster's channels (K, 4), and how many pixels it has in the last column."""
        sums: NDArray[np.int64] = self._sums.sum(axis=0)
        return sums

    def measure(self, centroids: NDArray[np.float64]) -> Measure:
        """Measure the clusters that the labels describe, in pixels."""
        sums = self._all_sums()
        totals = sums[:, 4]
        counts = totals.copy()
        if self._n_points is not None:
            counts = np.bincount(self.labels, self._n_points, len(centroids)).astype(np.int64)
        return Measure(self._inertia(centroids, sums), counts, totals.astype(np.float64))

    def _inertia(self, centroids: NDArray[np.float64], all_sums: NDArray[np.int64]) -> float:
        """Find the inertia by the sums alone, where integers hold it, rather than by each colour.

        Of a cluster of n pixels, whose sum is S, it is Σ x² − z·(2·S − n·z) about whole numbers z next to its centroid,
        and what the centroid is off changes it little.
        """
        largest = 2**self._bits
        if self._totals[0] >= 2 ** (61 - 2 * self._bits) or centroids.min() < 0 or centroids.max() > largest:
            return self._dense.measure(centroids).inertia
        whole = np.rint(centroids).astype(np.int64)
        sums, totals = all_sums[:, : self._n_channels], all_sums[:, 4:]
        apart = sums - totals * whole
        squares = self._totals[5] - (whole * (sums + apart)).sum()
        off = centroids - whole
        rest = off * (totals * off - 2 * apart)
        return math.fsum([squares, *rest.reshape(-1).tolist()])

    def givers(self, centroids: NDArray[np.float64]) -> list[Givers]:
        """Return each cluster's farthest colour, for any centroid to take."""
        return self._dense.givers(centroids)

    def farthest_members(self, centroids: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return each cluster's farthest colour and its squared distance, −1 for a cluster without colours."""
        return self._dense.farthest_members(centroids)
