"""For how long points can be left with their centroids: as no distance changes by more than its centroid moves [1]_.

References
----------
.. [1] G. Hamerly, "Making k-means even faster", SIAM International Conference on Data Mining, 2010.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

# More than what all rounding of moves and of their sums comes to.
ROUNDING = 1e-9


class Limits:
    """What rivals may gain on the centroid of each point until another one can be the nearest.

    Parameters
    ----------
    n_points : int
        N.
    centroids : ndarray of float64, shape (K, D)
        Those from which gains count.
    """

    def __init__(self, n_points: int, centroids: NDArray[np.float64]) -> None:
        self._n_points = n_points
        self._centroids = centroids
        self._gains = np.zeros(len(centroids))

    @cached_property
    def limits(self) -> NDArray[np.float32]:
        """What the gains must stay below: none are known at first."""
        return np.zeros(self._n_points, np.float32)

    def gains_at(self, centroids: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return, for each cluster, how much nearer any rival of its centroid may have come, all moves so far added.

        It's always in the same array.
        """
        with np.errstate(over="ignore"):  # what gains infinitely is looked at
            moves = np.sqrt(((centroids - self._centroids) ** 2).sum(axis=1))
        fastest = moves.argmax()
        rivals = np.full(len(moves), moves[fastest])
        rivals[fastest] = np.delete(moves, fastest).max(initial=0)
        self._gains += (moves + rivals) * (1 + ROUNDING)
        self._centroids = centroids
        return self._gains
