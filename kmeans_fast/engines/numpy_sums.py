"""Sums of clusters in plain NumPy; see `numba_sums` for the shapes. They are exact, and so have the same bytes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Points added at a time: a feature of them and its parts fit into a cache.
POINTS_AT_ONCE = 4096


def move(
    points: NDArray[Any],  # in
    weights: NDArray[Any],  # in
    labels: NDArray[Any],  # in
    cuts: NDArray[Any],  # in
    are_new: bool,
    before: NDArray[Any],  # in/out
    sums: NDArray[Any],  # in/out
    kept: list[Any],  # noqa: ARG001 - in/out, the compiled engine's
) -> None:
    """Move each point whose label isn't that of `before` from the one cluster's sums to the other's; set `before`.

    New points all move, from no cluster.
    """
    changed = np.arange(len(labels)) if are_new else np.flatnonzero(labels != before)
    for start in range(0, len(changed), POINTS_AT_ONCE):
        places = changed[start : start + POINTS_AT_ONCE]
        moved, own = points[places], weights[places] if weights.size else np.ones(len(places))
        _add(moved, -own, np.full(len(places), len(sums) - 1) if are_new else before[places], cuts, sums)
        _add(moved, own, labels[places], cuts, sums)
    before[changed] = labels[changed]


def _add(
    points: NDArray[Any], weights: NDArray[Any], labels: NDArray[Any], cuts: NDArray[Any], sums: NDArray[Any]
) -> None:
    n_clusters, n_features = len(sums), points.shape[1]
    for f in range(n_features + 1):
        rest = weights * points[:, f] if f < n_features else weights.copy()
        for p, cut in enumerate(cuts[:, f // n_features]):
            upper = rest + cut - cut
            sums[:, p, f] += np.bincount(labels, upper, n_clusters)
            rest -= upper
        sums[:, -1, f] += np.bincount(labels, rest, n_clusters)


def find_extremes(
    values: NDArray[Any],  # in
    extremes: NDArray[Any],  # out
) -> None:
    """Write the least magnitude above 0, or infinity, and the largest, (2,) float64: NaN if there is one."""
    extremes[:] = np.inf, 0
    for start in range(0, len(values), POINTS_AT_ONCE):
        magnitudes = np.abs(values[start : start + POINTS_AT_ONCE])
        least = magnitudes.min(initial=np.inf, where=magnitudes > 0)
        extremes[:] = np.minimum(extremes[0], least), np.maximum(extremes[1], magnitudes.max())  # which pass a NaN on
