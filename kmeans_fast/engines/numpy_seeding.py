"""The seeding in plain NumPy: the same functions as `numba_seeding`, the same bytes."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines.numpy_dense import POINTS_AT_ONCE


def lower_to_centroid(
    points: NDArray[Any],  # in
    weights: NDArray[Any],  # in
    centroid: NDArray[Any],  # in
    closest: NDArray[Any],  # in/out
) -> float:
    """Lower `closest` to the distance to `centroid` where that is less; return the sum of weight·closest, in order."""
    potential = 0.0
    for block in _blocks(points):
        np.minimum(closest[block], _squared_distances(points[block], centroid), out=closest[block])
        potential = _add_in_order(potential, closest[block], weights[block])
    return potential


def potentials(
    points: NDArray[Any],  # in
    weights: NDArray[Any],  # in
    candidates: NDArray[Any],  # in
    closest: NDArray[Any],  # in
    totals: NDArray[Any],  # in/out
) -> None:
    """Add to `totals` (T,), for each of T candidates, what `lower_to_centroid` would return for it."""
    for block in _blocks(points):
        for t, candidate in enumerate(candidates):
            lowered = np.minimum(closest[block], _squared_distances(points[block], candidate))
            totals[t] = _add_in_order(totals[t], lowered, weights[block])


def locate(
    weights: NDArray[Any],  # in
    closest: NDArray[Any],  # in
    target: float,
) -> int:
    """Return the first point where the running sum of weight·closest exceeds `target`, or the last that adds to it."""
    parts = weights * closest if weights.size else closest
    index = int(np.searchsorted(np.add.accumulate(parts), target, side="right"))
    if index < parts.size:
        return index
    adding = np.flatnonzero(parts)
    return int(adding[-1]) if adding.size else 0


def add_distinct(
    points: NDArray[Any],  # in
    weights: NDArray[Any],  # in
    distinct: NDArray[Any],  # in/out
    n_distinct: int,
) -> int:
    """Add those points of positive weight to `distinct` (limit, D) float64 that aren't among its first `n_distinct`.

    Returns how many there are then; stops when the array is full.
    """
    for block in _blocks(points):
        rows = points[block].astype(np.float64) + 0.0  # −0.0 becomes 0.0
        if weights.size:
            rows = rows[weights[block] > 0]
        # pictures with few colours have long runs of one
        changes = np.any(rows[1:] != rows[:-1], axis=1)
        rows = rows[np.concatenate([np.ones(min(len(rows), 1), np.bool_), changes])]
        merged = np.unique(np.concatenate([distinct[:n_distinct], rows]), axis=0)[: len(distinct)]
        n_distinct = len(merged)
        distinct[:n_distinct] = merged
        if n_distinct == len(distinct):
            break
    return n_distinct


def _blocks(points: NDArray[Any]) -> Iterator[slice]:
    return (slice(start, start + POINTS_AT_ONCE) for start in range(0, len(points), POINTS_AT_ONCE))


def _squared_distances(points: NDArray[Any], centroid: NDArray[Any]) -> NDArray[Any]:
    distances = np.zeros(len(points))
    for f, value in enumerate(centroid):
        difference = points[:, f] - value
        difference *= difference
        distances += difference
    return distances


def _add_in_order(running: float, values: NDArray[Any], weights: NDArray[Any]) -> float:
    """Add the weighted values to `running` one after the other, which `sum` doesn't."""
    parts = weights * values if weights.size else values.copy()
    parts[0] += running
    return float(np.add.accumulate(parts)[-1])
