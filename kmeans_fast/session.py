"""The middle of the road: `fit` finds centroids for points, `settle` gives each of given centroids at least one point.

Both ask the same of points as they are (`PointData`) and of colours that stand for many pixels (`ColorData`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import annealing, lloyd
from kmeans_fast.colors.cell_passes import HistogramAlgorithm
from kmeans_fast.colors.counting import are_mostly_distinct
from kmeans_fast.colors.histogram import ColorHistogram, count, fits, label_pixels, number_pixels, sort_points
from kmeans_fast.colors.thinning import FEWER, step_for, thinned
from kmeans_fast.draws import Draws
from kmeans_fast.engines.codes import MAX_CHANNELS
from kmeans_fast.lending import Machine
from kmeans_fast.lloyd import Algorithm, Measure, Run
from kmeans_fast.options import EFFORTS, STARTS, Options
from kmeans_fast.ordering import order_of
from kmeans_fast.points import cell_passes, seeding
from kmeans_fast.points.access import Points
from kmeans_fast.points.cells import grid_of
from kmeans_fast.points.dense import NO_WEIGHTS, DenseAlgorithm
from kmeans_fast.points.many_features import dense_algorithm
from kmeans_fast.points.parts import are_whole

COLOR_DTYPES = (np.uint8, np.uint16)
# Weights that are added up by colour at a time, if there aren't more colours.
WEIGHTS_AT_ONCE = 2**20
# Pixels a centroid and the most iterations of a start on a part of the pixels. After two more on all, 40 palettes of 8
# pictures with alpha or noise had 0.1 % less error in the mean than by 18 from the plain start (0.2 % more at worst).
THIN_PIXELS = 1024
THIN_ITERATIONS = 28
# Runs of k-means++ that the highest effort makes besides.
N_STARTS = 20


class Data(Protocol):
    """Points to be clustered."""

    def distinct(self, limit: int) -> NDArray[np.float64] | None:
        """Return the distinct points in lexicographic order, or None if there are more than `limit`."""

    def start(self, name: str, n_clusters: int, draws: Draws) -> NDArray[np.float64]:
        """Find K first centroids."""

    def algorithm(self, n_clusters: int) -> Algorithm:
        """Return the algorithm for K clusters."""

    def labels(self, algorithm: Algorithm) -> NDArray[Any]:
        """Return the labels of the points, flat, that belong to those of the algorithm."""

    def thinned(self, n_points: int) -> Data | None:
        """Return about so many of the points, evenly from everywhere, or None if that hardly leaves fewer colours."""


@dataclass(frozen=True)
class PointData:
    """Any points, with weights (N,) or none (0,).

    Attributes
    ----------
    points : Points
        The points.
    weights : ndarray of float64, shape (N,) or (0,)
        Their weights, or nothing where all are 1.
    machine : Machine
        What it runs on.
    max_iter : int
        For how many iterations points may be sorted into cells, where that pays; 0 for the dense algorithm alone.
    """

    points: Points
    weights: NDArray[np.float64]
    machine: Machine
    max_iter: int = 0

    def distinct(self, limit: int) -> NDArray[np.float64] | None:
        """Return the distinct points of positive weight in lexicographic order, or None if there are more."""
        return seeding.distinct_points(self.points, self.weights, limit, self.machine.engine)

    def start(self, name: str, n_clusters: int, draws: Draws) -> NDArray[np.float64]:
        """Find K first centroids."""
        of_points = STARTS[name].of_points
        assert of_points is not None  # noqa: S101 - refused by Options.check_points
        return of_points(self.points, self.weights, n_clusters, draws, self.machine)

    def algorithm(self, n_clusters: int) -> Algorithm:
        """Return the algorithm on cells where it is likely to be faster, and otherwise the dense one; same results."""
        if cell_passes.pays(self.points, n_clusters, self.max_iter):
            grid = grid_of(self.points.chunk(0, self.points.size), self.machine.workers)
            if grid is not None:
                return cell_passes.CellAlgorithm(self.points, self.weights, grid, n_clusters, *self.machine)
        return dense_algorithm(self.points, self.weights, n_clusters, *self.machine)

    def labels(self, algorithm: Algorithm) -> NDArray[Any]:
        """Return the algorithm's labels."""
        return algorithm.labels

    def thinned(self, n_points: int) -> None:
        """Return None: points are in no order in which every so-manieth would do for all."""


