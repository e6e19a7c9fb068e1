"""Palettes of integers: what rounding centroids costs, and how much of it can be had back.

Of a given part of the colours the best integer entry is their rounded mean, as channels and squares are separate. With
rounded entries other colours are nearest, so that the means are others too: rounding them again, as in Lloyd's
algorithm, lowers the error of the palette as it is stored until no entry changes. In other spaces than sRGB the entry
whose point is nearest to the mean is mostly the best; error is what is measured in that space, and decides.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.session import Data, Partition, settle


def improved(
    data: Data, partition: Partition, rounded: Callable[[NDArray[np.float64]], NDArray[np.float64]], n_reserved: int
) -> Partition:
    """Return a partition whose centroids are palette entries, of no more error than the given one, its labels in place.

    `rounded` returns the points of the entries for centroids. The first `n_reserved` entries stay as they are.
    """
    best = partition
    while True:
        sums = best.algorithm.assign_and_sum(best.centroids)
        means = sums[:, :-1] / sums[:, -1:]
        centroids = np.ascontiguousarray(rounded(means))
        centroids[:n_reserved] = best.centroids[:n_reserved]
        if np.array_equal(centroids, best.centroids):
            return best
        new = settle(data, best.algorithm, centroids)
        if new.measure.inertia >= best.measure.inertia:
            best.algorithm.assign(best.centroids)
            return best
        best = new
