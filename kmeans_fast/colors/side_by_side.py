"""Several runs on a few colours at once: each pass labels the colours for all of them in one call of the engine."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from kmeans_fast.lending import Machine
from kmeans_fast.lloyd import Givers, Measure
from kmeans_fast.points.access import Points
from kmeans_fast.points.dense import DenseAlgorithm

Result = TypeVar("Result")


class SideBySide:
    """The passes of `kmeans_fast.lloyd.ends_of_runs`: an `Algorithm` for centroids of R runs, one after the other.

    Parameters
    ----------
    colors : ndarray of uint8 or uint16, shape (N, C)
        Distinct.
    counts : ndarray of int64, shape (N,)
        The number of pixels of each.
    n_runs, n_clusters : int
        R, and K of each.
    machine : Machine
        What it runs on.

    Attributes
    ----------
    inertias : list of float
        Of the runs, as last measured.
    """

    name = "side by side"

    def __init__(
        self, colors: NDArray[Any], counts: NDArray[np.int64], n_runs: int, n_clusters: int, machine: Machine
    ) -> None:
        self._weights = counts.astype(np.float64)
        self._runs = [DenseAlgorithm(Points(colors), self._weights, n_clusters, *machine) for _ in range(n_runs)]
        self._rows = rows_of(colors, np.float64)
        self._sum_runs = machine.engine.color_seeding.sum_runs
        self.inertias: list[float] = []

    @property
    def labels(self) -> NDArray[Any]:
        """The labels of each run, as last assigned."""
        return np.concatenate([run.labels for run in self._runs])

    def assign(self, centroids: NDArray[np.float64]) -> None:
        """Label every colour in every run."""
        self._each(DenseAlgorithm.assign, centroids)

    def assign_and_sum(self, centroids: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sums of each cluster's pixels, and in the last column their number; keep no labels."""
        n_channels = centroids.shape[1]
        padded = np.zeros((len(self._runs), len(centroids) // len(self._runs), 4))
        padded[..., :n_channels] = centroids.reshape(*padded.shape[:2], n_channels)
        sums = np.zeros((*padded.shape[:2], 5))
        self._sum_runs(self._rows, self._weights, padded, sums)
        return sums.reshape(-1, 5)[:, [*range(n_channels), 4]]

    def measure(self, centroids: NDArray[np.float64]) -> Measure:
        """Measure the clusters that the labels describe."""
        measures = self._each(DenseAlgorithm.measure, centroids)
        self.inertias = [measure.inertia for measure in measures]
        counts = np.concatenate([measure.counts for measure in measures])
        return Measure(sum(self.inertias), counts, np.concatenate([measure.totals for measure in measures]))

    def givers(self, centroids: NDArray[np.float64]) -> list[Givers]:
        """Return the farthest colour of each cluster, for the centroids of its own run."""
        self.assign(centroids)  # as sums leave no labels
        farthest = self._each(DenseAlgorithm.farthest_members, centroids)
        n_clusters = len(centroids) // len(self._runs)
        return [Givers(slice(i * n_clusters, (i + 1) * n_clusters), *found) for i, found in enumerate(farthest)]

    def _each(
        self, call: Callable[[DenseAlgorithm, NDArray[np.float64]], Result], centroids: NDArray[np.float64]
    ) -> list[Result]:
        by_run = centroids.reshape(len(self._runs), -1, centroids.shape[1])
        return [call(run, of_run) for run, of_run in zip(self._runs, by_run, strict=True)]


def rows_of(colors: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    """Return the channels (4, N) of colours (N, C); those that there aren't are 0."""
    rows = np.zeros((4, len(colors)), dtype)
    rows[: colors.shape[1]] = colors.T
    return rows
