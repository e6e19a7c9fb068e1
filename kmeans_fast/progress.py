"""A ready-made callback for `kmeans_fast.kmeans`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def print_progress(iteration: int, centroids: NDArray[Any], new_centroids: NDArray[Any], shift: float) -> None:
    """Print the iteration and the change in centroid locations: the largest squared move of one.

    Parameters
    ----------
    iteration : int
        Counts from 1.
    centroids, new_centroids : ndarray, shape (K, D)
        Before and after the iteration.
    shift : float
        The largest squared move of a centroid, in squared units of the points.

    Examples
    --------
    >>> import kmeans_fast as kf
    >>> result = kf.kmeans([[0], [1], [8], [9]], 2, init=[[0], [1]], callback=kf.print_progress)
    iteration 1: change in centroid locations 25 (1 of 2 centroids moved)
    iteration 2: change in centroid locations 6.25 (2 of 2 centroids moved)
    iteration 3: change in centroid locations 0 (0 of 2 centroids moved)
    """
    moved = np.any(centroids != new_centroids, axis=1).sum()
    print(
        f"iteration {iteration}: change in centroid locations {shift:g} ({moved} of {len(centroids)} centroids moved)",
        flush=True,
    )
