"""Points that are kept rounded to 16 bits beside those that they are of: most labels are told by them."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines.shorts import CENTROIDS, POINTS
from kmeans_fast.points.access import Points
from kmeans_fast.points.pieces import Piece

# Bytes of factors that come from a near cache for each tile; with more, float32 is as fast.
MOST_FACTORS = 2**18
FEWEST_CLUSTERS = 4
# With fewer features there is too little to multiply, unless there are so many clusters: 6 features and 16 clusters
# took 1.15 of the time, 64 and 16 took 0.72, and 784 and 10 took 0.85. More features weren't measured.
LEAST_FEATURES, MOST_FEATURES, MANY_CLUSTERS = 12, 1023, 32
# Of what is compared, the share that must be labelled for it to be worth it: it takes half as long as float32 does.
LEAST_LABELLED = 0.6
# Points whose mean is the origin. With one amid few first centroids, up to five times as many points were left.
SAMPLE = 512

#: Called with a piece, gains, and limits of all points: labels what it can; returns places of the rest in the piece.
Settle = Callable[[Piece, NDArray[np.float64], NDArray[np.float32]], NDArray[np.int32] | None]


class _Part(NamedTuple):
    n_points: int
    values: NDArray[np.int16]
    norms: NDArray[np.float32]
    scale: float
    """0 if they can't be rounded, or rounding didn't pay."""
    off: float
    """By how much of that a point is off at most."""
    limits: NDArray[np.float32]
    places: NDArray[np.int32]
    """Of those that were left in the last pass."""
    counts: NDArray[np.int64]


class Shorts:
    """Points rounded about their middle, for passes with any centroids near those of one pass.

    Parameters
    ----------
    points : Points
    centroids : ndarray of float64, shape (K, D)
    kernels : SimpleNamespace
        An engine's `shorts`.
    """

    def __init__(self, points: Points, centroids: NDArray[np.float64], kernels: SimpleNamespace) -> None:
        self._origin, self._reach = middle_of(points, centroids)
        self._exact_origin = self._origin.astype(np.float64)
        self._kernels = kernels
        self._parts: dict[int, _Part] = {}
        n_clusters, n_features = centroids.shape
        # of the last pass, always in the same arrays
        self._factors = np.zeros((-(-n_clusters // CENTROIDS), (n_features + 1) // 2, CENTROIDS, 2), np.int16)
        self._squares, self._terms = np.empty(n_clusters), np.empty(2)

    @staticmethod
    def suits(n_clusters: int, n_features: int) -> bool:
        """Say whether a pass is quicker by it."""
        fewest = FEWEST_CLUSTERS if LEAST_FEATURES <= n_features <= MOST_FEATURES else MANY_CLUSTERS
        return n_clusters >= fewest and 2 * n_clusters * n_features <= MOST_FACTORS

    def labelling(self, centroids: NDArray[np.float64]) -> Settle:
        """Return what labels points whose limits aren't above the gains of their labels, as far as it can.

        Gains and limits must always be in the same arrays.
        """
        self._kernels.lay_out(centroids, self._exact_origin, self._factors, self._squares, self._terms)

        def settle(piece: Piece, gains: NDArray[np.float64], limits: NDArray[np.float32]) -> NDArray[np.int32] | None:
            part = self._part(piece, limits)
            if not part.scale:
                return None
            self._kernels.settle(
                part.values, part.norms, part.scale, part.off, self._factors, self._squares, self._terms, gains,
                part.limits, piece.labels, part.places, part.counts, piece.of_label,
            )  # fmt: skip
            n_left, n_compared, n_labelled = part.counts.tolist()
            if n_labelled < LEAST_LABELLED * n_compared:
                self._give_up(piece)
            return part.places[:n_left]

        return settle

    def _part(self, piece: Piece, limits: NDArray[np.float32]) -> _Part:
        part = self._parts.get(piece.start)
        if part is None or part.n_points != len(piece.points):
            self._parts[piece.start] = part = self._rounded(piece, limits)
            piece.of_label.clear()  # what is kept there is of another part
            if not part.scale:
                self._give_up(piece)
        return part

    def _rounded(self, piece: Piece, limits: NDArray[np.float32]) -> _Part:
        n_points, n_features = piece.points.shape
        values = np.zeros((-(-n_points // POINTS), (n_features + 1) // 2, POINTS, 2), np.int16)
        norms = np.empty(n_points, np.float32)
        scale, off = self._kernels.round_points(piece.points, self._origin, self._reach, values, norms)
        own_limits = limits[piece.start : piece.start + n_points]
        places, counts = np.empty(n_points, np.int32), np.empty(3, np.int64)
        return _Part(n_points, values, norms, scale, off, own_limits, places, counts)

    def _give_up(self, piece: Piece) -> None:
        part = self._parts[piece.start]
        self._parts[piece.start] = part._replace(values=part.values[:0].copy(), norms=part.norms[:0].copy(), scale=0.0)
        piece.of_label.clear()


def middle_of(points: Points, centroids: NDArray[np.float64]) -> tuple[NDArray[Any], float]:
    """Return an origin amid the points, in what holds their numbers, and how far the farthest centroid is from it."""
    exact = np.float64 if points.dtype == np.float64 else np.float32  # float32 holds all other points
    places = np.arange(0, points.size, -(-points.size // SAMPLE))
    with np.errstate(over="ignore"):
        origin: NDArray[Any] = points.take(places).mean(axis=0).astype(exact)
        return origin, float(np.sqrt(((centroids - origin) ** 2).sum(axis=1).max()))
