"""The dense pass in plain NumPy: the same functions as `numba_dense`, the same bytes, wherever NumPy runs.

Works through a chunk in blocks, so that memory stays bounded whatever K is; a block's distances to one centroid at a
time are all that exists. In every signature: points (n, D), centroids (K, D) float64, weights (n,) float64 or empty
for all ones.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines import numpy_products
from kmeans_fast.engines.margins import MOST_FEATURES
from kmeans_fast.machine.chunks import MANY_FEATURES

# Points compared at a time: with their distances and work space they fit a 256 kB cache.
POINTS_AT_ONCE = 4096


def assign(
    points: NDArray[Any],  # in
    centroids: NDArray[Any],  # in
    labels: NDArray[Any],  # out
) -> None:
    """Write the label of each point's nearest centroid, ties to the lowest index, to `labels`."""
    if _suits_products(points, len(centroids)):
        numpy_products.assign(points, centroids, labels, _assign_block)
        return
    for start in range(0, len(points), POINTS_AT_ONCE):
        _assign_block(points[start : start + POINTS_AT_ONCE], centroids, labels[start : start + POINTS_AT_ONCE])


def find_open(
    gains: NDArray[Any],  # in
    limits: NDArray[Any],  # in
    labels: NDArray[Any],  # in
    places: NDArray[np.int32],  # out
) -> int:
    """Write the places of points whose limits, (n,), aren't above the gains of their labels, (K,); return how many.

    Gains say how far rivals have come nearer so far.
    """
    found = np.flatnonzero(~(limits > gains[labels]))
    places[: found.size] = found
    return found.size


def relabel(
    points: NDArray[Any],  # in
    centroids: NDArray[Any],  # in
    gains: NDArray[Any],  # in
    places: NDArray[np.int32],  # in
    space: Any,  # noqa: ARG001 - work space, of compiled code alone
    limits: NDArray[Any],  # in/out
    labels: NDArray[Any],  # in/out
) -> None:
    """Do as `assign` for the points at some places, (n,) int32, and set their limits, where many features tell them."""
    if _suits_products(points, len(centroids)):
        numpy_products.relabel(points, centroids, gains, places, limits, labels, _assign_block)
    else:
        assign(points, centroids, labels)


def _suits_products(points: NDArray[Any], n_clusters: int) -> bool:
    return n_clusters > 1 and MANY_FEATURES <= points.shape[1] <= MOST_FEATURES


def _assign_block(points: NDArray[Any], centroids: NDArray[Any], labels: NDArray[Any]) -> None:
    rows = np.ascontiguousarray(points.T, dtype=np.float64)
    best = np.full(len(points), np.inf)
    distances, difference = np.empty_like(best), np.empty_like(best)
    labels[:] = 0
    for k, centroid in enumerate(centroids):
        _squared_distances(rows, centroid, distances, difference)
        np.copyto(labels, labels.dtype.type(k), where=distances < best)
        np.minimum(best, distances, out=best)


def _squared_distances(
    rows: NDArray[Any], centroids: NDArray[Any], distances: NDArray[Any], difference: NDArray[Any]
) -> None:
    """Write ((d0² + d1²) + d2²)… to `distances`, a feature at a time, in the textbook's order."""
    distances[:] = 0.0
    for row, value in zip(rows, centroids, strict=True):
        np.subtract(row, value, out=difference)
        np.multiply(difference, difference, out=difference)
        np.add(distances, difference, out=distances)


def add(
    points: NDArray[Any],  # in
    weights: NDArray[Any],  # in
    labels: NDArray[Any],  # in
    sums: NDArray[Any],  # in/out
    kept: list[Any],  # noqa: ARG001 - in/out, the compiled engine's
) -> None:
    """Add weight·point and weight of each point of few features to its cluster's sums (K, 4, D+1), by turns."""
    for start in range(0, len(points), POINTS_AT_ONCE):
        part = slice(start, start + POINTS_AT_ONCE)
        _add(points[part], weights[part], labels[part], np.arange(start, min(part.stop, len(points))), sums)


def _add(
    points: NDArray[Any], weights: NDArray[Any], labels: NDArray[Any], places: NDArray[np.intp], sums: NDArray[Any]
) -> None:
    """Add the points one after the other: `np.add.at` keeps their order, so the float sums have the kernel's bytes."""
    n_strands, n_features = sums.shape[1], points.shape[1]
    rows = sums.reshape(-1, n_features + 1)
    owners = labels.astype(np.intp) * n_strands + places % n_strands
    for f in range(n_features):
        values = points[:, f].astype(np.float64)
        if weights.size:
            values *= weights
        np.add.at(rows[:, f], owners, values)
    np.add.at(rows[:, n_features], owners, weights if weights.size else 1.0)


def measure(
    points: NDArray[Any],  # in
    weights: NDArray[Any],  # in
    centroids: NDArray[Any],  # in
    labels: NDArray[Any],  # in
    inertias: NDArray[Any],  # in/out
    counts: NDArray[Any],  # in/out
    totals: NDArray[Any],  # in/out
) -> None:
    """Add the points' shares of the inertia to `inertias`, by turns, each to `counts` (K,), its weight to `totals`."""
    for start in range(0, len(points), POINTS_AT_ONCE):
        stop = start + POINTS_AT_ONCE
        owners = labels[start:stop].astype(np.intp)
        distances = _distances_to_own(points[start:stop], centroids, owners)
        np.add.at(counts, owners, 1)
        np.add.at(totals, owners, weights[start:stop] if weights.size else 1.0)
        if weights.size:
            distances *= weights[start:stop]
        np.add.at(inertias, np.arange(len(distances)) % len(inertias), distances)


def farthest_members(
    points: NDArray[Any],  # in
    weights: NDArray[Any],  # in
    centroids: NDArray[Any],  # in
    labels: NDArray[Any],  # in
    distances: NDArray[Any],  # in/out
    indices: NDArray[Any],  # in/out
) -> None:
    """Keep, for each cluster, the squared distance and the place in the chunk of its farthest point of positive weight.

    Of points equally far it is the first in lexicographic order, wherever it stands. `distances` (K,) comes in as −1
    and `indices` (K,) int64 as 0; a cluster without such a point leaves them so.
    """
    for start in range(0, len(points), POINTS_AT_ONCE):
        stop = start + POINTS_AT_ONCE
        owners = labels[start:stop].astype(np.intp)
        block = _distances_to_own(points[start:stop], centroids, owners)
        if weights.size:
            block[weights[start:stop] <= 0] = -1.0
        # by cluster, the farthest first, and among equally far ones by their features
        order = np.lexsort((*points[start:stop].T[::-1], -block, owners))
        clusters, first = np.unique(owners[order], return_index=True)
        for k, i in zip(clusters.tolist(), order[first].tolist(), strict=True):
            rank = -block[i], *points[start + i].tolist()
            if block[i] >= 0 and rank < (-distances[k], *points[indices[k]].tolist()):
                distances[k] = block[i]
                indices[k] = start + i


def _distances_to_own(points: NDArray[Any], centroids: NDArray[Any], owners: NDArray[Any]) -> NDArray[Any]:
    distances, difference = np.empty(len(points)), np.empty(len(points))
    rows = np.ascontiguousarray(points.T, dtype=np.float64)
    _squared_distances(rows, centroids[owners].T, distances, difference)
    return distances
