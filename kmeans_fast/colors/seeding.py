"""The first centroids for the colours of a histogram: greedy k-means++ that leaves whole cells alone, and splitting.

k-means++ draws what `kmeans_fast.points.seeding` would draw from the same colours, and chooses the same: as colours and
counts are integers, all sums are exact, and a cell that a centroid can't come nearer to than what is closest already
adds nothing. Splitting is Wu's [1]_: each time that box is cut, and there, where it lowers the squared error most.

References
----------
.. [1] X. Wu, "Efficient statistical computations for optimal color quantization", Graphics Gems II, 1991.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import lloyd
from kmeans_fast.colors.cells import CUBE_BITS, excess_bits, nothing_closest, run_starts
from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.colors.shared_passes import SharedPasses
from kmeans_fast.colors.side_by_side import SideBySide, rows_of
from kmeans_fast.draws import Draws
from kmeans_fast.lending import Machine
from kmeans_fast.points import seeding
from kmeans_fast.points.access import Points

# Sums of squared distances below this are exact in int64.
MOST_POTENTIAL = 2**63
# Colours are split, and clustered, by cubes of at least so many for each centroid. With more, splits took up to four
# times as long and ended no lower.
ITEMS_PER_SPLIT = 16
ITEMS_PER_CLUSTER = 64
LARGEST_CUBE_BITS = 5
# How often, and for how many iterations, `best_on_cubes` runs k-means++. On 8 pictures, K from 2 to 16 and three seeds,
# 8 draws ended 0.03 % above the best of eleven full runs in the mean (1.3 % at worst), 12 draws 0.01 % (0.8 %).
N_DRAWS = 8
MAX_ITER = 16
TOL = 0.05
# A round after one that looked at this many colours, which takes 0.3 ms, is shared among the workers.
SHARED_COLORS = 200_000


def random_pixels(
    histogram: ColorHistogram,
    n_clusters: int,
    draws: Draws,
    machine: Machine,  # noqa: ARG001 - as all starts are called
) -> NDArray[np.float64]:
    """Draw K of a histogram's pixels, taken in the order of their colours, without replacement."""
    places = np.array(draws.sample(histogram.n_pixels, n_clusters))
    return histogram.colors[np.searchsorted(np.cumsum(histogram.counts), places, side="right")].astype(np.float64)


def k_means_plus_plus(
    histogram: ColorHistogram, n_clusters: int, draws: Draws, machine: Machine
) -> NDArray[np.float64]:
    """Choose K colours by greedy k-means++, each counting as often as it occurs; see `seeding.k_means_plus_plus`."""
    if not _is_exact(histogram.colors, histogram.counts):
        counts = histogram.counts.astype(np.float64)
        return seeding.k_means_plus_plus(Points(histogram.colors), counts, n_clusters, draws, machine)
    kernels = machine.engine.color_seeding
    cells = histogram.built(machine).cells
    state = nothing_closest(cells)
    # One looks at the colours near the newest, the other at those near any of the candidates, which are many more.
    to_lower, to_add = (SharedPasses(cells, machine.workers, SHARED_COLORS) for _ in range(2))
    n_candidates = seeding.candidate_count(n_clusters)
    first = seeding.first_place(len(histogram), histogram.counts.astype(np.float64), draws)
    # Always the same arrays, of which kernels keep where they are.
    chosen, newest = np.zeros((n_clusters, 4), np.int32), cells.colors[first].astype(np.int32)
    drawn = draws.uniforms((n_clusters - 1, n_candidates))
    targets, places = np.zeros(n_candidates), np.zeros(n_candidates, np.int64)
    candidates = np.zeros((n_candidates, 4), np.int32)
    parts = to_add.parts
    gains = np.zeros((len(parts), n_candidates), np.int64)
    # what the engine keeps of each call
    for_lowering: list[list[Any]] = [[] for _ in parts]
    for_gains: list[list[Any]] = [[] for _ in parts]
    for_locating: list[Any] = []

    def lower(part: int) -> int:
        n_looked: int = kernels.lower(cells, state, newest, *parts[part], for_lowering[part])
        return n_looked

    def add_gains(part: int) -> int:
        n_looked: int = kernels.add_gains(cells, state, candidates, *parts[part], gains[part], for_gains[part])
        return n_looked

    for n in range(n_clusters):
        chosen[n] = newest
        to_lower.run(lower)
        if n == n_clusters - 1:
            break
        np.multiply(drawn[n], float(state.potentials.sum()), out=targets)
        kernels.locate(cells, state, targets, places, for_locating)
        candidates[:] = cells.colors[places]
        gains[:] = 0
        to_add.run(add_gains)
        newest[:] = candidates[gains.sum(axis=0).argmax()]
    return chosen[:, : histogram.n_channels].astype(np.float64)


