"""What a callback saw: the centroids of each iteration of the run that a palette came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.lloyd import Callback


@dataclass
class Run:
    """One run of k-means.

    Attributes
    ----------
    centroids : list of ndarray of float64, shape (K, D)
        Those that each iteration began with, and in the end what the last one made of them.
    shifts : list of float
        Of each iteration.
    """

    centroids: list[NDArray[np.float64]] = field(default_factory=list)
    shifts: list[float] = field(default_factory=list)

    def arranged(self, entries: NDArray[np.float64]) -> tuple[float, Run]:
        """Return how far (K, D) entries are from where this run ended, and the run in their order."""
        distances = ((self.centroids[-1][:, np.newaxis] - entries) ** 2).sum(axis=-1)
        order = np.full(len(entries), -1)
        taken = np.zeros(len(entries), bool)
        for pair in distances.argsort(axis=None, kind="stable").tolist():
            row, entry = divmod(pair, len(entries))
            if not taken[row] and order[entry] < 0:
                order[entry], taken[row] = row, True
        off = float(distances[order, np.arange(len(entries))].sum())
        return off, Run([centroids[order] for centroids in self.centroids], self.shifts)


class Trace:
    """A callback that keeps all runs, and hands on what it is told."""

    def __init__(self, callback: Callback | None = None) -> None:
        self._callback = callback
        self._runs: list[Run] = []

    def __call__(
        self, iteration: int, centroids: NDArray[np.float64], new_centroids: NDArray[np.float64], shift: float
    ) -> Any:
        """Keep one iteration; each run begins with the number 1."""
        if iteration == 1:
            self._runs.append(Run())
        run = self._runs[-1]
        run.centroids[-1:] = [centroids.copy(), new_centroids.copy()]
        run.shifts.append(shift)
        return None if self._callback is None else self._callback(iteration, centroids, new_centroids, shift)

    def run_to(self, entries: NDArray[np.float64]) -> Run:
        """Return the run that ended nearest to palette entries (K, D), in their order; none is one of no iterations."""
        arranged = [run.arranged(entries) for run in self._runs if run.centroids[-1].shape == entries.shape]
        return min(arranged, key=lambda pair: pair[0], default=(0.0, Run()))[1]
