"""The dense algorithm for points of many features: what is known of a point from earlier passes saves looking at it.

A point is compared again only once a rival can have caught up with its centroid, see `limits`; most that are then have
their labels told by what they are rounded to, see `shorts`. Sums are exact and follow the labels, see `sums`. A chunk
is much work: threads share points in smaller pieces.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines import Engine
from kmeans_fast.engines.product_space import forget_centroids, work_space
from kmeans_fast.machine.chunks import MANY_FEATURES, shared_bounds
from kmeans_fast.machine.threads import Workers
from kmeans_fast.points.access import Points
from kmeans_fast.points.dense import DenseAlgorithm
from kmeans_fast.points.halves import Halves, Label
from kmeans_fast.points.limits import Limits
from kmeans_fast.points.pieces import Piece, Pieces
from kmeans_fast.points.shorts import Settle, Shorts
from kmeans_fast.points.sums import ExactSums

# Features, and centroids times features, of which comparing takes as long as three, up to which all points are looked
# at: 0.55 to 0.9 of the time while labels change, 0.7 to 1.15 where that soon ends. With 30 features it's 1.1 to 1.8.
MOST_HALVED, MOST_LOOKED_AT, OF_COMPARING = 16, 512, 3


def dense_algorithm(
    points: Points, weights: NDArray[Any], n_clusters: int, engine: Engine, workers: Workers
) -> DenseAlgorithm:
    """Return the dense algorithm that suits these points."""
    kind = ManyFeatures if points.n_features >= MANY_FEATURES else DenseAlgorithm
    return kind(points, weights, n_clusters, engine, workers)


class ManyFeatures(DenseAlgorithm):
    """The passes over points of `MANY_FEATURES` or more; parameters as of any dense algorithm."""

    def __init__(
        self, points: Points, weights: NDArray[Any], n_clusters: int, engine: Engine, workers: Workers
    ) -> None:
        super().__init__(points, weights, n_clusters, engine, workers)
        self._limits: Limits | None = None
        self._shorts: Shorts | None = None  # once a pass finds that it suits
        self._exact: ExactSums | None = None  # once sums are asked for
        self._spaces: list[Any] = []  # for each thread that needs one at a time

    def assign(self, centroids: NDArray[np.float64]) -> None:
        """Label every point."""
        label = self._labelling(centroids)
        self._workers.for_each(lambda bounds: label(self._pieces.piece(*bounds)), self._shared(len(centroids)))

    def assign_and_sum(self, centroids: NDArray[np.float64]) -> NDArray[np.float64]:
        """Label every point; return the weighted sums of each cluster's points, and in the last column its weight."""
        n_clusters = len(centroids)
        if self._exact is None:
            self._halves = self._rounded(centroids)
            self._exact = ExactSums(
                self._points, self._weights, n_clusters, self.labels, self._engine.sums, self._workers
            )
        label, exact = self._labelling(centroids), self._exact

        def run(bounds: tuple[int, int]) -> None:
            piece = self._pieces.piece(*bounds)
            label(piece)
            exact.follow(piece)

        self._workers.for_each(run, self._shared(n_clusters))
        return exact.rounded()

    def _shared(self, n_clusters: int) -> list[tuple[int, int]]:
        return shared_bounds(self._points.size, self._points.n_features, n_clusters, self._workers.n_threads)

    def _rounded(self, centroids: NDArray[np.float64]) -> Halves | None:
        """Return the points rounded, if looking at all of them is quicker than to keep track."""
        n_clusters, n_features = centroids.shape
        is_quick = n_features <= MOST_HALVED and n_clusters * (n_features + OF_COMPARING) <= MOST_LOOKED_AT
        return super()._rounded(centroids) if is_quick else None

    def _labelling(self, centroids: NDArray[np.float64]) -> Label:
        """Return what labels pieces.

        After the first pass those points are left out that no rival can have caught up with, unless all are looked at,
        rounded, as long as that pays. They aren't rounded for labels alone, which may not be asked for again.
        """
        if self._halves is not None:
            if not self._halves.gave_up:
                return self._halves.labelling(centroids)
            self._halves, self._pieces = None, Pieces(self._points, self._weights, self.labels)  # which kept them
        if self._limits is None:
            self._limits = Limits(self._points.size, centroids)
            if self._exact is None or self.is_for_one_pass or not self._rounds(*centroids.shape):
                return self._first_labelling(centroids)
            self.labels[:] = 0
        gains, limits = self._limits.gains_at(centroids), self._limits.limits
        settle = self._settling(centroids)
        for space in self._spaces:
            forget_centroids(space)

        def label(piece: Piece) -> None:
            start, points, labels = piece.start, piece.points, piece.labels
            some_limits = limits[start : start + len(points)]
            places = settle(piece, gains, limits) if settle else None
            if places is None:
                places = np.empty(len(labels), np.int32)
                places = places[: self._kernels.find_open(gains, some_limits, labels, places)]
            if places.size:
                spaces = self._spaces
                space = spaces.pop() if spaces else work_space(points.shape[1], len(centroids), points.dtype)
                self._kernels.relabel(points, centroids, gains, places, space, some_limits, labels)
                spaces.append(space)

        return label

    def _first_labelling(self, centroids: NDArray[np.float64]) -> Label:
        return lambda piece: self._kernels.assign(piece.points, centroids, piece.labels)

    def _rounds(self, n_clusters: int, n_features: int) -> bool:
        """Say whether rounded points make passes quicker: for NumPy alone they don't."""
        return self._engine.name != "numpy" and Shorts.suits(n_clusters, n_features)

    def _settling(self, centroids: NDArray[np.float64]) -> Settle | None:
        """Return what tells most labels by rounded points, where that is quicker."""
        if not self._rounds(*centroids.shape):
            return None
        if self._shorts is None:
            self._shorts = Shorts(self._points, centroids, self._engine.shorts)
        return self._shorts.labelling(centroids)
