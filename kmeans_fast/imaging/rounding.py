"""Palettes of integers: what rounding centroids costs, and how much of it can be had back.

Of a given part of the colours the best integer entry is their rounded mean, as channels and squares are separate. With
rounded entries other colours are nearest, so that the means are others too: rounding them again, as in Lloyd's
algorithm, lowers the error of the palette as it is stored until no entry changes. In other spaces than sRGB the entry
whose point is nearest to the mean is mostly the best; error is what is measured in that space, and decides.

A single entry that takes a step may still lower the error, as colours then change hands. What each step changes is
added up for all entries in one pass over the colours; those are taken that help most and don't touch each other.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.lending import Machine
from kmeans_fast.machine.chunks import chunk_bounds
from kmeans_fast.session import Data, Partition, settle

# How many entries a colour may change to: what its own entry gives up mostly goes to one of the nearest.
N_NEIGHBORS = 8
# The search ends where its steps lower the error by less than this part.
LEAST_GAIN = 2e-5
# In the order of the kernel's columns.
STEPS = np.repeat(np.eye(3, dtype=np.int64), 2, axis=0) * np.array([[1], [-1]] * 3)


def improved(
    data: Data, partition: Partition, rounded: Callable[[NDArray[np.float64]], NDArray[np.float64]], n_reserved: int
) -> Partition:
    """Return a partition whose centroids are palette entries, of no more error than the given one, its labels in place.

    `rounded` returns the points of the entries for centroids. The first `n_reserved` entries stay as they are.
    """

    def next_of(best: Partition) -> NDArray[np.float64] | None:
        sums = best.algorithm.assign_and_sum(best.centroids)
        means = sums[:, :-1] / sums[:, -1:]
        centroids = np.ascontiguousarray(rounded(means))
        centroids[:n_reserved] = best.centroids[:n_reserved]
        return None if np.array_equal(centroids, best.centroids) else centroids

    return _lowered(data, partition, next_of)


def stepped(data: Data, partition: Partition, histogram: ColorHistogram, machine: Machine) -> Partition:
    """Return a partition whose integer centroids no step of one of them makes much better, its labels in place.

    The points are the colours of a histogram, 8 bits in up to 3 channels.
    """
    colors = np.zeros((len(histogram), 3), np.uint8)
    colors[:, : histogram.n_channels] = histogram.colors

    def next_of(best: Partition) -> NDArray[np.float64] | None:
        if len(best.centroids) == 1:
            return None
        moves, gain = _best_steps(best, colors, histogram.counts, machine)
        is_enough = gain > LEAST_GAIN * best.measure.inertia
        return best.centroids + moves[:, : histogram.n_channels] if is_enough else None

    return _lowered(data, partition, next_of)


def _lowered(data: Data, partition: Partition, next_of: Callable[[Partition], NDArray[np.float64] | None]) -> Partition:
    """Go on to the centroids that come next, if any do, as long as that lowers the error; the labels are in place."""
    best = partition
    while (centroids := next_of(best)) is not None:
        new = settle(data, best.algorithm, centroids)
        if new.measure.inertia >= best.measure.inertia:
            best.algorithm.assign(best.centroids)
            break
        best = new
    return best


def _best_steps(
    partition: Partition, colors: NDArray[np.uint8], counts: NDArray[np.int64], machine: Machine
) -> tuple[NDArray[np.int64], int]:
    """Return steps (K, 3) of entries that aren't neighbours, and by how much they lower the error at least."""
    entries = np.zeros((len(partition.centroids), 3), np.int64)
    entries[:, : partition.centroids.shape[1]] = partition.centroids
    squares = ((entries[:, np.newaxis] - entries) ** 2).sum(axis=2)
    np.fill_diagonal(squares, squares.max() + 1)  # an entry is the last of its own neighbours, and cut off
    nearest = np.argsort(squares, axis=1, kind="stable")
    neighbors = np.ascontiguousarray(nearest[:, : min(N_NEIGHBORS, len(entries) - 1)])
    labels = partition.algorithm.labels.astype(np.int32)
    parts: list[NDArray[np.int64]] = []

    def add(bounds: tuple[int, int]) -> None:
        some = slice(*bounds)
        changes = np.zeros((len(entries), len(STEPS)), np.int64)
        machine.engine.rounding.add_changes(colors[some], counts[some], labels[some], entries, neighbors, changes)
        parts.append(changes)

    machine.workers.for_each(add, chunk_bounds(len(colors)))
    changes = np.sum(parts, axis=0)
    choices = changes.argmin(axis=1)
    return _apart(entries, neighbors, STEPS[choices], changes[np.arange(len(entries)), choices])


def _apart(
    entries: NDArray[np.int64], neighbors: NDArray[Any], steps: NDArray[np.int64], changes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], int]:
    """Choose steps, the best first, whose colours none of the others changes, and that leave entries distinct."""
    moves = np.zeros_like(entries)
    is_bound = np.zeros(len(entries), np.bool_)
    gain = 0
    for k in np.argsort(changes, kind="stable"):
        target = entries[k] + steps[k]
        if changes[k] >= 0:
            break
        if is_bound[k] or ((entries + moves) == target).all(axis=1).any() or target.min() < 0 or target.max() > 255:
            continue
        moves[k] = steps[k]
        gain -= int(changes[k])
        is_bound[neighbors[k]] = True
        is_bound[(neighbors == k).any(axis=1)] = True
    return moves, gain
