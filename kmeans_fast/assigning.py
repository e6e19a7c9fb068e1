"""`assign`: labels for points, given centroids."""

from typing import Any

from numpy.typing import ArrayLike, NDArray

from kmeans_fast import arrays, validation
from kmeans_fast.lending import machine_for, work_of
from kmeans_fast.machine.chunks import count_pieces
from kmeans_fast.points.dense import NO_WEIGHTS
from kmeans_fast.points.many_features import dense_algorithm


def assign(
    points: ArrayLike,
    centroids: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    channel_axis: int | None = -1,
    engine: str = "auto",
    n_threads: int | None = None,
) -> NDArray[Any]:
    """Label each point with the index of its nearest centroid, ties to the lowest index.

    Parameters
    ----------
    points : array_like, shape (..., D)
        Real numbers with the features on the last axis.
    centroids : array_like, shape (K, D)
        Such as those of a `KMeansResult`.
    mask : array_like of bool, optional
        True for each point that is to be labelled; as for `kmeans`.
    channel_axis : int or None
        Where the features are; as for `kmeans`.
    engine : {"auto", "numba", "numpy"}
        Which implementation; the bytes are the same.
    n_threads : int, optional
        The most threads to use; 1 starts none. By default as many as the process may use, or
        ``KMEANS_FAST_NUM_THREADS``.

    Returns
    -------
    ndarray, the shape of the points without their axis of features
        Of the smallest unsigned dtype that holds K−1; a masked array if the points had a mask.

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
    selection = arrays.select("points", points, mask, channel_axis)
    source = selection.points
    checked = arrays.centroids("centroids", centroids, source.n_features)
    work = work_of(source.size, *checked.shape)
    n_pieces = count_pieces(source.size, source.n_features, len(checked))
    with machine_for(engine, validation.thread_count(n_threads), source.size, work, n_pieces) as machine:
        source.check_values(machine.workers.for_each, machine.engine.sums.find_extremes)
        dense = dense_algorithm(source, NO_WEIGHTS, len(checked), *machine)
        dense.assign(checked)
    return selection.labels(dense.labels)
