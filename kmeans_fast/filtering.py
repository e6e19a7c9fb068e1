"""The histogram algorithm: Lloyd's passes over the distinct colours of 8-bit points, whole cells of them at a time."""

import itertools

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import cells
from kmeans_fast.dense import DenseAlgorithm
from kmeans_fast.engines import Engine
from kmeans_fast.histogram import ColorHistogram
from kmeans_fast.lloyd import Measure
from kmeans_fast.points import Points
from kmeans_fast.threads import Workers

# Beyond this magnitude a centroid's square could leave the range in which the cells' float32 is sound.
LARGEST_COORDINATE = 1e6
# An iteration after one that looked at this many colours, which takes 2 ms or more, is shared among the workers.
SHARED_COLORS = 50_000
# Parts that an iteration is then cut into; the more, the more evenly it is shared.
N_PARTS = 16


class HistogramAlgorithm:
    """The passes of Lloyd's algorithm over a histogram; see `kmeans_fast.lloyd.Algorithm`. Labels are those of colours.

    An iteration that is expected to look at few colours runs in the calling thread: sharing less than some milliseconds
    of work costs more than it gains, most of all when another process is busy.

    Parameters
    ----------
    histogram : ColorHistogram
        N distinct colours of C channels.
    structure : Cells
        The same, sorted into cells.
    n_clusters : int
        K.
    engine : Engine
        Whose kernels to run.
    workers : Workers
        Who runs them.
    """

    name = "histogram"

    def __init__(
        self, histogram: ColorHistogram, structure: cells.Cells, n_clusters: int, engine: Engine, workers: Workers
    ) -> None:
        self._update = engine.cells.update
        self._workers = workers
        self._dense = DenseAlgorithm(
            Points(histogram.colors), histogram.counts.astype(np.float64), n_clusters, engine, workers
        )
        self.labels = self._dense.labels
        self._cells = structure
        self._n_channels = histogram.n_channels
        self._summed = [
            *range(self._n_channels),
            4,
        ]  # the columns of the sums that there are channels for, and of counts
        self._all = [(0, len(self._cells.regions.starts) - 1)]
        self._parts = _even_parts(self._cells)
        self._forget(n_clusters)

    def _forget(self, n_clusters: int) -> None:
        """Begin without knowledge: all colours are in cluster 0."""
        colors, counts = self._cells.colors, self._cells.counts
        self._bounds = cells.no_bounds(self._cells, n_clusters)
        self._centroids = np.zeros((n_clusters, 4))
        self._sums = np.zeros((n_clusters, 5), np.int64)
        self._sums[0, :4] = [np.dot(counts, colors[:, f].astype(np.int64)) for f in range(4)]
        self._sums[0, 4] = counts.sum()
        self.labels[:] = 0
        self._n_compared = len(counts)

    def assign(self, centroids: NDArray[np.float64]) -> None:
        """Label every colour."""
        if np.abs(centroids).max() > LARGEST_COORDINATE:
            self._forget(len(centroids))
            self._sums[:, self._summed] = self._dense.assign_and_sum(centroids)
            return
        padded = np.zeros((len(centroids), 4))
        padded[:, : self._n_channels] = centroids
        parts = self._all if self._n_compared < SHARED_COLORS else self._parts
        corrections = np.zeros((len(parts), *self._sums.shape), np.int64)
        n_compared = [0] * len(parts)

        def run(i: int) -> None:
            first, last = parts[i]
            n_compared[i] = self._update(
                self._cells, self._bounds, self._centroids, padded, first, last, self.labels, corrections[i]
            )

        self._workers.for_each(run, range(len(parts)))
        self._sums += corrections.sum(axis=0)
        self._n_compared = sum(n_compared)
        self._centroids = padded

    def assign_and_sum(self, centroids: NDArray[np.float64]) -> NDArray[np.float64]:
        """Label every colour; return the sums of each cluster's pixels, and in the last column their number."""
        self.assign(centroids)
        return self._sums[:, self._summed].astype(np.float64)

    def measure(self, centroids: NDArray[np.float64]) -> Measure:
        """Measure the clusters that the labels describe, in pixels."""
        measure = self._dense.measure(centroids)
        return Measure(measure.inertia, measure.totals.astype(np.int64), measure.totals)

    def farthest_members(self, centroids: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return each cluster's farthest colour and its squared distance, −1 for a cluster without colours."""
        return self._dense.farthest_members(centroids)


def _even_parts(structure: cells.Cells) -> list[tuple[int, int]]:
    """Cut the regions into parts of about as many colours each."""
    first_colors = structure.cells.starts[structure.regions.starts]
    edges = np.searchsorted(first_colors, np.linspace(0, first_colors[-1], N_PARTS + 1))
    distinct = np.unique(edges).tolist()
    return list(itertools.pairwise(distinct))
