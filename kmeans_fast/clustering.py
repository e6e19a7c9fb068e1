"""`kmeans`: what it promises, and one call."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_fast import arrays, session
from kmeans_fast.arrays import Selection
from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.engines import Engine
from kmeans_fast.engines.codes import MAX_CHANNELS
from kmeans_fast.lending import machine_for
from kmeans_fast.lloyd import LLOYD, Callback
from kmeans_fast.machine.chunks import count_pieces
from kmeans_fast.options import COLORS_NEEDED, DEFAULT_EFFORT, Options, checked_options
from kmeans_fast.points.access import Points
from kmeans_fast.points.dense import NO_WEIGHTS
from kmeans_fast.points.fractions import integers_of
from kmeans_fast.results import KMeansResult


def kmeans(
    points: ArrayLike | ColorHistogram,
    n_clusters: int | None = None,
    *,
    init: str | ArrayLike = "k-means++",
    n_init: int = 1,
    max_iter: int = 300,
    tol: float = 0.0,
    sample_weight: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    channel_axis: int | None = -1,
    seed: int = 0,
    algorithm: str = "auto",
    engine: str = "auto",
    n_threads: int | None = None,
    callback: Callback | None = None,
    relaxation: float = LLOYD.relaxation,
    momentum: float = LLOYD.momentum,
    effort: int = DEFAULT_EFFORT,
    sort: str = "none",
) -> KMeansResult:
    """Divide points into K clusters with Lloyd's algorithm: exactly, and with the same bytes every time.

    For integer points centroids and labels are bit for bit those of the textbook loop in float64, for any engine and
    any number of threads, as long as no sum of a cluster's values leaves the integers that a float64 holds, which end
    at 2⁵³. For float points the points are summed in chunks, the same ones for any engine and number of threads.

    Parameters
    ----------
    points : array_like, shape (..., D), or ColorHistogram
        Real numbers with the features on the last axis, such as an image (H, W, 3) of any dtype; read in place. In a
        masked array, points of which a feature is masked are left out. A `ColorHistogram` stands for all its pixels;
        labels then belong to its colours.
    n_clusters : int, optional
        K, from 1 to the number of points. By default as many as rows of `init`, or 8.
    init : {"k-means++", "random", "variance", "cubes"} or array_like, shape (K, D)
        The first centroids:

        - ``"k-means++"``: greedy k-means++ [2]_.
        - ``"random"``: K points drawn without replacement.
        - ``"variance"``, for points of 8 or 16 bits: the means of K boxes that their colours are split into where it
          lowers the error most [5]_.
        - ``"cubes"``, for the same: the best that such a split and eight times k-means++ lead to when not colours but
          cubes of colours are clustered.
        - an array: these. Where there are no more distinct points than clusters, rows keep their order.

        Draws are by weight.
    n_init : int
        Number of runs from different first centroids; the one with the least inertia is kept. Must be 1 if `init` is
        ``"variance"`` or an array.
    max_iter : int
        The most iterations of a run, at least 1.
    tol : float
        Stop when no centroid's squared move is above this, in squared units of the points; 0 stops at the fixed point.
        An epsilon on the distance is its square here.
    sample_weight : array_like, shape (N,) or ``points.shape[:-1]``, optional
        How much each point counts, not negative, 1e20 at most in all. A point of weight 0 gets a label but pulls no
        centroid; if it is NaN or infinite, it gets the label 0 and is not counted. Equal weights change nothing but
        the inertia. Whole numbers, of any dtype, of up to 2⁴⁵ in all for points of 8 bits and 2³⁷ for those of 16, are
        as if each point came so many times: such points are clustered by colour as those without weights are.
    mask : array_like of bool, shape (N,) or ``points.shape[:-1]``, optional
        True for each point that is to be clustered, as in scikit-image; a mask of NumPy's masked arrays is the reverse.
        Points that are left out may be NaN. The result is that of the other points alone, of which a copy is made.
    channel_axis : int or None
        Where the features are: −1 for (H, W, 3) or (N, D), 0 for a raster of bands (D, H, W), None for points of one
        feature without an axis for it, such as a grey image (H, W).
    seed : int
        Not negative. The same seed gives the same draws on every machine.
    algorithm : {"auto", "dense", "histogram"}
        ``"dense"`` looks at every point in every iteration. ``"histogram"`` looks at the distinct colours of points of
        8 or 16 bits (uint8, uint16) with 1 to 4 features and weights that are whole numbers if any, whole cells of them
        at once (the filtering algorithm [3]_), and only at those whose label can have changed. Centroids, labels and
        counts are the same. ``"auto"`` takes the histogram where it can. Many float32 or float64 points with 2 to 4
        features it sorts into cells, in 20 bytes a point, if K² times `max_iter` is 100,000 or more; the result
        has the bytes of the dense algorithm's, which keeps points rounded to 16 bits a number, where that is quicker.
        See the notes for floats and ``"histogram"``.
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
    effort : {0, 1, 2, 3}
        How much is done for a low inertia:

        - 0: two iterations at most of each run, for a first look.
        - 1: Lloyd's algorithm, as the other options say.
        - 2: from the best run on, 150 iterations with a momentum that falls slowly from 0.999, which carries centroids
          through shallow minima. A last run begins with what was found, and makes `n_iter`, `converged` and `shifts`.
          Where nothing better is found, the result is that of 1.
        - 3: besides, twenty runs from ``"k-means++"``, whatever `init` is, and from the best of all 1,000 such
          iterations.

        The inertia is never above that of a lower effort. `relaxation`, `momentum`, `tol` and `max_iter` are those of
        the first and last runs, but for the two iterations of 0. `callback` sees the search's iterations too, numbered
        from 1 each time; a true answer to one of them ends the search.
    sort : {"none", "size", "value"}
        Order of the clusters: as they come; those with the most points first; or by the sum of a centroid's features,
        the least first, as from dark to light. Points as near to two centroids go to the one that is now the first.

    Returns
    -------
    KMeansResult
        If there are no more distinct points than clusters, exactly those points, with inertia 0: in lexicographic
        order, or if `init` is an array each in the place of a row that it is near to. Otherwise K distinct centroids:
        one that loses all its points moves to the point farthest from its own centroid.

    Raises
    ------
    ValueError
        If an argument is outside what is allowed, or points or weights are empty, infinite or NaN.
    TypeError
        If points or an argument are of a wrong type, or `init` or `sample_weight` is a masked array.
    ImportError
        If ``engine="numba"`` and Numba isn't installed.

    Notes
    -----
    Points whose squared distance is below what float64 can hold, that is points closer than 1e-162, count as one.

    Pictures as floats from 0 to 1 mostly are integers that were divided by 255 or 65535. Asked for
    ``algorithm="histogram"``, `kmeans` recognises those, in float32 or float64, if all of them are, and clusters the
    integers: labels and counts are the integers', centroids theirs divided by 255 or 65535; `tol`, shifts and inertia
    are in the units of the floats. That is as exact as with integers, and as fast but for the conversion. As the
    floats are rounded, it isn't bit for bit the result of the other algorithms, which look at them as they are: a point
    as near to two centroids may have the other label. So it has to be asked for.

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
    options = checked_options(
        n_clusters,
        init=init,
        n_init=n_init,
        max_iter=max_iter,
        tol=tol,
        relaxation=relaxation,
        momentum=momentum,
        effort=effort,
        seed=seed,
        algorithm=algorithm,
        callback=callback,
        engine=engine,
        n_threads=n_threads,
        sort=sort,
    )
    if isinstance(points, ColorHistogram):
        _refuse_for_histogram(options, sample_weight=sample_weight, mask=mask, channel_axis=channel_axis)
        return _kmeans_of_colors(points, options)
    selection = arrays.select("points", points, mask, channel_axis)
    return _kmeans_of_points(*arrays.with_weights(selection, sample_weight), options)


