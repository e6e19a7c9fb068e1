"""Sums of clusters of points of many features: exact, and so corrected where labels change, by any thread in any order.

Numbers are added in parts whose sums float64 holds, see `parts`; sums are rounded once, when they are asked for.
"""

from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.machine.threads import Workers
from kmeans_fast.points.access import Points
from kmeans_fast.points.parts import cuts_of, rounded
from kmeans_fast.points.pieces import Piece


class ExactSums:
    """Sums of each cluster's points, which follow the labels.

    Parameters
    ----------
    points : Points
        N points of D features.
    weights : ndarray of float64 or int64, shape (N,) or (0,)
        A weight for each point, or nothing where all are 1.
    n_clusters : int
        K.
    labels : ndarray, shape (N,)
        As those of the pieces will be; they aren't looked at.
    kernels : SimpleNamespace
        An engine's `sums`.
    workers : Workers
        Who may call at once.
    """

    def __init__(
        self,
        points: Points,
        weights: NDArray[Any],
        n_clusters: int,
        labels: NDArray[Any],
        kernels: SimpleNamespace,
        workers: Workers,
    ) -> None:
        self._kernels = kernels
        self._before = np.empty_like(labels)
        self._is_first = True
        self._cuts = cuts_of(points, weights, kernels, workers)
        self._sums = np.zeros((n_clusters + 1, 1 + len(self._cuts), points.n_features + 1))
        # What has been added since the last pass: of each thread that doesn't wait for another, unless they are large.
        n_rooms = max(1, min(workers.n_threads, points.size * points.n_features // self._sums.nbytes))
        self._rooms: SimpleQueue[tuple[int, NDArray[np.float64]]] = SimpleQueue()
        for number in range(n_rooms):
            self._rooms.put((number, np.zeros_like(self._sums)))

    def follow(self, piece: Piece) -> None:
        """Take the labels of a piece into account; each pass has to, of all, and from any threads."""
        before = self._before[piece.start : piece.start + len(piece.points)]
        number, room = self._rooms.get()
        # of all rooms, as a piece may come to another one in each pass
        kept = list[Any]() if self._is_first else _at(piece.of_move, number)
        try:
            self._kernels.move(
                piece.points, piece.weights, piece.labels, self._cuts, self._is_first, before, room, kept
            )
        finally:
            self._rooms.put((number, room))

    def rounded(self) -> NDArray[np.float64]:
        """End a pass; return the weighted sums of each cluster's points, and in the last column its weight."""
        self._is_first = False
        for _ in range(self._rooms.qsize()):
            number, room = self._rooms.get()
            self._sums += room
            room[:] = 0.0
            self._rooms.put((number, room))
        return rounded(self._sums[:-1].swapaxes(0, 1))


def _at(lists: list[list[Any]], place: int) -> list[Any]:
    """Return the list at a place; what is missing is empty."""
    lists.extend([] for _ in range(place + 1 - len(lists)))
    return lists[place]
