"""Clustering Dask's arrays [1]_: pictures larger than memory, on one machine or several.

8-bit pixels of up to 4 channels are read once: each chunk's colours are counted, the counts merged as a tree and
clustered where that is small, and labels are mapped back lazily. Other points are read once an iteration.

References
----------
.. [1] M. Rocklin, "Dask: parallel computation with blocked algorithms and task scheduling", SciPy 2015.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Unpack, cast

import dask.array as da
import numpy as np
from dask.base import compute, persist
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

from kmeans_fast import assigning, clustering, session
from kmeans_fast.arrays import with_channels_last
from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.engines.codes import MAX_CHANNELS
from kmeans_fast.options import Asked, checked_options
from kmeans_fast.points.blocks import BlockData, Blocks
from kmeans_fast.results import KMeansResult

# Histograms that are merged by one task.
MERGED_AT_ONCE = 8


def histogram(image: da.Array, *, mask: da.Array | None = None, channel_axis: int | None = -1) -> ColorHistogram:
    """Count the colours of a picture, chunk by chunk.

    Parameters
    ----------
    image : dask.array.Array of uint8, shape (..., C)
        1 to 4 channels.
    mask : dask.array.Array of bool, shape ``image.shape[:-1]``, optional
        True for each pixel that is to be counted.
    channel_axis : int or None
        Where the channels are; None for a grey picture.

    Returns
    -------
    ColorHistogram
        That of the whole picture, equal to ``ColorHistogram.from_image`` of it.

    Raises
    ------
    TypeError, ValueError
        If `image` is no array of Dask's, or whatever `ColorHistogram.from_image` says of its chunks.

    Examples
    --------
    >>> import dask.array as da
    >>> import kmeans_fast as kf
    >>> import kmeans_fast.dask
    >>> image = kf.read_image(kf.sample_path())
    >>> kf.dask.histogram(da.from_array(image, chunks=(100, 100, 3))) == kf.ColorHistogram.from_image(image)
    True
    """
    array, chosen = _checked(image, mask, channel_axis)
    if array.dtype != np.uint8 or not 1 <= array.shape[-1] <= MAX_CHANNELS:
        raise TypeError(
            f"a histogram is of 8-bit colours of 1 to {MAX_CHANNELS} channels, got {array.dtype} and "
            f"{array.shape[-1]} channels; kmeans_fast.dask.kmeans takes any real numbers"
        )
    counted: list[Delayed] = [delayed(_count)(*block) for block in _blocks(array, chosen)]
    while len(counted) > 1:
        groups = [counted[i : i + MERGED_AT_ONCE] for i in range(0, len(counted), MERGED_AT_ONCE)]
        counted = [delayed(_merge)(group) for group in groups]
    found: ColorHistogram | None = counted[0].compute()
    if found is None:
        raise ValueError("image must not be empty, but the mask leaves out all of it")
    return found


def kmeans(
    points: da.Array,
    n_clusters: int | None = None,
    *,
    mask: da.Array | None = None,
    channel_axis: int | None = -1,
    **options: Unpack[Asked],
) -> KMeansResult:
    """Cluster points, as `kmeans_fast.kmeans` does.

    Parameters
    ----------
    points : dask.array.Array, shape (..., D)
        Real numbers. All features of a point should be in one chunk, or they are brought together.
    n_clusters : int, optional
        K; 8 by default.
    mask : dask.array.Array of bool, shape ``points.shape[:-1]``, optional
        True for each point that is to be clustered.
    channel_axis : int or None
        Where the features are.
    init, n_init, max_iter, tol, relaxation, momentum, effort, seed, callback, engine
        As for `kmeans_fast.kmeans`.
    n_threads : int, optional
        For 8-bit pixels, the threads that cluster the counted colours. Tasks use one each.

    Returns
    -------
    KMeansResult
        Whose labels are an array of Dask's, made when it is computed. ``engine`` is what was asked for: each worker
        has what is at hand there.

    Raises
    ------
    TypeError, ValueError
        If `points` is no array of Dask's, and whatever `kmeans_fast.kmeans` says.

    Notes
    -----
    For 8-bit pixels of up to 4 channels the result is that of ``kmeans_fast.kmeans(points.compute(), ...)``, to the
    byte. For others partial sums are added in the order of the chunks: the bytes don't depend on the workers, and from
    given first centroids those of integers are `kmeans_fast.kmeans`'s too. ``"k-means++"`` keeps 8 bytes a point on
    the workers while it draws.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> import kmeans_fast.dask
    >>> points = da.from_array(np.array([[0.0], [1.0], [8.0], [9.0]]), chunks=(2, 1))
    >>> result = kmeans_fast.dask.kmeans(points, 2, init=[[0.0], [9.0]])
    >>> result.centroids.ravel().tolist(), result.labels.compute().tolist()
    ([0.5, 8.5], [0, 0, 1, 1])
    """
    asked = checked_options(n_clusters, **options)
    array, chosen = _checked(points, mask, channel_axis)
    if array.dtype == np.uint8 and array.shape[-1] <= MAX_CHANNELS:
        counted = histogram(array, mask=chosen)
        result = clustering.kmeans(counted, n_clusters, **options)
        labels = _labels(array, chosen, _label_colors, counted, result.labels)
        return replace(result, labels=cast("NDArray[Any]", labels))
    blocks = _as_blocks(_blocks(array, chosen), asked.engine)
    if blocks.size == 0:
        raise ValueError("points must not be empty")
    asked.check_points(blocks.size, array.shape[-1], has_colors=False)
    _, run = session.fit(BlockData(blocks), asked)
    return KMeansResult(
        centroids=run.centroids,
        labels=cast("NDArray[Any]", _labels(array, chosen, _label_points, run.centroids, asked.engine)),
        counts=run.measure.counts,
        inertia=run.measure.inertia,
        n_iter=run.n_iter,
        converged=run.converged,
        shifts=run.shifts,
        algorithm="dense",
        engine=asked.engine,
        dtype=array.dtype,
    )


def _checked(array: da.Array, mask: da.Array | None, channel_axis: int | None) -> tuple[da.Array, da.Array | None]:
    """Return the points with their features on the last axis, in one chunk, and the mask in chunks of the same size."""
    if not isinstance(array, da.Array):
        raise TypeError(
            f"points must be an array of Dask's, got {type(array).__name__}; kmeans_fast.kmeans takes others"
        )
    if array.dtype.kind not in "buif":
        raise TypeError(f"points must be real numbers of up to 64 bits, got dtype {array.dtype}")
    if np.isnan(array.shape).any():
        raise ValueError("points must have a known shape; compute_chunk_sizes() finds it out")
    # refuses what it must, by the shape alone
    with_channels_last("points", np.broadcast_to(np.zeros(1), array.shape), channel_axis)
    array = array[..., np.newaxis] if channel_axis is None else da.moveaxis(array, channel_axis, -1)
    array = array.rechunk({array.ndim - 1: -1})
    if mask is None:
        return array, None
    is_array = isinstance(mask, da.Array)
    if not is_array or mask.dtype != np.bool_ or mask.shape != array.shape[:-1]:
        raise ValueError(
            f"mask must be an array of Dask's of bool, shape {array.shape[:-1]}, True for each point to be kept, got "
            f"{type(mask).__name__} {getattr(mask, 'dtype', '')} {getattr(mask, 'shape', '')}"
        )
    return array, mask.rechunk(array.chunks[:-1])


def _blocks(array: da.Array, mask: da.Array | None) -> list[tuple[Delayed, Delayed | None]]:
    """Return each chunk with its mask, in order."""
    parts = array.to_delayed().ravel().tolist()
    masks = [None] * len(parts) if mask is None else mask.to_delayed().ravel().tolist()
    return list(zip(parts, masks, strict=True))


def _chosen_points(block: NDArray[Any], mask: NDArray[np.bool_] | None) -> NDArray[Any]:
    """Return the points of a chunk that are to be clustered, (n, D)."""
    return block.reshape(-1, block.shape[-1]) if mask is None else block[mask]


def _count(block: NDArray[Any], mask: NDArray[np.bool_] | None) -> ColorHistogram | None:
    points = _chosen_points(block, mask)
    return ColorHistogram.from_image(points, n_threads=1) if len(points) else None


def _merge(counted: list[ColorHistogram | None]) -> ColorHistogram | None:
    present = [part for part in counted if part is not None]
    return sum(present[1:], start=present[0]) if present else None


def _as_blocks(parts: list[tuple[Delayed, Delayed | None]], engine: str) -> Blocks:
    """Let tasks run on all blocks by Dask's scheduler, whichever is in force."""
    points = [delayed(_chosen_points)(*part) for part in parts]
    kept: list[tuple[Any, ...]] = [() for _ in points]

    def task(i: int, call: Callable[..., Any], arguments: tuple[Any, ...]) -> Delayed:
        return delayed(call)(points[i], *kept[i], *arguments)

    def for_each(call: Callable[..., Any], *arguments: Any) -> list[Any]:
        return list(compute(*(task(i, call, arguments) for i in range(len(points)))))

    def for_one(i: int, call: Callable[..., Any], *arguments: Any) -> Any:
        return task(i, call, arguments).compute()

    def keep(call: Callable[..., Any], *arguments: Any) -> None:
        kept[:] = [(part,) for part in persist(*(task(i, call, arguments) for i in range(len(points))))]

    def forget() -> None:
        kept[:] = [() for _ in points]

    return Blocks(for_each, for_one, keep, forget, engine)


