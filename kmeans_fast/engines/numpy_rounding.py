"""What a palette's error changes by if one of its entries takes a step, in plain NumPy.

The same function as in `numba_rounding`, and the same results; see there for the shapes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def add_changes(
    colors: NDArray[Any],  # in
    counts: NDArray[Any],  # in
    labels: NDArray[Any],  # in
    entries: NDArray[Any],  # in
    neighbors: NDArray[Any],  # in
    changes: NDArray[Any],  # in/out
) -> None:
    """Add what each step changes at most, with all other entries where they are."""
    points = colors.astype(np.int64)
    distances = _squares(points - entries[labels])
    rivals = np.stack([_squares(points - entries[near[labels]]) for near in neighbors.T])
    nearest = rivals.argmin(axis=0)
    others, least = neighbors[labels, nearest], rivals[nearest, np.arange(len(points))]
    for takers, at, stays in ((labels, distances, least), (others, least, distances)):
        differences = points - entries[takers]
        for channel in range(3):
            for place, step in ((2 * channel, 1), (2 * channel + 1, -1)):
                moved = np.minimum(at - 2 * step * differences[:, channel] + 1, stays)
                np.add.at(changes[:, place], takers, counts * (moved - distances))


def _squares(differences: NDArray[np.int64]) -> NDArray[np.int64]:
    squares: NDArray[np.int64] = (differences * differences).sum(axis=1)
    return squares