def _kmeans_of_colors(histogram: ColorHistogram, options: Options) -> KMeansResult:
    options.check_points(histogram.n_pixels, histogram.n_channels, has_colors=True)
    n_colors = len(histogram)
    with machine_for(options.engine, options.n_threads, n_colors, options.work(n_colors)) as machine:
        data = session.ColorData(histogram, None, False, machine)
        return _result(data, options, machine.engine, Selection(Points(histogram.colors), (n_colors,)))


def _kmeans_of_points(selection: Selection, weights: NDArray[np.float64], options: Options) -> KMeansResult:
    points, unit = _counted(selection.points, options)
    scale = 1.0
    if weights.size and weights.min() == weights.max():
        scale, weights = float(weights[0]), NO_WEIGHTS
    has_colors = session.has_colors(points, weights)
    options.check_points(points.size, points.n_features, has_colors)
    if options.algorithm == "histogram" and not has_colors:
        weighted = " and sample_weight that isn't whole numbers, or too large" if weights.size else ""
        raise ValueError(
            f"algorithm='histogram' needs {COLORS_NEEDED}, or floats that all are such integers divided by 255 or "
            f"65535, got {points.array.dtype} with {points.n_features} features{weighted}"
        )
    options = replace(
        options.in_steps(unit), init=options.init if isinstance(options.init, str) else options.init * unit
    )
    work = options.work(points.size, points.n_features)
    n_pieces = count_pieces(points.size, points.n_features, options.n_clusters)
    with machine_for(options.engine, options.n_threads, points.size, work, n_pieces) as machine:
        points.check_values(machine.workers.for_each, machine.engine.sums.find_extremes)
        data = session.data_of(points, weights, has_colors, options, machine)
        return _result(data, options, machine.engine, selection, scale, unit)