def _labels(array: da.Array, mask: da.Array | None, label: Callable[..., NDArray[Any]], *arguments: Any) -> da.Array:
    """Return labels of all points, to be made chunk by chunk; those that the mask leaves out are masked."""
    n_clusters = len(arguments[0]) if label is _label_points else int(arguments[1].max()) + 1
    dtype = np.min_scalar_type(n_clusters - 1)
    # handed to the workers once, not with each task
    known = [delayed(argument, pure=True) for argument in arguments]
    arrays = (array,) if mask is None else (array, mask[..., np.newaxis])
    return da.map_blocks(
        _label_block, *arrays, label=label, arguments=known, dtype=dtype, drop_axis=array.ndim - 1,
        meta=np.ma.MaskedArray(np.empty(0, dtype)) if mask is not None else np.empty(0, dtype),
    )  # fmt: skip


def _label_block(
    block: NDArray[Any], mask: NDArray[np.bool_] | None = None, *, label: Callable[..., Any], arguments: list[Any]
) -> NDArray[Any]:
    labels: NDArray[Any] = label(block, *arguments) if block.size else np.zeros(block.shape[:-1], np.uint8)
    return labels if mask is None else np.ma.MaskedArray(labels, ~mask[..., 0])


def _label_colors(block: NDArray[Any], counted: ColorHistogram, color_labels: NDArray[Any]) -> NDArray[Any]:
    return counted.labels_of(block, color_labels, n_threads=1)


def _label_points(block: NDArray[Any], centroids: NDArray[np.float64], engine: str) -> NDArray[Any]:
    return assigning.assign(block, centroids, engine=engine, n_threads=1)