def split_by_variance(
    histogram: ColorHistogram,
    n_clusters: int,
    draws: Draws,
    machine: Machine,
) -> NDArray[np.float64]:
    """Return the means of K boxes that the colours are split into.

    Boxes are made of cubes of colours, as large as leaves enough of them. 16-bit colours so close together that they
    lie in fewer cubes of scaled steps are chosen by k-means++.
    """
    coordinates, moments = cubes(histogram, ITEMS_PER_SPLIT * n_clusters, machine)
    if len(moments) < n_clusters:
        return k_means_plus_plus(histogram, n_clusters, draws, machine)
    return _means(_split(coordinates, moments, n_clusters, machine))


def best_on_cubes(histogram: ColorHistogram, n_clusters: int, draws: Draws, machine: Machine) -> NDArray[np.float64]:
    """Return the best centroids that a split and some runs of k-means++ lead to on the mean colours of cubes."""
    coordinates, moments = cubes(histogram, ITEMS_PER_CLUSTER * n_clusters, machine)
    if len(moments) <= n_clusters:
        return k_means_plus_plus(histogram, n_clusters, draws, machine)
    colors, counts = np.rint(_means(moments)).astype(histogram.colors.dtype), moments[:, 0].copy()
    starts = [_means(_split(coordinates, moments, n_clusters, machine))]
    starts += [k_means_plus_plus_of_few(colors, counts, n_clusters, draws, machine) for _ in range(N_DRAWS)]
    runs = SideBySide(colors, counts, len(starts), n_clusters, machine)
    tol = TOL / histogram.built(machine).cells.scale ** 2
    ends, _ = lloyd.ends_of_runs(runs, np.concatenate(starts), len(starts), MAX_ITER, tol, lloyd.LONG)
    best = int(np.argmin(runs.inertias))
    return ends[best * n_clusters : (best + 1) * n_clusters]


def k_means_plus_plus_of_few(
    colors: NDArray[Any], counts: NDArray[np.int64], n_clusters: int, draws: Draws, machine: Machine
) -> NDArray[np.float64]:
    """Choose what `k_means_plus_plus` does by one call of the engine: with a few thousand colours calls cost most."""
    weights = counts.astype(np.float64)
    if not _is_exact(colors, counts):
        return seeding.k_means_plus_plus(Points(colors), weights, n_clusters, draws, machine)
    places = np.zeros(n_clusters, np.int64)
    places[0] = seeding.first_place(len(colors), weights, draws)
    drawn = draws.uniforms((n_clusters - 1, seeding.candidate_count(n_clusters)))
    closest = np.empty(len(colors), np.int32 if colors.dtype == np.uint8 else np.int64)
    machine.engine.color_seeding.choose(rows_of(colors, np.int32), counts, drawn, closest, places)
    return colors[places].astype(np.float64)


def _is_exact(colors: NDArray[Any], counts: NDArray[np.int64]) -> bool:
    """Say whether no sum of squared distances between such colours can leave int64."""
    return int(counts.sum()) * 4 * int(np.iinfo(colors.dtype).max) ** 2 < MOST_POTENTIAL


def _split(
    coordinates: NDArray[np.uint8], moments: NDArray[np.int64], n_clusters: int, machine: Machine
) -> NDArray[np.int64]:
    boxes: NDArray[np.int64] = machine.engine.color_seeding.split(
        coordinates, moments, np.array([0, len(moments)]), n_clusters
    )
    return boxes


def _means(moments: NDArray[np.int64]) -> NDArray[np.float64]:
    return moments[:, 1:] / moments[:, :1]


def cubes(histogram: ColorHistogram, least: int, machine: Machine) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return where cubes of colours are, in units of their side, with their pixels and sums of channels.

    Their side is a scaled step at least, so that all of them are below 256.
    """
    colors, codes, counts = histogram.colors, histogram.codes, histogram.counts
    n_channels, excess = histogram.n_channels, excess_bits(codes, histogram.n_channels)
    _, cube_starts, cube_moments = histogram.built(machine)
    # The cubes that there are lie in one each while that isn't smaller.
    firsts = cube_starts[:-1]
    for bits in range(LARGEST_CUBE_BITS + excess, excess - 1, -1):
        are_made = bits >= CUBE_BITS + excess
        starts = run_starts((codes[firsts] if are_made else codes) >> codes.dtype.type(n_channels * bits))[:-1]
        if len(starts) >= least:
            break
    if are_made:
        moments = np.add.reduceat(cube_moments[:, : 1 + n_channels], starts, axis=0)
        starts = firsts[starts]
    else:
        moments = np.empty((len(starts), 1 + n_channels), np.int64)
        moments[:, 0] = np.add.reduceat(counts, starts)
        for f in range(n_channels):
            moments[:, 1 + f] = np.add.reduceat(counts * colors[:, f], starts)
    return (colors[starts] >> colors.dtype.type(bits)).astype(np.uint8), moments
