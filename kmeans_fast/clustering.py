"""`kmeans` and `assign`: check the options, choose the algorithm and the engine, run, and wrap up the result."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_fast import engines, inputs, lloyd, validation
from kmeans_fast.dense import DenseAlgorithm
from kmeans_fast.draws import Draws
from kmeans_fast.engines import Engine
from kmeans_fast.histogram import ColorHistogram
from kmeans_fast.inputs import Input
from kmeans_fast.lloyd import LLOYD, Algorithm, Callback, Step
from kmeans_fast.points import Points
from kmeans_fast.threads import lent_workers

ALGORITHMS = ("auto", "dense", "histogram")
INITS = ("k-means++", "random", "variance", "cubes")


@dataclass(frozen=True)
class Partition:
    """Points divided among centroids.

    Attributes
    ----------
    centroids : ndarray of float64, shape (K, D)
        All distinct, each with at least one point.
    labels : ndarray, shape ``points.shape[:-1]``
        The index of each point's nearest centroid, ties to the lowest; of the smallest unsigned dtype that holds K−1.
    counts : ndarray of int64, shape (K,)
        The number of points of each centroid.
    inertia : float
        Sum of (weight times) squared distance to the centroid over all points, in squared units of the points.
    """

    centroids: NDArray[np.float64]
    labels: NDArray[Any]
    counts: NDArray[np.int64]
    inertia: float


@dataclass(frozen=True)
class KMeansResult(Partition):
    """What `kmeans` found. The labels always are the assignment to the centroids.

    Attributes
    ----------
    centroids : ndarray of float64, shape (K, D)
        All distinct, each with at least one point.
    labels : ndarray, shape ``points.shape[:-1]``
        The index of each point's nearest centroid, ties to the lowest; of the smallest unsigned dtype that holds K−1.
    counts : ndarray of int64, shape (K,)
        The number of points of each centroid.
    inertia : float
        Sum of (weight times) squared distance to the centroid over all points, in squared units of the points.
    n_iter : int
        Iterations made; 0 if there were no more distinct points than clusters.
    converged : bool
        Whether the last shift was at most `tol`.
    shifts : ndarray of float64, shape (n_iter,)
        The largest squared move of a centroid in each iteration.
    algorithm : str
        The algorithm that ran.
    engine : str
        The engine that ran it.
    """

    n_iter: int
    converged: bool
    shifts: NDArray[np.float64]
    algorithm: str
    engine: str


def kmeans(
    points: ArrayLike | ColorHistogram,
    n_clusters: int = 8,
    *,
    init: str | ArrayLike = "k-means++",
    n_init: int = 1,
    max_iter: int = 300,
    tol: float = 0.0,
    sample_weight: ArrayLike | None = None,
    seed: int = 0,
    algorithm: str = "auto",
    engine: str = "auto",
    n_threads: int | None = None,
    callback: Callback | None = None,
    relaxation: float = LLOYD.relaxation,
    momentum: float = LLOYD.momentum,
) -> KMeansResult:
    """Divide points into K clusters with Lloyd's algorithm: exactly, and with the same bytes every time.

    For integer points the result is bit for bit that of the textbook loop in float64, for any engine and any number of
    threads. For float points the points are summed in chunks, the same ones for any engine and number of threads.

    Parameters
    ----------
    points : array_like, shape (..., D), or ColorHistogram
        Real numbers with the features on the last axis, such as an image (H, W, 3) of any dtype; read in place. A
        `ColorHistogram` stands for all its pixels; labels then belong to its colours.
    n_clusters : int
        K, from 1 to the number of points.
    init : {"k-means++", "random", "variance", "cubes"} or array_like, shape (K, D)
        The first centroids: greedy k-means++ [2]_; K points drawn without replacement; these; or, for 8-bit points,
        the means of K boxes that their colours are split into where it lowers the error most [5]_; or the best that
        such a split and eight times k-means++ lead to when not colours but cubes of colours are clustered.
    n_init : int
        Number of runs from different first centroids; the one with the least inertia is kept. Must be 1 if `init` is
        ``"variance"`` or an array.
    max_iter : int
        The most iterations of a run, at least 1.
    tol : float
        Stop when no centroid's squared move is above this, in squared units of the points; 0 stops at the fixed point.
        An epsilon on the distance is its square here.
    sample_weight : array_like, shape (N,) or ``points.shape[:-1]``, optional
        How much each point counts, not negative. A point of weight 0 gets a label but pulls no centroid.
    seed : int
        Not negative. The same seed gives the same draws on every machine.
    algorithm : {"auto", "dense", "histogram"}
        ``"dense"`` looks at every point in every iteration. ``"histogram"`` looks at the distinct colours of 8-bit
        points with 1 to 4 features, whole cells of them at once (the filtering algorithm [3]_), and only at those
        whose label can have changed. The results are the same. ``"auto"`` takes the histogram where it can.
    engine : {"auto", "numba", "numpy"}
        Which implementation; the bytes are the same. ``"auto"`` takes Numba where it is installed, but NumPy for a
        little work in a process that has not imported Numba yet.
    n_threads : int, optional
        The most threads to use; 1 starts none. By default as many as the process may use, or
        ``KMEANS_FAST_NUM_THREADS``.
    callback : callable, optional
        Called as ``callback(iteration, centroids, new_centroids, shift)`` after each iteration, the first being 1. If
        it returns anything true the run ends there. See `kmeans_fast.print_progress`.
    relaxation : float
        How far beyond the average of its members a centroid is moved [4]_, from 1, which is Lloyd's algorithm, to below
        2. About 1.9 reaches the same inertia in about half as many iterations; the last one always is Lloyd's.
    momentum : float
        Which part of its last step a centroid's next one gets added [6]_, from 0, which is Lloyd's algorithm, to below
        1. About 0.6 halves the iterations again. As both go on swinging around the fixed point, they want a `tol`
        above 0.

    Returns
    -------
    KMeansResult
        If there are no more distinct points than clusters, exactly those points in lexicographic order, with inertia 0.
        Otherwise K distinct centroids: one that loses all its points moves to the point farthest from its own centroid.

    Raises
    ------
    ValueError
        If an argument is outside what is allowed, or points or weights are empty, infinite or NaN.
    TypeError
        If points or an argument are of a wrong type.
    ImportError
        If ``engine="numba"`` and Numba isn't installed.

    References
    ----------
    .. [1] S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 28(2), 1982.
    .. [2] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
    .. [3] T. Kanungo et al., "An efficient k-means clustering algorithm: analysis and implementation", IEEE
       Transactions on Pattern Analysis and Machine Intelligence 24(7), 2002.
    .. [4] D. Lee, S. Baek and K. Sung, "Modified k-means algorithm for vector quantizer design", IEEE Signal Processing
       Letters 4(1), 1997.
    .. [5] X. Wu, "Efficient statistical computations for optimal color quantization", Graphics Gems II, 1991.
    .. [6] B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Computational
       Mathematics and Mathematical Physics 4(5), 1964.

    Examples
    --------
    >>> import numpy as np
    >>> import kmeans_fast as kf
    >>> image = np.array([[[250, 0, 0], [255, 3, 1]], [[0, 0, 90], [1, 0, 94]]], dtype=np.uint8)
    >>> result = kf.kmeans(image, 2)
    >>> result.centroids
    array([[252.5,   1.5,   0.5],
           [  0.5,   0. ,  92. ]])
    >>> result.labels
    array([[0, 0],
           [1, 1]], dtype=uint8)
    >>> result.inertia
    26.0
    """
    plan = _check(
        points,
        n_clusters,
        init=init,
        n_init=n_init,
        max_iter=max_iter,
        tol=tol,
        sample_weight=sample_weight,
        seed=seed,
        algorithm=algorithm,
        engine=engine,
        n_threads=n_threads,
        callback=callback,
        relaxation=relaxation,
        momentum=momentum,
    )
    with plan.data() as data:
        passes, run = plan.run(data)
        labels = data.labels(passes)
    return KMeansResult(
        centroids=run.centroids,
        labels=labels,
        counts=run.measure.counts,
        inertia=run.measure.inertia,
        n_iter=run.n_iter,
        converged=run.converged,
        shifts=run.shifts,
        algorithm=passes.name,
        engine=plan.engine.name,
    )


def assign(
    points: ArrayLike, centroids: ArrayLike, *, engine: str = "auto", n_threads: int | None = None
) -> NDArray[Any]:
    """Label each point with the index of its nearest centroid, ties to the lowest index.

    Parameters
    ----------
    points : array_like, shape (..., D)
        Real numbers with the features on the last axis.
    centroids : array_like, shape (K, D)
        Such as those of a `KMeansResult`.
    engine : {"auto", "numba", "numpy"}
        Which implementation; the bytes are the same.
    n_threads : int, optional
        The most threads to use; 1 starts none. By default as many as the process may use, or
        ``KMEANS_FAST_NUM_THREADS``.

    Returns
    -------
    ndarray, shape ``points.shape[:-1]``
        Of the smallest unsigned dtype that holds K−1.

    Raises
    ------
    ValueError
        If an array is empty, infinite or NaN, or the centroids haven't as many features as the points.
    TypeError
        If an argument is of a wrong type.
    ImportError
        If ``engine="numba"`` and Numba isn't installed.

    Examples
    --------
    >>> import kmeans_fast as kf
    >>> kf.assign([[0, 0], [9, 9], [5, 5]], [[0, 0], [10, 10]])
    array([0, 1, 0], dtype=uint8)
    """
    source = Points(points)
    checked = validation.centroids("centroids", centroids, source.n_features)
    chosen = engines.load(engines.choose(engine, source.size * len(checked)))
    source.check_values()
    with lent_workers(n_threads, source.size) as lent:
        dense = DenseAlgorithm(source, inputs.NO_WEIGHTS, len(checked), chosen, lent)
        dense.assign(checked)
    return dense.labels.reshape(source.shape)


def partition(
    points: ArrayLike | ColorHistogram, centroids: ArrayLike, *, engine: str = "auto", n_threads: int | None = None
) -> Partition:
    """Do as `assign`, but as long as a centroid is left without points, move it to the point farthest from its own.

    For centroids that were rounded, or made elsewhere: all that come back are used and distinct, unless there are fewer
    distinct points than centroids; those that are not needed are then left out. Parameters and errors as in `assign`;
    a `ColorHistogram` is accepted too, and its colours are labelled.
    """
    given = points if isinstance(points, ColorHistogram) else None
    source = Points(points.colors if isinstance(points, ColorHistogram) else points)
    checked = validation.centroids("centroids", centroids, source.n_features)
    chosen = engines.load(engines.choose(engine, source.size * len(checked)))
    source.check_values()
    with lent_workers(n_threads, source.size) as lent:
        data = inputs.choose(source, given, inputs.NO_WEIGHTS, "auto", False, chosen, lent)
        return _partition(data, data.algorithm(len(checked)), checked)


def kmeans_and_partition(
    points: ColorHistogram,
    n_clusters: int,
    change: Callable[[NDArray[np.float64]], NDArray[Any]],
    **options: Any,
) -> tuple[lloyd.Run, Partition]:
    """Do as `kmeans`, then as `partition` to what `change` makes of each of the centroids.

    What has been found out about the colours serves both.
    """
    plan = _check(points, n_clusters, **options)
    with plan.data() as data:
        passes, run = plan.run(data)
        return run, _partition(data, passes, change(run.centroids).astype(np.float64))


def _partition(data: Input, passes: Algorithm, centroids: NDArray[np.float64]) -> Partition:
    final, measure = lloyd.partition(passes, centroids)
    used = measure.counts > 0
    if not used.all():
        final = final[used]
        passes = data.algorithm(len(final))
        final, measure = lloyd.partition(passes, final)
    return Partition(final, data.labels(passes), measure.counts, measure.inertia)


@dataclass(frozen=True)
class _Plan:
    """What `kmeans` was asked for, checked."""

    source: Points
    given: ColorHistogram | None
    weights: NDArray[np.float64]
    n_clusters: int
    init: str | NDArray[np.float64]
    n_init: int
    max_iter: int
    tol: float
    draws: Draws
    algorithm: str
    engine: Engine
    n_threads: int | None
    callback: Callback | None
    step: Step

    @contextmanager
    def data(self) -> Iterator[Input]:
        """Lend the input, with the workers that it needs."""
        with lent_workers(self.n_threads, self.source.size) as lent:
            is_drawn = isinstance(self.init, str)
            yield inputs.choose(self.source, self.given, self.weights, self.algorithm, is_drawn, self.engine, lent)

    def run(self, data: Input) -> tuple[Algorithm, lloyd.Run]:
        """Return the best run, and the algorithm with its labels."""
        distinct = data.distinct(self.n_clusters)
        if distinct is not None:
            passes = data.algorithm(len(distinct))
            return passes, lloyd.settled(passes, distinct)
        passes = data.algorithm(self.n_clusters)
        starts = _starts(self.init, data, self.n_clusters, self.draws)
        stop = (self.max_iter, self.tol, self.callback, self.step)
        return passes, _best_run(passes, starts, self.n_init, *stop)


def _check(
    points: ArrayLike | ColorHistogram,
    n_clusters: int,
    *,
    init: str | ArrayLike,
    n_init: int,
    max_iter: int,
    tol: float,
    seed: int,
    engine: str,
    n_threads: int | None,
    callback: Callback | None,
    relaxation: float,
    momentum: float,
    sample_weight: ArrayLike | None = None,
    algorithm: str = "auto",
) -> _Plan:
    """Check what `kmeans` was given."""
    given = points if isinstance(points, ColorHistogram) else None
    source = Points(points.colors if isinstance(points, ColorHistogram) else points)
    n_clusters = validation.cluster_count(n_clusters, given.n_pixels if given is not None else source.size)
    n_init = validation.integer("n_init", n_init, 1)
    max_iter = validation.integer("max_iter", max_iter, 1)
    tol = validation.number("tol", tol)
    step = _check_step(relaxation, momentum)
    draws = Draws(validation.integer("seed", seed, 0))
    weights = validation.weights(sample_weight, source.shape)
    checked_init = _check_init(init, n_init, n_clusters, source.n_features)
    validation.choice("algorithm", algorithm, ALGORITHMS)
    _check_algorithm(algorithm, source, weights, given)
    validation.function("callback", callback)
    chosen = engines.load(engines.choose(engine, source.size * n_clusters * n_init))
    source.check_values()
    return _Plan(
        source=source,
        given=given,
        weights=weights,
        n_clusters=n_clusters,
        init=checked_init,
        n_init=n_init,
        max_iter=max_iter,
        tol=tol,
        draws=draws,
        algorithm=algorithm,
        engine=chosen,
        n_threads=n_threads,
        callback=callback,
        step=step,
    )


def _check_algorithm(
    algorithm: str, points: Points, weights: NDArray[np.float64], given: ColorHistogram | None
) -> None:
    if given is not None and weights.size:
        raise ValueError("sample_weight must be None for a ColorHistogram, whose counts are the weights")
    if given is not None and algorithm == "dense":
        raise ValueError("algorithm must be 'auto' or 'histogram' for a ColorHistogram, got 'dense'")
    if algorithm == "histogram" and not inputs.has_colors(points, weights):
        raise ValueError(
            "algorithm='histogram' needs 8-bit points with 1 to 4 features and no sample_weight, got "
            f"{points.array.dtype} with {points.n_features} features{' and sample_weight' if weights.size else ''}"
        )


def _check_init(init: str | ArrayLike, n_init: int, n_clusters: int, n_features: int) -> str | NDArray[np.float64]:
    if isinstance(init, str):
        validation.choice("init", init, INITS)
    is_fixed = not isinstance(init, str) or init == "variance"
    if is_fixed and n_init != 1:
        given = "init='variance'" if isinstance(init, str) else "an array as init"
        raise ValueError(f"n_init must be 1 with {given}, as every run would be the same, got {n_init}")
    if isinstance(init, str):
        return init
    return validation.centroids("init", init, n_features, n_clusters)


def _check_step(relaxation: float, momentum: float) -> Step:
    step = Step(validation.number("relaxation", relaxation), validation.number("momentum", momentum))
    if not 1 <= step.relaxation < 2:
        raise ValueError(f"relaxation must be at least 1 and below 2, got {relaxation}")
    if not 0 <= step.momentum < 1:
        raise ValueError(f"momentum must be at least 0 and below 1, got {momentum}")
    return step


def _starts(
    init: str | NDArray[np.float64], data: Input, n_clusters: int, draws: Draws
) -> Iterator[NDArray[np.float64]]:
    """Yield the first centroids of one run after the other, all from one stream of draws."""
    while True:
        if not isinstance(init, str):
            yield init
        elif init == "random":
            yield data.random(n_clusters, draws)
        elif init == "variance":
            yield data.split(n_clusters)
        elif init == "cubes":
            yield data.best_on_cubes(n_clusters, draws)
        else:
            yield data.k_means_plus_plus(n_clusters, draws)


def _best_run(
    passes: Algorithm,
    starts: Iterator[NDArray[np.float64]],
    n_init: int,
    max_iter: int,
    tol: float,
    callback: Callback | None,
    step: Step,
) -> lloyd.Run:
    """Run `n_init` times and return the run of least inertia, the first of equals, with its labels in place."""
    best = last = lloyd.lloyd(passes, next(starts), max_iter, tol, callback, step)
    for _ in range(n_init - 1):
        last = lloyd.lloyd(passes, next(starts), max_iter, tol, callback, step)
        if last.measure.inertia < best.measure.inertia:
            best = last
    if best is not last:
        passes.assign(best.centroids)
    return best
