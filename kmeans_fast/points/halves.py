"""Points that are kept rounded to 16 bits beside those that they are of: nearly all labels are told by their halves.

Unlike `shorts` it looks at all points in each pass: with so few features and clusters, that takes less than to keep
track of which ones it could be left out for.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines import Engine
from kmeans_fast.engines.halves import CENTROIDS, HALF, MOST_CLUSTERS, MOST_FEATURES, POINTS
from kmeans_fast.engines.product_space import on_cache_lines
from kmeans_fast.engines.shorts import unit_of
from kmeans_fast.points.access import Points
from kmeans_fast.points.pieces import Piece
from kmeans_fast.points.shorts import middle_of

FEWEST_CLUSTERS, LEAST_WORK = 4, 2**16  # of points times centroids
# The share of the points that may be left: the textbook takes ten times as long.
MOST_LEFT = 1 / 8

#: Called with a piece: writes its labels.
Label = Callable[[Piece], None]


class _Part(NamedTuple):
    n_points: int
    values: NDArray[np.int16]
    scale: float
    """0 if they can't be rounded, or rounding didn't pay."""


class Halves:
    """Points rounded about their middle, for passes with any centroids near those of one pass.

    Parameters
    ----------
    points : Points
    centroids : ndarray of float64, shape (K, D)
    engine : Engine
        Whose kernels to run.
    """

    def __init__(self, points: Points, centroids: NDArray[np.float64], engine: Engine) -> None:
        self._origin, self._reach = middle_of(points, centroids)
        self._kernels, self._assign = engine.halves, engine.dense.assign
        self._parts: dict[int, _Part] = {}
        n_clusters, n_features = centroids.shape
        n_pairs = -(-n_clusters // CENTROIDS)
        # of the last pass, always in the same arrays
        self._centroids, self._squares, self._terms = np.empty_like(centroids), np.empty(n_clusters), np.empty(2)
        self._factors = np.zeros((n_pairs, n_features, CENTROIDS), np.int32)
        #: Whether there are points that weren't worth rounding.
        self.gave_up = False

    @staticmethod
    def suits(n_points: int, n_clusters: int, n_features: int, engine: Engine) -> bool:
        """Say whether passes are quicker by it: for NumPy alone they aren't."""
        is_worth_it = n_clusters >= FEWEST_CLUSTERS and n_points * n_clusters > LEAST_WORK
        is_held = n_clusters <= MOST_CLUSTERS and n_features <= MOST_FEATURES
        return engine.name != "numpy" and is_worth_it and is_held

    def labelling(self, centroids: NDArray[np.float64]) -> Label:
        """Return what labels pieces."""
        self._lay_out(centroids)

        def label(piece: Piece) -> None:
            part = self._part(piece)
            if not part.scale:
                self._assign(piece.points, centroids, piece.labels)
                return
            n_left = self._kernels.label(
                piece.points, part.values, part.scale, self._centroids, self._factors, self._squares, self._terms,
                piece.labels, piece.of_label,
            )  # fmt: skip
            if n_left > MOST_LEFT * len(piece.points):
                self._give_up(piece)

        return label

    def _lay_out(self, centroids: NDArray[np.float64]) -> None:
        self._centroids[:] = centroids
        local = centroids - self._origin
        self._squares[:] = (local * local).sum(axis=1)
        unit = unit_of(np.sqrt(self._squares.max()))
        numbers = np.rint(local / unit)
        self._terms[:] = unit, np.sqrt(((local - numbers * unit) ** 2).sum(axis=1).max())
        padded = np.zeros((len(self._factors) * CENTROIDS, local.shape[1]), np.int16)
        padded[: len(local)] = -numbers
        twice = (padded.view(np.uint16) * np.uint32(HALF + 1)).view(np.int32)
        self._factors[:] = twice.reshape(-1, CENTROIDS, local.shape[1]).swapaxes(1, 2)

    def _part(self, piece: Piece) -> _Part:
        part = self._parts.get(piece.start)
        if part is None or part.n_points != len(piece.points):
            self._parts[piece.start] = part = self._rounded(piece.points)
            if not part.scale:
                self._give_up(piece)
        return part

    def _rounded(self, points: NDArray[Any]) -> _Part:
        n_points, n_features = points.shape
        n_tiles = -(-n_points // POINTS)
        (values,) = on_cache_lines((n_tiles * n_features * POINTS, np.int16))
        values = values.reshape(n_tiles, n_features, POINTS)
        scale = self._kernels.round_points(points, self._origin, self._reach, values)
        return _Part(n_points, values, scale)

    def _give_up(self, piece: Piece) -> None:
        none = np.empty((0, 0, 0), np.int16)
        self._parts[piece.start] = self._parts[piece.start]._replace(values=none, scale=0.0)
        piece.of_label.clear()
        self.gave_up = True