@dataclass(frozen=True)
class ColorData:
    """Pixels of 8 or 16 bits by their colours. Draws are made among the pixels in the order of their colours.

    Attributes
    ----------
    histogram : ColorHistogram
        The colours and their counts.
    pixels : Points or None
        The pixels, if labels are wanted for them and not for the colours.
    is_dense : bool
        Whether the algorithm is to look at each pixel nevertheless.
    machine : Machine
        What it runs on.
    places : ndarray of int, shape (N,), or None
        Where in the histogram the colour of each pixel is, if that is known from sorting them; without pixels, the
        point of each colour that labels are wanted for.
    """

    histogram: ColorHistogram
    pixels: Points | None
    is_dense: bool
    machine: Machine
    places: NDArray[Any] | None = None

    def distinct(self, limit: int) -> NDArray[np.float64] | None:
        """Return the colours in lexicographic order, or None if there are more than `limit`."""
        if len(self.histogram) > limit:
            return None
        return np.unique(self.histogram.colors, axis=0).astype(np.float64)

    def start(self, name: str, n_clusters: int, draws: Draws) -> NDArray[np.float64]:
        """Find K first centroids."""
        return STARTS[name].of_colors(self.histogram, n_clusters, draws, self.machine)

    def algorithm(self, n_clusters: int) -> Algorithm:
        """Return the histogram algorithm, or the dense one if that was asked for."""
        if self.is_dense and self.pixels is not None:
            return DenseAlgorithm(self.pixels, NO_WEIGHTS, n_clusters, *self.machine)
        return HistogramAlgorithm(self.histogram, n_clusters, *self.machine)

    def labels(self, algorithm: Algorithm) -> NDArray[Any]:
        """Return labels of the pixels, or of whatever has `places`, and otherwise of the colours."""
        if self.is_dense:
            return algorithm.labels
        if self.places is not None:
            labels: NDArray[Any] = algorithm.labels[self.places]
            return labels
        if self.pixels is None:
            return algorithm.labels
        return label_pixels(self.histogram, self.pixels, algorithm.labels, self.machine)

    def thinned(self, n_points: int) -> ColorData | None:
        """Return about so many of the pixels, or None if that hardly leaves fewer colours."""
        step = step_for(self.histogram.n_pixels, n_points)
        thin = thinned(self.histogram, step, n_points, self.machine)
        is_less = len(thin) * FEWER <= len(self.histogram)
        return ColorData(thin, None, False, self.machine) if is_less else None


@dataclass(frozen=True, kw_only=True)
class WeightedColorData(ColorData):
    """Pixels with whole numbers as weights, by their colours. Draws are made among the colours, by weight.

    Attributes
    ----------
    histogram : ColorHistogram
        The colours that weigh something; their counts are their weights.
    pixels, is_dense, machine
        As in `ColorData`.
    places : ndarray of int, shape (N,)
        Where among all colours the colour of each pixel is.
    weights : ndarray of float64, shape (N,)
        Of the pixels.
    all_colors : ColorHistogram
        All colours; their counts are their weights, of which some may be 0.
    n_points : ndarray of int64
        How many pixels have each of all colours.
    """

    places: NDArray[Any]
    weights: NDArray[np.float64]
    all_colors: ColorHistogram
    n_points: NDArray[np.int64]

    def start(self, name: str, n_clusters: int, draws: Draws) -> NDArray[np.float64]:
        """Find K first centroids; drawn without replacement, one colour is drawn once, however much it weighs."""
        if name != "random":
            return super().start(name, n_clusters, draws)
        colors, counts = self.histogram.colors, self.histogram.counts
        return seeding.random_points(Points(colors), counts.astype(np.float64), n_clusters, draws, self.machine)

    def algorithm(self, n_clusters: int) -> Algorithm:
        """Return the histogram algorithm, or the dense one if that was asked for."""
        if self.is_dense and self.pixels is not None:
            return DenseAlgorithm(self.pixels, self.weights, n_clusters, *self.machine)
        return HistogramAlgorithm(self.all_colors, n_clusters, *self.machine, self.n_points)


