"""Points, weights and labels of a piece of all points, as the kernels want them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.points.access import Points


class Piece(NamedTuple):
    """Some points in a row, with their weights and labels, and what kernels keep of calls with these arrays."""

    start: int
    points: NDArray[Any]
    weights: NDArray[np.float64]
    labels: NDArray[Any]
    of_label: list[Any]
    of_add: list[Any]
    of_move: list[list[Any]]


class Pieces:
    """The pieces of some points; each is asked for by one thread at a time.

    Parameters
    ----------
    points : Points
        N points of D features.
    weights : ndarray of float64 or int64, shape (N,) or (0,)
        A weight for each point, or nothing where all are 1.
    labels : ndarray, shape (N,)
        Where the labels will be.
    """

    def __init__(self, points: Points, weights: NDArray[Any], labels: NDArray[Any]) -> None:
        self._points, self._weights, self._labels = points, weights, labels
        self._are_views = points.is_one_array and (not weights.size or weights.dtype == np.float64)
        self._kept: dict[tuple[int, int], Piece] = {}

    def piece(self, start: int, stop: int) -> Piece:
        """Return the points from one place to another: always the same piece, unless that would keep copies."""
        piece = self._kept.get((start, stop))
        if piece is None:
            weights = self._weights[start:stop].astype(np.float64, copy=False)
            piece = Piece(start, self._points.chunk(start, stop), weights, self._labels[start:stop], [], [], [])
            if self._are_views:
                self._kept[start, stop] = piece
        return piece
