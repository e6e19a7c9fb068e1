"""k-means with some centroids held: they stay where they are, and the others are found as ever.

Points choose among all centroids. Each of Lloyd's steps lowers the inertia under this condition as it does without: the
assignment is the best for the centroids, and a mean the best place for one that may move. A centroid that is held is
never empty for Lloyd's algorithm, as it has nowhere to go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.draws import Draws
from kmeans_fast.lloyd import Algorithm, Givers, Measure
from kmeans_fast.session import Data


@dataclass(frozen=True)
class FixedData:
    """Points to be clustered beside centroids that are held; see `kmeans_fast.session.Data`.

    Attributes
    ----------
    data : Data
        The points.
    fixed : ndarray of float64, shape (F, D)
        The first centroids, all distinct.
    """

    data: Data
    fixed: NDArray[np.float64]

    def distinct(self, limit: int) -> NDArray[np.float64] | None:
        """Return what is fixed and then all other distinct points, or None if these are more than `limit` together."""
        points = self.data.distinct(limit)
        if points is None:
            return None
        centroids = np.concatenate([self.fixed, without(self.fixed, points)])
        return centroids if len(centroids) <= limit else None

    def start(self, name: str, n_clusters: int, draws: Draws) -> NDArray[np.float64]:
        """Find K first centroids, as if none were fixed; those nearest to what is fixed give way to it."""
        points = self.data.distinct(n_clusters)
        found = self.data.start(name, n_clusters, draws) if points is None else without(self.fixed, points)
        return np.concatenate([self.fixed, giving_way(self.fixed, found, n_clusters - len(self.fixed))])

    def algorithm(self, n_clusters: int) -> FixedAlgorithm:
        """Return the algorithm for K clusters."""
        return FixedAlgorithm(self.data.algorithm(n_clusters), self.fixed)

    def labels(self, algorithm: Algorithm) -> NDArray[Any]:
        """Return the labels of the points, flat, that belong to those of the algorithm."""
        return self.data.labels(algorithm)

    def thinned(self, n_points: int) -> FixedData | None:
        """Return about so many of the points, beside what is fixed, or None if that hardly leaves fewer colours."""
        thin = self.data.thinned(n_points)
        return None if thin is None else FixedData(thin, self.fixed)


def without(fixed: NDArray[np.float64], points: NDArray[Any]) -> NDArray[Any]:
    """Return those of the points (N, D) that aren't among what is fixed (F, D)."""
    others: NDArray[Any] = points[(points[:, np.newaxis] != fixed).any(axis=2).all(axis=1)]
    return others


def giving_way(fixed: NDArray[np.float64], found: NDArray[np.float64], n_left: int) -> NDArray[np.float64]:
    """Return so many centroids as are to be left: for each that is fixed the nearest goes, until there are no more."""
    for place in fixed:
        if len(found) > n_left:
            found = np.delete(found, ((found - place) ** 2).sum(axis=1).argmin(), axis=0)
    return found


class FixedAlgorithm:
    """The passes of Lloyd's algorithm with some centroids held; see `kmeans_fast.lloyd.Algorithm`.

    Parameters
    ----------
    algorithm : Algorithm
        The passes.
    fixed : ndarray of float64, shape (F, D)
        Whole numbers, or other places that times a cluster's weight are exact.
    own : ndarray of int, shape (F,), optional
        Their clusters; the first ones by default.
    """

    def __init__(self, algorithm: Algorithm, fixed: NDArray[np.float64], own: NDArray[np.intp] | None = None) -> None:
        self._algorithm = algorithm
        self._fixed = fixed
        self._own = np.arange(len(fixed)) if own is None else own
        self.name = algorithm.name

    @property
    def labels(self) -> NDArray[Any]:
        """The label of every point."""
        return self._algorithm.labels

    def _held(self, centroids: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the centroids with what is fixed in its place, from where a search may have pushed it."""
        held = centroids.copy()
        held[self._own] = self._fixed
        return held

    def assign(self, centroids: NDArray[np.float64]) -> None:
        """Label every point."""
        self._algorithm.assign(self._held(centroids))

    def assign_and_sum(self, centroids: NDArray[np.float64]) -> NDArray[np.float64]:
        """Label every point; return the sums of each cluster, and its weight. The mean of a fixed one is its place."""
        sums = self._algorithm.assign_and_sum(self._held(centroids))
        held = sums[self._own]
        held[:, -1] = np.maximum(held[:, -1], 1)
        held[:, :-1] = self._fixed * held[:, -1:]
        sums[self._own] = held
        return sums

    def measure(self, centroids: NDArray[np.float64]) -> Measure:
        """Measure the clusters that the labels describe; a fixed one weighs at least 1, but its count may be 0."""
        measure = self._algorithm.measure(self._held(centroids))
        totals = measure.totals.copy()
        totals[self._own] = np.maximum(totals[self._own], 1)
        return replace(measure, totals=totals)

    def givers(self, centroids: NDArray[np.float64]) -> list[Givers]:
        """Return the points that centroids without any may be moved onto."""
        return self._algorithm.givers(self._held(centroids))
