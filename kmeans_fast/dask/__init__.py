"""Clustering Dask's arrays [1]_: pictures larger than memory, on one machine or several.

Pixels of 8 or 16 bits and up to 4 channels are read once: each chunk's colours are counted, the counts added up and
clustered where that is small, and labels are mapped back lazily. Other points are read once an iteration. Arrays of
xarray's in chunks are taken too, and results then have their coordinates. Each chunk that is counted costs about 5 ms
beside its pixels, so large ones take less time: 4096 × 4096 pixels, where the workers' memory allows that.

A raster of six bands of 16 bits, in which 0 stands for no data, in memory and then in chunks that need not be there at
once. Where points are left out, labels are masked, and 0 below the mask:

>>> import dask.array as da
>>> import numpy as np
>>> import kmeans_fast as kf
>>> import kmeans_fast.dask
>>> bands = np.full((6, 60, 80), 900, np.uint16)  # as rasterio's read() returns them
>>> bands[:, :, 40:] = 4000
>>> bands[:, :10] = 0
>>> has_data = (bands > 0).all(axis=0)
>>> result = kf.kmeans(bands, 2, channel_axis=0, mask=has_data, sort="value")
>>> result.centroids[:, 0].tolist(), result.labels[9:11, 39:41].tolist()
([900.0, 4000.0], [[None, None], [0, 1]])
>>> chunks = da.from_array(bands, chunks=(6, 20, 80))
>>> lazy = kf.dask.kmeans(chunks, 2, channel_axis=0, mask=(chunks > 0).all(axis=0), sort="value")
>>> lazy.compute() == result
True

References
----------
.. [1] M. Rocklin, "Dask: parallel computation with blocked algorithms and task scheduling", SciPy 2015.
"""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from kmeans_fast import arrays, clustering, session, validation
from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.dask.counting import count, has_colors
from kmeans_fast.dask.mapping import ByColor, ByDistance, labels_of
from kmeans_fast.dask.passes import blocks_of
from kmeans_fast.dask.results import LazyKMeansResult, LazyQuantizedImage, lazy
from kmeans_fast.dask.sources import Source, source_of
from kmeans_fast.engines import NAMES as ENGINES
from kmeans_fast.engines.codes import MAX_CHANNELS
from kmeans_fast.imaging.finding import find_palette
from kmeans_fast.imaging.mapping import Found
from kmeans_fast.imaging.picture_colors import count_colors
from kmeans_fast.imaging.pixels import checked_pixels_or_colors
from kmeans_fast.imaging.requests import Request, checked_request
from kmeans_fast.options import COLORS_NEEDED, Asked, Options, checked_options
from kmeans_fast.points.blocks import BlockData
from kmeans_fast.points.dense import smallest_label_dtype
from kmeans_fast.results import KMeansResult

__all__ = ["LazyKMeansResult", "LazyQuantizedImage", "assign", "histogram", "kmeans", "quantize"]


def histogram(image: Any, *, mask: Any = None, channel_axis: int | str | None = -1) -> ColorHistogram:
    """Count the colours of a picture, chunk by chunk.

    Parameters
    ----------
    image : dask.array.Array of uint8 or uint16, shape (..., C), or xarray.DataArray of one
        1 to 4 channels. What is masked in masked chunks is not counted.
    mask : array of bool, shape ``image.shape[:-1]``, optional
        True for each pixel that is to be counted; Dask's, xarray's or NumPy's.
    channel_axis : int, str or None
        Where the channels are, or the name of that dimension for an array of xarray's; None for a grey picture.

    Returns
    -------
    ColorHistogram
        That of the whole picture, equal to ``ColorHistogram.from_image`` of it.

    Raises
    ------
    TypeError, ValueError
        If `image` is nothing of Dask's, or whatever `ColorHistogram.from_image` says of it.

    Examples
    --------
    >>> import dask.array as da
    >>> import kmeans_fast as kf
    >>> import kmeans_fast.dask
    >>> image = kf.read_image(kf.sample_path())
    >>> kf.dask.histogram(da.from_array(image, chunks=(100, 100, 3))) == kf.ColorHistogram.from_image(image)
    True
    """
    source = source_of("image", image, mask, channel_axis)
    if not has_colors(source):
        raise TypeError(
            f"a histogram is of 8-bit or 16-bit colours of 1 to {MAX_CHANNELS} channels, got {source.array.dtype} and "
            f"{source.array.shape[-1]} channels; kmeans_fast.dask.kmeans takes any real numbers"
        )
    return count("image", source)