def data_of(points: Points, weights: NDArray[np.float64], by_color: bool, options: Options, machine: Machine) -> Data:
    """Choose between points and colours, if colours can stand for the points.

    Even the dense algorithm takes its first centroids from the colours, where they are drawn, so that they are the
    same.
    """
    is_dense = options.algorithm == "dense"
    if not by_color or (is_dense and not isinstance(options.init, str)):
        return PointData(points, weights, machine, 0 if is_dense else options.max_iter)
    if weights.size:
        return _weighted_colors(points, weights, is_dense, machine)
    if _are_sorted(points):
        histogram, places = _sorted(points, machine)
        return ColorData(histogram, points, is_dense, machine, places)
    return ColorData(count(points, machine), points, is_dense, machine)


def _weighted_colors(
    points: Points, weights: NDArray[np.float64], is_dense: bool, machine: Machine
) -> WeightedColorData:
    """Add up the weights of each colour."""
    if _are_sorted(points):
        counted, places = _sorted(points, machine)
    else:
        counted = count(points, machine)
        places = number_pixels(counted, points, machine)
    n_channels, codes = counted.n_channels, counted.codes
    totals = np.zeros(len(codes), np.int64)
    step = max(WEIGHTS_AT_ONCE, len(codes))
    for start in range(0, points.size, step):
        part = slice(start, start + step)
        totals += np.bincount(places[part], weights[part], len(codes)).astype(np.int64)
    all_colors = ColorHistogram(n_channels, codes, totals)
    is_heavy = totals > 0
    heavy = all_colors if is_heavy.all() else ColorHistogram(n_channels, codes[is_heavy], totals[is_heavy])
    return WeightedColorData(
        heavy,
        points,
        is_dense,
        machine,
        places=places,
        weights=weights,
        all_colors=all_colors,
        n_points=counted.counts,
    )


def _are_sorted(points: Points) -> bool:
    """Say whether points are sorted all at once, instead of counted and looked up. Those of 8 bits have tables."""
    return points.dtype != np.uint8 and are_mostly_distinct(points)


def _sorted(points: Points, machine: Machine) -> tuple[ColorHistogram, NDArray[Any]]:
    return sort_points(points.size, points.chunk, (points.n_features, points.dtype), machine)


def has_colors(points: Points, weights: NDArray[np.float64]) -> bool:
    """Say whether a histogram can stand for the points."""
    return (
        points.array.dtype.newbyteorder("=") in COLOR_DTYPES
        and points.n_features <= MAX_CHANNELS
        and (not weights.size or _are_counts(weights, points.dtype))
    )


def _are_counts(weights: NDArray[np.float64], dtype: np.dtype[Any]) -> bool:
    """Say whether weights can be counted as numbers of pixels."""
    return fits(float(weights.sum()), dtype) and are_whole(weights)


def fit(data: Data, options: Options) -> tuple[Algorithm, Run]:
    """Return the best run, and the algorithm with its labels."""
    algorithm, run = first_fit(data, options)
    for effort in range(2, options.effort + 1):
        run = refine(data, algorithm, run, options, effort)
    return _in_order(data, algorithm, run, options.sort)


def _in_order(data: Data, algorithm: Algorithm, run: Run, by: str) -> tuple[Algorithm, Run]:
    """Order the clusters and label again, as ties go to the first.

    That may change sizes, which then are ordered again. It ends, as each time points go from smaller clusters to larger
    ones.
    """
    while True:
        order = order_of(run.centroids, run.measure.counts, by)
        if (order[:-1] < order[1:]).all():
            return algorithm, run
        algorithm, centroids, measure = settle(data, algorithm, run.centroids[order])
        run = replace(run, centroids=centroids, measure=measure)


def first_fit(data: Data, options: Options) -> tuple[Algorithm, Run]:
    """Return the best run of Lloyd's algorithm, whatever the effort above that, and the algorithm with its labels."""
    distinct = data.distinct(options.n_clusters)
    if distinct is None:
        algorithm = data.algorithm(options.n_clusters)
        thin = data.thinned(THIN_PIXELS * options.n_clusters) if options.thin_max_iter else None
        if thin is not None:
            starts, max_iter = _thin_ends(thin, options), options.thin_max_iter
        else:
            starts, max_iter = _starts(data, options), options.max_iter
        run = _best_run(algorithm, starts, replace(options, max_iter=max_iter))
    else:
        centroids = distinct if isinstance(options.init, str) else _in_places_of(options.init, distinct)
        algorithm = data.algorithm(len(centroids))
        run = lloyd.settled(algorithm, centroids)
    if run.measure.totals.all():
        return algorithm, run
    # points so close that the squares of their distances are 0 in float64
    partition = settle(data, algorithm, run.centroids)
    return partition.algorithm, replace(run, centroids=partition.centroids, measure=partition.measure)


