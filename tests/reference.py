"""The oracle: k-means as the textbook writes it, in float64, with its N×K distances. Slow, and meant to be read.

Everything in the package is held against this, bit for bit.
"""

import numpy as np

CHUNK_SIZE = 65_536  # float points are summed in chunks of this many, for up to 1024 clusters
STRANDS = 4  # by which those of up to 4 features are summed by turns
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


def sum_clusters(values, labels, n_clusters, n_strands=STRANDS):
    """The sum of each cluster's values: of integers exactly, of floats by turns to strands, each in order of chunks."""
    if values.dtype.kind in "bui":
        sums = np.zeros(n_clusters, np.int64)
        np.add.at(sums, labels, values.astype(np.int64))
        return sums.astype(np.float64)
    total = np.zeros(n_clusters)
    for strand in range(n_strands):
        of_strand = np.zeros(n_clusters)
        for start in range(0, len(values), CHUNK_SIZE):
            part = slice(start + strand, min(start + CHUNK_SIZE, len(values)), n_strands)
            of_chunk = np.bincount(labels[part], weights=values[part].astype(np.float64), minlength=n_clusters)
            of_strand = of_strand + of_chunk
        total = total + of_strand
    return total


def update(points, weights, centroids, labels):
    """The mean of each cluster; those without weight move to the points farthest from their own centroids."""
    k = len(centroids)
    n_strands = STRANDS if points.shape[1] <= 4 else 1
    if weights is None:
        totals = np.bincount(labels, minlength=k).astype(np.float64)
        sums = np.stack([sum_clusters(column, labels, k, n_strands) for column in points.T], axis=1)
    else:
        totals = sum_clusters(weights, labels, k, n_strands)
        sums = np.stack([sum_clusters(weights * column, labels, k, n_strands) for column in points.T], axis=1)
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
    return sum_clusters(distances, np.zeros(len(points), np.intp), 1)[0]
