"""The oracle: k-means as the textbook writes it, in float64, with its N×K distances. Slow, and meant to be read.

Everything in the package is held against this, bit for bit.
"""

import math

import numpy as np

CHUNK_SIZE = 65_536  # floats of up to 4 features are summed in chunks of this many, for up to 1024 clusters
STRANDS = 4  # by which they are summed by turns
MANY_FEATURES = 5  # but with so many, sums of floats are exact
BLOCK = 1000


def squared_distances(points, centroids):
    """N×K squared distances, ((d0² + d1²) + d2²) + …"""
    total = np.zeros((len(points), len(centroids)))
    for f in range(points.shape[1]):
        difference = points[:, f, np.newaxis].astype(np.float64) - centroids[np.newaxis, :, f]
        total += difference * difference
    return total


def distances_to_own(points, centroids, labels):
    """The squared distance of each point to its centroid, by the same sums."""
    total = np.zeros(len(points))
    for f in range(points.shape[1]):
        difference = points[:, f].astype(np.float64) - centroids[labels, f]
        total += difference * difference
    return total


def assign(points, centroids):
    """The nearest centroid of each point; argmin takes the first of equals. Blocks of points fit into a cache."""
    starts = range(0, max(len(points), 1), BLOCK)
    return np.concatenate([squared_distances(points[i : i + BLOCK], centroids).argmin(axis=1) for i in starts])


def sum_clusters(values, labels, n_clusters, chunk_size=CHUNK_SIZE):
    """The sum of each cluster's values: of integers exactly, of floats by turns to strands, each in order of chunks."""
    if values.dtype.kind in "bui":
        sums = np.zeros(n_clusters, np.int64)
        np.add.at(sums, labels, values.astype(np.int64))
        return sums.astype(np.float64)
    total = np.zeros(n_clusters)
    for strand in range(STRANDS):
        of_strand = np.zeros(n_clusters)
        for start in range(0, len(values), chunk_size):
            part = slice(start + strand, min(start + chunk_size, len(values)), STRANDS)
            of_chunk = np.bincount(labels[part], weights=values[part].astype(np.float64), minlength=n_clusters)
            of_strand = of_strand + of_chunk
        total = total + of_strand
    return total


def sum_clusters_exactly(values, labels, n_clusters):
    """The sum of each cluster's values, rounded once."""
    members = np.split(values[np.argsort(labels, kind="stable")], np.bincount(labels, minlength=n_clusters).cumsum())
    return np.array([math.fsum(some.tolist()) for some in members[:n_clusters]])


def update(points, weights, centroids, labels):
    """The mean of each cluster; those without weight move to the points farthest from their own centroids."""
    k = len(centroids)
    add_up = sum_clusters_exactly if points.shape[1] >= MANY_FEATURES else sum_clusters
    if weights is None:
        totals = np.bincount(labels, minlength=k).astype(np.float64)
        sums = np.stack([add_up(column, labels, k) for column in points.T], axis=1)
    else:
        totals = add_up(weights, labels, k)
        sums = np.stack([add_up(weights * column, labels, k) for column in points.T], axis=1)
    new_centroids = centroids.copy()
    full = totals > 0
    new_centroids[full] = sums[full] / totals[full, np.newaxis]
    return move_empty(points, weights, centroids, labels, new_centroids, np.flatnonzero(~full))


def move_empty(points, weights, centroids, labels, new_centroids, empty):
    """Give each empty centroid the farthest point of a cluster, starting with the farthest of all.

    Of points equally far from their centroid it is the first in lexicographic order.
    """
    if len(empty) == 0:
        return new_centroids
    distances = distances_to_own(points, centroids, labels)
    if weights is not None:
        distances[weights == 0] = 0

    def rank(i):
        return -distances[i], *points[i].tolist()

    farthest = {}
    for i, (label, distance) in enumerate(zip(labels, distances, strict=True)):
        if distance > 0 and (label not in farthest or rank(i) < rank(farthest[label])):
            farthest[label] = i
    givers = sorted(farthest, key=lambda label: (-distances[farthest[label]], label))
    for taker, giver in zip(empty, givers, strict=False):
        new_centroids[taker] = points[farthest[giver]]
    return new_centroids


def lloyd(points, centroids, max_iter, tol=0.0, weights=None):
    """Iterate; returns centroids, labels and the shift of each iteration."""
    centroids = np.asarray(centroids, np.float64)
    shifts = []
    for _ in range(max_iter):
        labels = assign(points, centroids)
        new_centroids = update(points, weights, centroids, labels)
        shifts.append(largest_squared_move(centroids, new_centroids))
        if shifts[-1] <= tol:
            break
        centroids = new_centroids
    else:
        labels = assign(points, centroids)
    return (*fill_empty(points, weights, centroids, labels), shifts)


def fill_empty(points, weights, centroids, labels):
    """Move centroids without points until none is left without."""
    while True:
        totals = np.bincount(labels, weights=weights, minlength=len(centroids))
        moved = move_empty(points, weights, centroids, labels, centroids.copy(), np.flatnonzero(totals == 0))
        if np.array_equal(moved, centroids):
            return centroids, labels
        centroids = moved
        labels = assign(points, centroids)


def largest_squared_move(old, new):
    moves = np.zeros(len(old))
    for f in range(old.shape[1]):
        moves += (new[:, f] - old[:, f]) ** 2
    return moves.max()


def inertia(points, centroids, labels, weights=None):
    """The sum of squared distances to the centroids, in order, chunk by chunk."""
    distances = distances_to_own(points, centroids, labels)
    if weights is not None:
        distances = weights * distances
    k, n_features = centroids.shape
    chunk_size = 4 + 4 * (max(2**18, 16 * k) // (4 * n_features)) if n_features >= MANY_FEATURES else CHUNK_SIZE
    return sum_clusters(distances, np.zeros(len(points), np.intp), 1, chunk_size)[0]