def kmeans(
    points: Any,
    n_clusters: int | None = None,
    *,
    mask: Any = None,
    channel_axis: int | str | None = -1,
    algorithm: str = "auto",
    sort: str = "none",
    **options: Unpack[Asked],
) -> LazyKMeansResult:
    """Cluster points, as `kmeans_fast.kmeans` does.

    Parameters
    ----------
    points : dask.array.Array, shape (..., D), or xarray.DataArray of one
        Real numbers. All features of a point should be in one chunk, or they are brought together. What is masked in
        masked chunks is left out.
    n_clusters : int, optional
        K; 8 by default.
    mask : array of bool, shape ``points.shape[:-1]``, optional
        True for each point that is to be clustered; Dask's, xarray's or NumPy's.
    channel_axis : int, str or None
        Where the features are, or the name of that dimension for an array of xarray's.
    algorithm : {"auto", "dense", "histogram"}
        ``"histogram"`` counts colours, in one pass: for 8 or 16 bits and up to 4 features. ``"dense"`` takes a pass an
        iteration, and no memory that grows with the number of colours. ``"auto"`` counts where it can.
    init, n_init, max_iter, tol, relaxation, momentum, effort, seed, callback, engine, sort
        As for `kmeans_fast.kmeans`.
    n_threads : int, optional
        The threads that cluster counted colours. Tasks use one each.

    Returns
    -------
    LazyKMeansResult
        Whose labels are an array of Dask's or xarray's, made when it is computed. With ``"dense"``, ``engine`` is what
        was asked for: each worker has what is at hand there.

    Raises
    ------
    TypeError, ValueError
        If `points` is nothing of Dask's, and whatever `kmeans_fast.kmeans` says.

    Notes
    -----
    With ``"histogram"`` the result is that of ``kmeans_fast.kmeans(points.compute(), ...)``, to the byte. Counts take
    16 bytes a colour, or 22 with 16 bits, and a few times that while they are clustered: pictures of 16 bits in which
    nearly all pixels differ are for ``"dense"``. On the workers they take half of that, and there are three sums of
    many chunks at a time.

    With ``"dense"`` partial sums are added in the order of the chunks: the bytes don't depend on the workers, and from
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
    asked = checked_options(n_clusters, algorithm=algorithm, sort=sort, **options)
    source = source_of("points", points, mask, channel_axis)
    if asked.algorithm == "histogram" and not has_colors(source):
        raise ValueError(
            f"algorithm='histogram' needs {COLORS_NEEDED}, got {source.array.dtype} with {source.array.shape[-1]} "
            "features"
        )
    if asked.algorithm == "dense" or not has_colors(source):
        return _kmeans_of_blocks(source, asked)
    counted = count("points", source, asked.engine)
    result = clustering.kmeans(counted, n_clusters, sort=sort, **options)
    labels = labels_of(source, ByColor(counted, result.labels, asked.engine), result.labels.dtype)
    return lazy(LazyKMeansResult, result, source, labels)


def _kmeans_of_blocks(source: Source, asked: Options) -> LazyKMeansResult:
    blocks = blocks_of(source, asked.engine)
    if blocks.size == 0:
        raise ValueError("points must not be empty")
    asked.check_points(blocks.size, source.array.shape[-1], has_colors=False)
    _, run = session.fit(BlockData(blocks), asked)
    result = KMeansResult(
        centroids=run.centroids,
        labels=np.empty(0),
        counts=run.measure.counts,
        inertia=run.measure.inertia,
        n_iter=run.n_iter,
        converged=run.converged,
        shifts=run.shifts,
        algorithm="dense",
        engine=asked.engine,
        dtype=source.array.dtype,
    )
    labeller = ByDistance(run.centroids, asked.engine)
    labels = labels_of(source, labeller, smallest_label_dtype(len(run.centroids)))
    return lazy(LazyKMeansResult, result, source, labels)


def assign(
    points: Any, centroids: Any, *, mask: Any = None, channel_axis: int | str | None = -1, engine: str = "auto"
) -> Any:
    """Label each point with the index of its nearest centroid, as `kmeans_fast.assign` does.

    Parameters
    ----------
    points, mask, channel_axis
        As for `kmeans`.
    centroids : array_like, shape (K, D)
        Such as those of a result.
    engine
        As for `kmeans_fast.assign`.

    Returns
    -------
    dask.array.Array or xarray.DataArray, as `points`
        The labels, made when they are asked for.

    Raises
    ------
    TypeError, ValueError
        If `points` is nothing of Dask's, and whatever `kmeans_fast.assign` says; of NaN and infinity it says so when
        labels are made.

    Examples
    --------
    >>> import dask.array as da
    >>> import kmeans_fast.dask
    >>> kmeans_fast.dask.assign(da.ones((3, 2)), [[0, 0], [1, 1]]).compute()
    array([1, 1, 1], dtype=uint8)
    """
    source = source_of("points", points, mask, channel_axis)
    checked = arrays.centroids("centroids", centroids, source.array.shape[-1])
    labeller = ByDistance(checked, validation.choice("engine", engine, ENGINES))
    return source.like_labels(labels_of(source, labeller, smallest_label_dtype(len(checked))))


def quantize(
    image: Any,
    n_colors: int | None = None,
    *,
    quality: float | None = None,
    max_error: float | None = None,
    sort: str = "none",
    space: str = "srgb",
    lightness: float = 1.0,
    palette: Any = None,
    fixed: Any = None,
    mask: Any = None,
    channel_axis: int | str | None = -1,
    **options: Unpack[Asked],
) -> LazyQuantizedImage:
    """Reduce an image to `n_colors` colours, as `kmeans_fast.quantize` does: the same bytes, in one pass over the data.

    Parameters
    ----------
    image : dask.array.Array of uint8 or uint16, or xarray.DataArray of one
        Of shape (H, W) or (H, W, 1) grey, (H, W, 3) RGB, or (H, W, 4) RGBA. All channels of a pixel should be in one
        chunk, or they are brought together.
    n_colors, quality, max_error, sort, space, lightness, palette, fixed
        As for `kmeans_fast.quantize`. There is no dithering.
    mask : array of bool, shape (H, W), optional
        True for each pixel that takes part; Dask's, xarray's or NumPy's. The others' labels are masked.
    channel_axis : int, str or None
        Where the channels are, or the name of that dimension for an array of xarray's; a picture (H, W) has none.
    init, n_init, max_iter, tol, relaxation, momentum, effort, seed, callback, engine
        As for `kmeans_fast.quantize`.
    n_threads : int, optional
        The threads that cluster counted colours. Tasks use one each.

    Returns
    -------
    LazyQuantizedImage
        Palette, counts and error; labels and the image are arrays of Dask's or xarray's, made when they are computed.

    Raises
    ------
    TypeError, ValueError
        If `image` is nothing of Dask's, and whatever `kmeans_fast.quantize` says.

    Examples
    --------
    >>> import dask.array as da
    >>> import kmeans_fast as kf
    >>> import kmeans_fast.dask
    >>> image = kf.read_image(kf.sample_path())
    >>> result = kf.dask.quantize(da.from_array(image, chunks=(100, 451, 3)), 8)
    >>> result
    <LazyQuantizedImage: 451×300 pixels, 8 colors, mse 293.32, psnr 28.23 dB>
    >>> bool((result.to_array() == kf.quantize(image, 8).to_array()).all())
    True
    """
    request = checked_request(
        n_colors, quality, sort, space, lightness, options, palette=palette, fixed=fixed, max_error=max_error
    )
    if np.ndim(image) == 2 and channel_axis in (-1, None):
        channel_axis = None
    source = source_of("image", image, mask, channel_axis)
    _check_picture(source)
    counted = count("image", source, request.options.engine)
    found = _palette_of(counted, request)
    labels = labels_of(source, ByColor(counted, found.color_labels, request.options.engine), found.color_labels.dtype)
    return lazy(LazyQuantizedImage, found.shown, source, labels)


def _check_picture(source: Source) -> None:
    shape, dtype = source.array.shape, source.array.dtype
    if dtype.newbyteorder("=") not in (np.uint8, np.uint16):
        raise TypeError(
            f"image must be uint8 or uint16, got {dtype}; (image * 255).round().astype('u1') makes bytes of floats "
            "from 0 to 1"
        )
    if len(shape) != 3 or shape[2] not in (1, 3, 4):
        raise ValueError(f"image must have shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got {shape}")


def _palette_of(counted: ColorHistogram, request: Request) -> Found:
    """Find a palette for counted colours; they stand for the picture where it is checked."""
    pixels = checked_pixels_or_colors(counted, request)
    with request.machine(len(counted)) as machine:
        return find_palette(count_colors(pixels, machine), request)