def _counted(points: Points, options: Options) -> tuple[Points, int]:
    """Return points whose colours can be counted where that was asked for, and how many of their steps 1 was.

    Only then are floats taken for the integers that they are fractions of: what they are rounded to is a hair away, and
    centroids and labels that are as near as can be to those of the floats aren't bit for bit theirs.
    """
    is_float = points.array.dtype.kind == "f" and points.n_features <= MAX_CHANNELS
    if options.algorithm != "histogram" or not is_float:
        return points, 1
    with machine_for(options.engine, options.n_threads, points.size, points.size) as machine:
        integers = integers_of(points, machine)
    if integers is None:
        points.check_values()
    return (points, 1) if integers is None else (Points(integers), int(np.iinfo(integers.dtype).max))


def _result(
    data: session.Data, options: Options, engine: Engine, selection: Selection, scale: float = 1.0, unit: int = 1
) -> KMeansResult:
    algorithm, run = session.fit(data, options)
    return KMeansResult(
        centroids=run.centroids / unit,
        labels=selection.labels(data.labels(algorithm)),
        counts=run.measure.counts,
        inertia=run.measure.inertia * scale / unit**2,
        n_iter=run.n_iter,
        converged=run.converged,
        shifts=run.shifts / unit**2,
        algorithm=algorithm.name,
        engine=engine.served_by,
        dtype=selection.points.array.dtype,
    )


def _refuse_for_histogram(options: Options, *, sample_weight: object, mask: object, channel_axis: int | None) -> None:
    """Raise a ValueError for what can't be asked of a histogram."""
    if sample_weight is not None:
        raise ValueError("sample_weight must be None for a ColorHistogram, whose counts are the weights")
    if mask is not None or channel_axis != -1:
        raise ValueError("mask and channel_axis are for arrays; ColorHistogram.from_image takes them too")
    if options.algorithm == "dense":
        raise ValueError("algorithm must be 'auto' or 'histogram' for a ColorHistogram, got 'dense'")
