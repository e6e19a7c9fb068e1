"""The first centroids: points drawn at random, or greedy k-means++, and the distinct points where those are few.

References
----------
.. [1] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007. Its greedy variant,
which
   draws several candidates for each centroid and keeps the best, is described in its conclusion.
"""

import math

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.draws import Draws
from kmeans_fast.engines import Engine
from kmeans_fast.lending import Machine
from kmeans_fast.machine.chunks import chunk_bounds
from kmeans_fast.points.access import Points


def distinct_points(
    points: Points, weights: NDArray[np.float64], limit: int, engine: Engine
) -> NDArray[np.float64] | None:
    """Return the distinct points of positive weight in lexicographic order, or None if there are more than `limit`."""
    distinct = np.empty((limit + 1, points.n_features))
    n_distinct = 0
    for start, stop in chunk_bounds(points.size, limit):
        n_distinct = engine.seeding.add_distinct(points.chunk(start, stop), weights[start:stop], distinct, n_distinct)
        if n_distinct > limit:
            return None
    return np.unique(distinct[:n_distinct], axis=0)


def random_points(
    points: Points,
    weights: NDArray[np.float64],
    n_clusters: int,
    draws: Draws,
    machine: Machine,  # noqa: ARG001 - as all starts are called
) -> NDArray[np.float64]:
    """Draw K points of positive weight without replacement, each time in proportion to their weights."""
    if not weights.size:
        return points.take(np.array(draws.sample(points.size, n_clusters)))
    left = weights.copy()
    places: list[int] = []
    while len(places) < n_clusters:
        # A draw of one that has been drawn already counts for nothing, as if that one had not been there.
        drawn = weighted_places(left, n_clusters - len(places), draws)
        places += dict.fromkeys(drawn)
        left[places] = 0
    return points.take(np.array(places))


def k_means_plus_plus(
    points: Points,
    weights: NDArray[np.float64],
    n_clusters: int,
    draws: Draws,
    machine: Machine,
) -> NDArray[np.float64]:
    """Choose K points by greedy k-means++ with 2 + ⌊ln K⌋ candidates for each; see `k_means_plus_plus_places`."""
    places = k_means_plus_plus_places(points, weights, n_clusters, candidate_count(n_clusters), draws, machine)
    return points.take(places)


def k_means_plus_plus_places(
    points: Points,
    weights: NDArray[np.float64],
    n_clusters: int,
    n_candidates: int,
    draws: Draws,
    machine: Machine,
) -> NDArray[np.int64]:
    """Choose K points by greedy k-means++; return their places.

    Each next centroid is the best of some candidates, drawn with a probability in proportion to weight times squared
    distance to the nearest centroid so far; best is the one that leaves the least sum of those. Takes 8 bytes a point.
    """
    state = _Closest(points, weights, machine)
    chosen = np.array([first_place(points.size, weights, draws)])
    state.lower(points.take(chosen)[0])
    while len(chosen) < n_clusters:
        places = state.draw(n_candidates, draws)
        candidates = points.take(places)
        best = state.best(candidates)
        chosen = np.append(chosen, places[best])
        state.lower(candidates[best])
    return chosen


def candidate_count(n_clusters: int) -> int:
    """Return how many candidates greedy k-means++ draws for each centroid."""
    return 2 + int(math.log(n_clusters))


def first_place(n_points: int, weights: NDArray[np.float64], draws: Draws) -> int:
    """Draw a point in proportion to its weight."""
    if not weights.size:
        return draws.below(n_points)
    return weighted_places(weights, 1, draws)[0]


def weighted_places(weights: NDArray[np.float64], size: int, draws: Draws) -> list[int]:
    """Draw places in proportion to their weights, with replacement."""
    ends = np.add.accumulate(weights)
    targets = draws.uniforms((size,)) * ends[-1]
    # rounding can put a draw at the very end, past the last point of positive weight
    last = int(np.flatnonzero(weights)[-1])
    places: list[int] = np.minimum(np.searchsorted(ends, targets, side="right"), last).tolist()
    return places


class _Closest:
    """The squared distance of each point to the closest centroid so far, and the sum of weight times that by chunk."""

    def __init__(self, points: Points, weights: NDArray[np.float64], machine: Machine) -> None:
        self._points = points
        self._weights = weights
        self._kernels = machine.engine.seeding
        self._workers = machine.workers
        self._chunks = list(enumerate(chunk_bounds(points.size)))
        self._closest = np.full(points.size, np.inf)
        self._potentials = np.zeros(len(self._chunks))

    def lower(self, centroid: NDArray[np.float64]) -> None:
        """Take a new centroid into account in each point's squared distance to the closest."""

        def run(task: tuple[int, tuple[int, int]]) -> None:
            i, (start, stop) = task
            self._potentials[i] = self._kernels.lower_to_centroid(
                self._points.chunk(start, stop), self._weights[start:stop], centroid, self._closest[start:stop]
            )

        self._workers.for_each(run, self._chunks)

    def draw(self, n_points: int, draws: Draws) -> NDArray[np.int64]:
        """Draw points in proportion to their share of the potential: first the chunk, then the point in it."""
        ends = np.add.accumulate(self._potentials)
        last = int(np.flatnonzero(self._potentials)[-1]) if ends[-1] > 0 else 0
        places = np.empty(n_points, np.int64)
        for i in range(n_points):
            target = draws.uniform() * ends[-1]
            chunk = min(int(ends.searchsorted(target, side="right")), last)
            start, stop = self._chunks[chunk][1]
            before = ends[chunk - 1] if chunk else 0.0
            places[i] = start + self._kernels.locate(
                self._weights[start:stop], self._closest[start:stop], target - before
            )
        return places

    def best(self, candidates: NDArray[np.float64]) -> int:
        """Return the candidate that would leave the least potential, the first of equals."""
        potentials = np.zeros((len(self._chunks), len(candidates)))

        def run(task: tuple[int, tuple[int, int]]) -> None:
            i, (start, stop) = task
            self._kernels.potentials(
                self._points.chunk(start, stop),
                self._weights[start:stop],
                candidates,
                self._closest[start:stop],
                potentials[i],
            )

        self._workers.for_each(run, self._chunks)
        # accumulate adds in the order of the chunks; sum may add in pairs
        return int(np.add.accumulate(potentials, axis=0)[-1].argmin())
