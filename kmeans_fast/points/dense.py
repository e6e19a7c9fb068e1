"""The dense algorithm: each pass looks at every point, chunk by chunk, on as many threads as the workers have.

Sums are made anew in each pass, for each chunk in strands, to which points are added by turns. Each strand's are added
in the order of the chunks, then the strands in theirs, so that the bytes don't depend on the threads. With many
features much of that is left out, see `many_features`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines import Engine
from kmeans_fast.lloyd import Givers, Measure
from kmeans_fast.machine.chunks import N_STRANDS, chunk_bounds
from kmeans_fast.machine.threads import Workers
from kmeans_fast.points.access import Points
from kmeans_fast.points.halves import Halves, Label
from kmeans_fast.points.pieces import Pieces

# Points times centroids times features in a call of a kernel, which nothing can interrupt: some 0.2 s.
PART = 2**28
NO_WEIGHTS = np.empty(0)


class DenseAlgorithm:
    """The passes of Lloyd's algorithm over all points; see `kmeans_fast.lloyd.Algorithm`.

    Parameters
    ----------
    points : Points
        N points of D features.
    weights : ndarray of float64 or int64, shape (N,) or (0,)
        A weight for each point, or nothing where all are 1.
    n_clusters : int
        K.
    engine : Engine
        Whose kernels to run.
    workers : Workers
        Who runs them.
    """

    name = "dense"
    #: Whether there will be a single pass, which isn't worth rounding points for.
    is_for_one_pass = False

    def __init__(
        self, points: Points, weights: NDArray[Any], n_clusters: int, engine: Engine, workers: Workers
    ) -> None:
        self._points = points
        self._weights = weights
        self._engine = engine
        self._kernels = engine.dense
        self._workers = workers
        self._chunks = list(enumerate(chunk_bounds(points.size, n_clusters, points.n_features)))
        self.labels = np.empty(points.size, smallest_label_dtype(n_clusters))
        self._pieces = Pieces(points, weights, self.labels)
        self._sums = np.empty(0)  # by chunk, once there are some
        self._halves: Halves | None = None  # once there are passes that it suits

    def _parts(self, start: int, stop: int, n_clusters: int) -> Iterator[tuple[int, int]]:
        """Cut a chunk into parts that don't keep an interrupt waiting, until there is one; the sums stay the same."""
        size = N_STRANDS * max(1, PART // (N_STRANDS * n_clusters * self._points.n_features))
        for first in range(start, stop, size):
            if self._workers.stopping:
                return
            yield first, min(first + size, stop)

    def assign(self, centroids: NDArray[np.float64]) -> None:
        """Label every point."""
        label = self._labelling(centroids)

        def run(task: tuple[int, tuple[int, int]]) -> None:
            for part in self._parts(*task[1], len(centroids)):
                label(self._pieces.piece(*part))

        self._workers.for_each(run, self._chunks)

    def assign_and_sum(self, centroids: NDArray[np.float64]) -> NDArray[np.float64]:
        """Label every point; return the weighted sums of each cluster's points, and in the last column its weight."""
        if self._halves is None:
            self._halves = self._rounded(centroids)
        label, sums = self._labelling(centroids), self._sums_of_chunks(len(centroids))

        def run(task: tuple[int, tuple[int, int]]) -> None:
            sums[task[0]] = 0.0
            for part in self._parts(*task[1], len(centroids)):
                piece = self._pieces.piece(*part)
                label(piece)
                self._kernels.add(piece.points, piece.weights, piece.labels, sums[task[0]], piece.of_add)

        self._workers.for_each(run, self._chunks)
        return _add_strands(sums)

    def _rounded(self, centroids: NDArray[np.float64]) -> Halves | None:
        """Return the points rounded, if that makes passes quicker."""
        n_clusters, n_features = centroids.shape
        if self.is_for_one_pass or not Halves.suits(self._points.size, n_clusters, n_features, self._engine):
            return None
        return Halves(self._points, centroids, self._engine)

    def _labelling(self, centroids: NDArray[np.float64]) -> Label:
        """Return what labels pieces: by rounded points, where other passes will follow."""
        if self._halves is not None:
            return self._halves.labelling(centroids)
        return lambda piece: self._kernels.assign(piece.points, centroids, piece.labels)

    def _sums_of_chunks(self, n_clusters: int) -> NDArray[np.float64]:
        """Return the sums (C, K, S, D+1) as they were left, in an array that stays the same."""
        if not self._sums.size:
            self._sums = np.empty((len(self._chunks), n_clusters, N_STRANDS, self._points.n_features + 1))
        return self._sums

    def sum_again(self, n_clusters: int, changed: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what `assign_and_sum` would for the labels as they are.

        `changed` are points in ascending order; chunks without any have the labels they had at the last call. The
        first call must name one of each.
        """
        sums = self._sums_of_chunks(n_clusters)

        def add(i: int) -> None:
            piece = self._pieces.piece(*self._chunks[i][1])
            sums[i] = 0.0
            self._kernels.add(piece.points, piece.weights, piece.labels, sums[i], piece.of_add)

        starts = np.array([start for _, (start, _) in self._chunks])
        among = np.unique(starts.searchsorted(changed, side="right") - 1)
        self._workers.for_each(add, among.tolist())
        return _add_strands(sums)

    def measure(self, centroids: NDArray[np.float64]) -> Measure:
        """Measure the clusters that the labels describe."""
        n_clusters = len(centroids)
        inertias = np.zeros((len(self._chunks), N_STRANDS))
        counts = np.zeros((len(self._chunks), n_clusters), np.int64)
        totals = np.zeros((len(self._chunks), n_clusters))

        def run(task: tuple[int, tuple[int, int]]) -> None:
            i, (start, stop) = task
            piece = self._pieces.piece(start, stop)
            self._kernels.measure(
                piece.points, piece.weights, centroids, piece.labels, inertias[i], counts[i], totals[i]
            )

        self._workers.for_each(run, self._chunks)
        return Measure(float(add_in_order(add_in_order(inertias))), add_in_order(counts), add_in_order(totals))

    def givers(self, centroids: NDArray[np.float64]) -> list[Givers]:
        """Return each cluster's farthest point, for any centroid to take."""
        return [Givers(slice(None), *self.farthest_members(centroids))]

    def farthest_members(self, centroids: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return each cluster's farthest point and its squared distance, −1 for a cluster without points."""
        n_clusters = len(centroids)
        distances = np.full((len(self._chunks), n_clusters), -1.0)
        indices = np.zeros((len(self._chunks), n_clusters), np.int64)

        def run(task: tuple[int, tuple[int, int]]) -> None:
            i, (start, stop) = task
            piece = self._pieces.piece(start, stop)
            self._kernels.farthest_members(
                piece.points, piece.weights, centroids, piece.labels, distances[i], indices[i]
            )
            indices[i] += start

        self._workers.for_each(run, self._chunks)
        return farthest_of(distances, self._points.take(indices.reshape(-1)).reshape(*indices.shape, -1))


def smallest_label_dtype(n_clusters: int) -> np.dtype[Any]:
    """Return the smallest unsigned dtype that holds the labels 0 to K−1."""
    return np.min_scalar_type(n_clusters - 1)


def farthest_of(
    distances: NDArray[np.float64], points: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each cluster's largest distance (K,), and its point (K, D), of those that parts found: (P, K), (P, K, D).

    Of the parts' equally far points it is the first in lexicographic order.
    """
    farthest = distances.max(axis=0)
    ranks = np.where(distances == farthest, 0, 1)
    first = np.lexsort((*np.moveaxis(points, -1, 0)[::-1], ranks), axis=0)[0]
    return farthest, points[first, np.arange(points.shape[1])]


def _add_strands(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums (K, D+1) of those of chunks and of strands (C, K, S, D+1)."""
    return add_in_order(np.moveaxis(add_in_order(sums), 1, 0))


def add_in_order(parts: Sequence[Any] | NDArray[Any]) -> NDArray[Any]:
    """Sum over the first axis, strictly in order: `sum` may add in pairs."""
    total: NDArray[Any] = np.array(parts[0])
    for part in parts[1:]:
        total += part
    return total