def refine(data: Data, algorithm: Algorithm, run: Run, options: Options, effort: int) -> Run:
    """Return a run that is no worse, by the search of one effort from where that of the one below ended."""
    stop = None if options.callback is None else annealing.Stop(options.callback)
    limits = (options.max_iter, options.tol, stop, options.step)
    if effort == EFFORTS[-1] and run.measure.inertia > 0 and len(run.centroids) > 1:
        draws = Draws(options.seed)
        for _ in range(N_STARTS):
            if stop is None or not stop.is_told:
                new = lloyd.lloyd(algorithm, data.start("k-means++", len(run.centroids), draws), *limits)
                run = new if new.measure.inertia < run.measure.inertia else run
        algorithm.assign(run.centroids)
    return annealing.search(
        algorithm,
        run,
        annealing.SCHEDULES[effort],
        lambda centroids: lloyd.lloyd(algorithm, centroids, *limits),
        stop,
        Draws(options.seed),
    )


def _starts(data: Data, options: Options) -> Iterator[NDArray[np.float64]]:
    """Yield the first centroids of one run after the other, all from one stream of draws."""
    draws = Draws(options.seed)
    while True:
        yield data.start(options.init, options.n_clusters, draws) if isinstance(options.init, str) else options.init


def _thin_ends(thin: Data, options: Options) -> Iterator[NDArray[np.float64]]:
    """Yield where one run after the other ends on a part of the pixels."""
    algorithm = thin.algorithm(options.n_clusters)
    for start in _starts(thin, options):
        yield lloyd.lloyd(algorithm, start, THIN_ITERATIONS, options.tol, None, options.step).centroids


def _best_run(algorithm: Algorithm, starts: Iterator[NDArray[np.float64]], options: Options) -> Run:
    """Run `n_init` times and return the run of least inertia, the first of equals, with its labels in place."""
    stop = (options.max_iter, options.tol, options.callback, options.step)
    best = last = lloyd.lloyd(algorithm, next(starts), *stop)
    for _ in range(options.n_init - 1):
        last = lloyd.lloyd(algorithm, next(starts), *stop)
        if last.measure.inertia < best.measure.inertia:
            best = last
    if best is not last:
        algorithm.assign(best.centroids)
    return best


def _in_places_of(init: NDArray[np.float64], distinct: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distinct points in the order of the rows of `init` that they are nearest to.

    A row is for one point, the nearest of those that it is the nearest row to, and the others look for a row among
    those that are left. So what stays alike from one picture to the next keeps its label.
    """
    rows = np.zeros(len(distinct), np.intp)
    points, free = np.arange(len(distinct)), np.arange(len(init))
    while points.size:
        nearest = np.array([_squared_distances(init[free], point).argmin() for point in distinct[points]])
        distances = [_squared_distances(init[row], distinct[i]) for row, i in zip(free[nearest], points, strict=True)]
        order = np.lexsort((distances, nearest))
        taken, firsts = np.unique(nearest[order], return_index=True)
        rows[points[order[firsts]]] = free[taken]
        points, free = np.delete(points, order[firsts]), np.delete(free, taken)
    return distinct[np.argsort(rows)]


def _squared_distances(centroids: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    distances: NDArray[np.float64] = ((centroids - point) ** 2).sum(axis=-1)
    return distances


class Partition(NamedTuple):
    """Points divided among centroids, all of them distinct and used; the labels are the algorithm's."""

    algorithm: Algorithm
    centroids: NDArray[np.float64]
    measure: Measure


def settle(data: Data, algorithm: Algorithm, centroids: NDArray[np.float64]) -> Partition:
    """Assign points to centroids; as long as one is left without points, move it to the point farthest from its own.

    Where there are fewer distinct points than centroids, those that are not needed are left out.
    """
    centroids, measure = lloyd.partition(algorithm, centroids)
    used = measure.totals > 0
    if not used.all():
        centroids = centroids[used]
        algorithm = data.algorithm(len(centroids))
        centroids, measure = lloyd.partition(algorithm, centroids)
    return Partition(algorithm, centroids, measure)
