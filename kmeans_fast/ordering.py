"""Orders of clusters."""

import math

import numpy as np
from numpy.typing import NDArray

ORDERS = ("none", "size", "value")


def order_of(centroids: NDArray[np.float64], counts: NDArray[np.int64], by: str) -> NDArray[np.intp]:
    """Return the order of clusters by one of `ORDERS`; equals are sorted by their centroids' features."""
    if by == "none":
        return np.arange(len(centroids))
    # fsum, as sums by NumPy depend on the processor
    values = np.array([math.fsum(centroid) for centroid in centroids.tolist()])
    ranks = [values, -counts] if by == "size" else [values]
    return np.lexsort([*centroids.T[::-1], *ranks])
