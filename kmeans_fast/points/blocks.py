"""Points in blocks that a scheduler of tasks, such as Dask's, works on: on several machines, and larger than memory.

Each pass is one task a block. What the tasks return is added in the order of the blocks, so that the bytes depend on
the blocks, but not on how many workers there are or which of them ends first; sums of integers don't depend on either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.draws import Draws
from kmeans_fast.lending import machine_for, work_of
from kmeans_fast.lloyd import Givers, Measure
from kmeans_fast.machine.chunks import chunk_bounds
from kmeans_fast.points import seeding
from kmeans_fast.points.access import Points
from kmeans_fast.points.dense import NO_WEIGHTS, DenseAlgorithm, add_in_order, farthest_of
from kmeans_fast.points.many_features import dense_algorithm

#: Calls a function for each block, which comes first, with the further arguments; returns the results in order.
ForEach = Callable[..., list[Any]]


class Blocks:
    """Points in blocks, and what it takes to work on them.

    Parameters
    ----------
    for_each : callable
        Called as ``for_each(task, *arguments)``: ``task(block, *arguments)`` for all blocks, each (n, D).
    for_one : callable
        Called as ``for_one(i, task, *arguments)``: for one of them.
    keep : callable
        As `for_each`, but what the tasks return stays where it was made, and is the first argument after the block of
        all further tasks, until it is forgotten.
    forget : callable
        Called without arguments.
    engine : str
        Which implementation the tasks run.
    """

    def __init__(
        self,
        for_each: ForEach,
        for_one: Callable[..., Any],
        keep: Callable[..., None],
        forget: Callable[[], None],
        engine: str,
    ) -> None:
        self.for_each, self.for_one, self.keep, self.forget, self.engine = for_each, for_one, keep, forget, engine
        self.sizes: list[int] = for_each(checked_size)
        self.size = sum(self.sizes)
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)])

    def place(self, index: int) -> tuple[int, int]:
        """Return the block that a point is in, and its place there."""
        block = int(np.searchsorted(self.starts, index, side="right")) - 1
        return block, index - int(self.starts[block])


def checked_size(block: NDArray[Any]) -> int:
    """Return the number of points; raise a ValueError for what no computation can take."""
    if len(block):
        Points(block).check_values()
    return len(block)


class BlockAlgorithm:
    """Lloyd's passes over blocks; see `kmeans_fast.lloyd.Algorithm`. Labels are made when they are asked for."""

    name = "dense"
    labels = np.empty(0, np.uint8)

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._centroids = np.empty((0, 0))

    def assign(self, centroids: NDArray[np.float64]) -> None:
        """Take note of the centroids that label."""
        self._centroids = centroids

    def assign_and_sum(self, centroids: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sums of each cluster's points, and in the last column their number."""
        self.assign(centroids)
        total: NDArray[np.float64] = add_in_order(self._blocks.for_each(_sums, centroids, self._blocks.engine))
        return total

    def measure(self, centroids: NDArray[np.float64]) -> Measure:
        """Measure the clusters that the labels describe."""
        parts = self._blocks.for_each(_measure, self._centroids, centroids, self._blocks.engine)
        inertias, counts, totals = zip(*parts, strict=True)
        return Measure(float(add_in_order(inertias)), add_in_order(counts), add_in_order(totals))

    def givers(self, centroids: NDArray[np.float64]) -> list[Givers]:
        """Return each cluster's farthest point, for any centroid to take."""
        parts = self._blocks.for_each(_farthest_members, self._centroids, centroids, self._blocks.engine)
        distances = np.array([part[0] for part in parts])
        points = np.array([part[1] for part in parts])
        return [Givers(slice(None), *farthest_of(distances, points))]


class BlockData:
    """Points in blocks as `kmeans_fast.session` takes them."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks

    def distinct(self, limit: int) -> NDArray[np.float64] | None:
        """Return the distinct points in lexicographic order, or None if there are more than `limit`."""
        parts = self._blocks.for_each(_distinct, limit, self._blocks.engine)
        if any(part is None for part in parts):
            return None
        distinct = np.unique(np.concatenate([part for part in parts if part.size]), axis=0)
        return distinct if len(distinct) <= limit else None

    def start(self, name: str, n_clusters: int, draws: Draws) -> NDArray[np.float64]:
        """Find K first centroids."""
        if name == "random":
            places = draws.sample(self._blocks.size, n_clusters)
            return np.array([self._take(*self._blocks.place(place)) for place in places])
        return self._k_means_plus_plus(n_clusters, draws)

    def algorithm(self, n_clusters: int) -> BlockAlgorithm:  # noqa: ARG002 - as all data is asked
        """Return the algorithm."""
        return BlockAlgorithm(self._blocks)

    def labels(self, algorithm: Any) -> NDArray[Any]:
        """Return the algorithm's labels."""
        labels: NDArray[Any] = algorithm.labels
        return labels

    def thinned(self, n_points: int) -> None:
        """Return None: points are in no order in which every so-manieth would do for all."""

    def _take(self, block: int, place: int) -> NDArray[np.float64]:
        point: NDArray[np.float64] = self._blocks.for_one(block, _take, place)
        return point

    def _k_means_plus_plus(self, n_clusters: int, draws: Draws) -> NDArray[np.float64]:
        """Choose K points as `seeding.k_means_plus_plus_places` does; each block keeps 8 bytes a point."""
        blocks = self._blocks
        n_candidates = seeding.candidate_count(n_clusters)
        chosen = [self._take(*blocks.place(draws.below(blocks.size)))]
        blocks.keep(_no_closest)
        while True:
            if len(chosen) == n_clusters:
                blocks.forget()
                return np.array(chosen)
            blocks.keep(_lower, chosen[-1], blocks.engine)
            candidates = self._draw(blocks.for_each(_chunk_potentials), n_candidates, draws)
            parts = blocks.for_each(_candidate_potentials, candidates, blocks.engine)
            chosen.append(candidates[int(add_in_order(parts).argmin())])

    def _draw(self, potentials: list[NDArray[np.float64]], n_points: int, draws: Draws) -> NDArray[np.float64]:
        """Draw points in proportion to their share of the potential: first the block's chunk, then the point in it."""
        ends = np.add.accumulate(np.concatenate(potentials))
        first_chunks = np.cumsum([0, *map(len, potentials)])
        last = int(np.flatnonzero(np.concatenate(potentials))[-1]) if ends[-1] > 0 else 0
        points = []
        for _ in range(n_points):
            target = draws.uniform() * ends[-1]
            chunk = min(int(ends.searchsorted(target, side="right")), last)
            block = int(np.searchsorted(first_chunks, chunk, side="right")) - 1
            rest = target - (ends[chunk - 1] if chunk else 0.0)
            points.append(
                self._blocks.for_one(block, _locate, chunk - int(first_chunks[block]), rest, self._blocks.engine)
            )
        return np.array(points)


# Tasks: each takes a block, and what was kept beside it if anything was.


def _algorithm_of(block: NDArray[Any], n_clusters: int, machine: Any) -> DenseAlgorithm:
    algorithm = dense_algorithm(Points(block), NO_WEIGHTS, n_clusters, *machine)
    algorithm.is_for_one_pass = True
    return algorithm


def _sums(block: NDArray[Any], centroids: NDArray[np.float64], engine: str) -> NDArray[np.float64]:
    n_clusters, n_features = centroids.shape
    if not len(block):
        return np.zeros((n_clusters, n_features + 1))
    with machine_for(engine, 1, len(block), work_of(len(block), *centroids.shape)) as machine:
        return _algorithm_of(block, n_clusters, machine).assign_and_sum(centroids)


def _measure(
    block: NDArray[Any], assigned: NDArray[np.float64], centroids: NDArray[np.float64], engine: str
) -> tuple[float, NDArray[np.int64], NDArray[np.float64]]:
    if not len(block):
        return 0.0, np.zeros(len(centroids), np.int64), np.zeros(len(centroids))
    with machine_for(engine, 1, len(block), work_of(len(block), *centroids.shape)) as machine:
        algorithm = _algorithm_of(block, len(centroids), machine)
        algorithm.assign(assigned)
        measure = algorithm.measure(centroids)
    return measure.inertia, measure.counts, measure.totals


def _farthest_members(
    block: NDArray[Any], assigned: NDArray[np.float64], centroids: NDArray[np.float64], engine: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if not len(block):
        return np.full(len(centroids), -1.0), np.zeros(centroids.shape)
    with machine_for(engine, 1, len(block), work_of(len(block), *centroids.shape)) as machine:
        algorithm = _algorithm_of(block, len(centroids), machine)
        algorithm.assign(assigned)
        return algorithm.farthest_members(centroids)


def _distinct(block: NDArray[Any], limit: int, engine: str) -> NDArray[np.float64] | None:
    """Return the distinct points, or None if there are more than `limit`."""
    if not len(block):
        return np.empty((0, block.shape[1]))
    with machine_for(engine, 1, len(block), work_of(len(block), 1, block.shape[1])) as machine:
        return seeding.distinct_points(Points(block), NO_WEIGHTS, limit, machine.engine)


def _take(block: NDArray[Any], place: int) -> NDArray[np.float64]:
    point: NDArray[np.float64] = Points(block).take(np.array([place]))[0]
    return point


def _no_closest(block: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.full(len(block), np.inf), np.zeros(len(chunk_bounds(len(block))))


Closest = tuple[NDArray[np.float64], NDArray[np.float64]]


def _lower(block: NDArray[Any], kept: Closest, centroid: NDArray[np.float64], engine: str) -> Closest:
    """Return the squared distances to the closest centroid, and their sum by chunk, with one centroid more."""
    closest, potentials = kept[0].copy(), kept[1].copy()
    if len(block):
        points = Points(block)
        with machine_for(engine, 1, len(block), work_of(len(block), 1, block.shape[1])) as machine:
            for i, (start, stop) in enumerate(chunk_bounds(len(block))):
                potentials[i] = machine.engine.seeding.lower_to_centroid(
                    points.chunk(start, stop), NO_WEIGHTS, centroid, closest[start:stop]
                )
    return closest, potentials


def _chunk_potentials(block: NDArray[Any], kept: Closest) -> NDArray[np.float64]:  # noqa: ARG001 - as all tasks
    return kept[1]


def _candidate_potentials(
    block: NDArray[Any], kept: Closest, candidates: NDArray[np.float64], engine: str
) -> NDArray[np.float64]:
    """Return what each candidate would leave."""
    total = np.zeros(len(candidates))
    if len(block):
        points = Points(block)
        with machine_for(engine, 1, len(block), work_of(len(block), *candidates.shape)) as machine:
            for start, stop in chunk_bounds(len(block)):
                part = np.zeros(len(candidates))
                machine.engine.seeding.potentials(
                    points.chunk(start, stop), NO_WEIGHTS, candidates, kept[0][start:stop], part
                )
                total += part
    return total


def _locate(block: NDArray[Any], kept: Closest, chunk: int, target: float, engine: str) -> NDArray[np.float64]:
    start, stop = chunk_bounds(len(block))[chunk]
    with machine_for(engine, 1, len(block), work_of(len(block), 1, block.shape[1])) as machine:
        place = machine.engine.seeding.locate(NO_WEIGHTS, kept[0][start:stop], target)
    return _take(block, start + int(place))
