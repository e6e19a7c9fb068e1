"""An image in K colours: `quantize`.

The way: pixels to points (`coding`), k-means (`kmeans_fast.clustering`), centroids rounded to 8 bits, and only then the
last assignment, so that every pixel gets the entry that is nearest to it in the palette as stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_fast import engines, validation
from kmeans_fast.clustering import INITS, KMeansResult, Partition, kmeans, partition
from kmeans_fast.histogram import ColorHistogram
from kmeans_fast.imaging.coding import Coding, coding_of
from kmeans_fast.imaging.metrics import psnr
from kmeans_fast.imaging.quantized import QuantizedImage, QuantizedPalette
from kmeans_fast.imaging.sorting import ORDERS, order_of
from kmeans_fast.lloyd import Callback

DEFAULT_COLORS = 8
# With these, of 64 cases (8 pictures, K from 2 to 256) 61 were within 0.5 % of the error of the fixed point, and the
# others within 0.7 %; with 20 and 0.1 it was 56, and 1.2 %.
MAX_ITER = 30
TOL = 0.05
RELAXATION = 1.9
MOST_ON_CUBES = 16
# What `quality` may use: as many as an indexed PNG holds.
MOST_COLORS = 256


@overload
def quantize(
    image: NDArray[np.uint8],
    n_colors: int | None = ...,
    *,
    palette_only: Literal[False] = ...,
    quality: float | None = ...,
    sort: str = ...,
    init: str | ArrayLike = ...,
    n_init: int = ...,
    max_iter: int = ...,
    tol: float = ...,
    relaxation: float = ...,
    seed: int = ...,
    engine: str = ...,
    n_threads: int | None = ...,
    callback: Callback | None = ...,
) -> QuantizedImage: ...


@overload
def quantize(
    image: NDArray[np.uint8],
    n_colors: int | None = ...,
    *,
    palette_only: Literal[True],
    quality: float | None = ...,
    sort: str = ...,
    init: str | ArrayLike = ...,
    n_init: int = ...,
    max_iter: int = ...,
    tol: float = ...,
    relaxation: float = ...,
    seed: int = ...,
    engine: str = ...,
    n_threads: int | None = ...,
    callback: Callback | None = ...,
) -> QuantizedPalette: ...


def quantize(
    image: NDArray[np.uint8],
    n_colors: int | None = None,
    *,
    quality: float | None = None,
    sort: str = "none",
    palette_only: bool = False,
    init: str | ArrayLike = "auto",
    n_init: int = 1,
    max_iter: int = MAX_ITER,
    tol: float = TOL,
    relaxation: float = RELAXATION,
    seed: int = 0,
    engine: str = "auto",
    n_threads: int | None = None,
    callback: Callback | None = None,
) -> QuantizedImage | QuantizedPalette:
    """Reduce an image to `n_colors` colours by k-means on all its pixels.

    The centroids are rounded to 8 bits before the last assignment. So every pixel gets its nearest palette entry, the
    entries are distinct, each is used, and quantizing the result again changes nothing.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 of shape (H, W) or (H, W, 1) grey, (H, W, 3) RGB, or (H, W, 4) RGBA with straight alpha. Not changed.
    n_colors : int, optional
        The number of colours, at least 1; 8 by default. A picture that has no more than these keeps them exactly.
    quality : float, optional
        Instead of `n_colors`: the least `psnr` in dB. The fewest colours that reach it are searched, up to 256. If
        even those don't, they are the result, and its `quality_met` is False.
    sort : {"none", "count", "luma", "hue"}
        Order of the palette: as it comes, with an entry that is fully transparent first; most frequent first; dark to
        light; or by hue, after the greys.
    palette_only : bool
        Return only the palette, without labels.
    init : {"auto", "variance", "cubes", "k-means++", "random"} or array_like, shape (K, C)
        As for `kmeans_fast.kmeans`. ``"auto"`` is ``"cubes"`` for up to 16 colours and ``"variance"`` for more, or
        ``"k-means++"`` for a picture with transparency and for several runs. An array has one row of 8-bit values for
        each colour; it is not possible for a picture with transparency.
    max_iter, tol, relaxation
        As for `kmeans_fast.kmeans`. The defaults stop within 0.5 % of the error of the fixed point, mostly, in a
        fraction of its time; ``max_iter=10**6, tol=0, relaxation=1`` goes all the way.
    n_init, seed, engine, n_threads, callback
        As for `kmeans_fast.kmeans`.

    Returns
    -------
    QuantizedImage or QuantizedPalette
        Palette, counts and error, and the labels if they are wanted.

    Raises
    ------
    TypeError
        If `image` is no array or not uint8, or `n_colors` is no integer.
    ValueError
        If `image` has another shape or no pixels, if `n_colors` is below 1, or 1 for a picture that is transparent in
        one place and visible in another, or given together with `quality`; and whatever `kmeans_fast.kmeans` says of
        the other options.

    Notes
    -----
    A picture whose pixels are all opaque gives the same result with an alpha channel as without. Otherwise colours are
    compared premultiplied with alpha, all fully transparent pixels share the entry (0, 0, 0, 0), and their hidden
    colours pull on no centroid.

    Examples
    --------
    >>> import kmeans_fast as kf
    >>> image = kf.read_image(kf.sample_path())
    >>> result = kf.quantize(image, 8)
    >>> result.palette.shape, result.labels.shape, result.n_colors
    ((8, 3), (300, 451), 8)
    >>> kf.quantize(image, quality=30, sort="count", palette_only=True)
    <QuantizedPalette: 13 colors, mse 189.85, psnr 30.12 dB>
    """
    _check_image(image)
    if n_colors is not None and quality is not None:
        raise ValueError(f"n_colors and quality can't both be given, got {n_colors!r} and {quality!r}")
    n_colors = DEFAULT_COLORS if n_colors is None else validation.integer("n_colors", n_colors, 1)
    quality = None if quality is None else validation.number("quality", quality)
    validation.choice("sort", sort, ORDERS)
    n_init = validation.integer("n_init", n_init, 1)
    if isinstance(init, str):
        validation.choice("init", init, ("auto", *INITS))
    tol = validation.number("tol", tol)
    validation.function("callback", callback)
    coding = coding_of(image)
    if n_colors == len(coding.reserved) and quality is None:
        raise ValueError("n_colors must be at least 2 for a picture that is transparent in one place only, got 1")
    if not isinstance(init, str) and (coding.scale != 1 or quality is not None):
        why = "with quality" if coding.scale == 1 else "for a picture with transparency"
        raise ValueError(f"init must be the name of a method {why}, got an array")
    if isinstance(init, str) and init == "auto":
        init = "k-means++" if coding.scale != 1 or n_init > 1 else "auto"
    engine = engines.choose(engine, image.shape[0] * image.shape[1] * n_colors * (8 if quality else 1))
    where: dict[str, Any] = {"engine": engine, "n_threads": n_threads}

    # Opaque pixels are counted by colour once, for clustering, for the last assignment and for their labels.
    histogram = ColorHistogram.from_image(coding.points, **where) if coding.scale == 1 else None

    def run(n_colors: int) -> tuple[KMeansResult, Partition]:
        n_clusters = n_colors - len(coding.reserved)
        if isinstance(init, str):
            n_clusters = min(n_clusters, coding.clustered[..., 0].size)
        clustered = kmeans(
            coding.clustered if histogram is None else histogram,
            n_clusters,
            init=_init_for(init, n_clusters),
            n_init=n_init,
            max_iter=max_iter,
            tol=tol * coding.scale**2,
            relaxation=relaxation,
            seed=seed,
            callback=_in_8_bit_steps(callback, coding.scale),
            **where,
        )
        rounded = np.vstack([coding.reserved, coding.to_palette(clustered.centroids)])
        points = coding.points if histogram is None else histogram
        return clustered, partition(points, coding.to_points(rounded), **where)

    n_pixels = image.shape[0] * image.shape[1]
    if quality is None:
        clustered, final = run(n_colors)
    else:
        clustered, final = _fewest(run, quality, lambda end: _psnr_of(end, coding, n_pixels), len(coding.reserved) + 1)
    palette = coding.to_palette(final.centroids)  # exact: a centroid that had to be moved sits on a pixel
    order = order_of(palette, final.counts, sort)
    end = _psnr_of(final, coding, n_pixels)
    described: dict[str, Any] = {
        "palette": _without_idle_alpha(palette[order]),
        "counts": final.counts[order],
        "mse": final.inertia / coding.scale**2 / n_pixels,
        "psnr": end,
        "n_iter": clustered.n_iter,
        "converged": clustered.converged,
        "quality_met": quality is None or end >= quality,
    }
    if palette_only:
        return QuantizedPalette(**described)
    labels = np.argsort(order).astype(final.labels.dtype)[final.labels]
    if histogram is not None:
        labels = histogram.labels_of(coding.points, labels, **where)
    return QuantizedImage(**described, labels=labels)


def _init_for(init: str | ArrayLike, n_clusters: int) -> str | ArrayLike:
    """Choose the method of ``"auto"``: with few colours a bad start is rarely mended, and a good one costs little."""
    if isinstance(init, str) and init == "auto":
        return "cubes" if n_clusters <= MOST_ON_CUBES else "variance"
    return init


def _fewest(
    run: Callable[[int], tuple[KMeansResult, Partition]],
    quality: float,
    quality_of: Callable[[Partition], float],
    least: int,
) -> tuple[KMeansResult, Partition]:
    """Find the fewest colours whose run reaches a quality, by bisection; the most there may be if none does."""
    most = MOST_COLORS
    best = run(most)
    if quality_of(best[1]) < quality:
        return best
    most = min(most, len(best[1].centroids))
    while least < most:
        middle = (least + most) // 2
        attempt = run(middle)
        if quality_of(attempt[1]) >= quality:
            best, most = attempt, middle
        else:
            least = middle + 1
    return best


def _psnr_of(final: Partition, coding: Coding, n_pixels: int) -> float:
    n_channels = _without_idle_alpha(coding.to_palette(final.centroids)).shape[1]
    return psnr(final.inertia / coding.scale**2 / n_pixels, n_channels)


def _without_idle_alpha(palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Leave out an alpha channel in which all entries are opaque."""
    return palette[:, :3] if palette.shape[1] == 4 and (palette[:, 3] == 255).all() else palette


def _check_image(image: object) -> None:
    if not isinstance(image, np.ndarray):
        raise TypeError(f"image must be a NumPy array, got {type(image).__name__}; read_image makes one from a file")
    if image.dtype != np.uint8:
        raise TypeError(f"image must be uint8, got {image.dtype}; {_how_to_convert(image.dtype)}")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3, 4)):
        raise ValueError(f"image must have shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got {image.shape}")
    if image.size == 0:
        raise ValueError(f"image must have pixels, got shape {image.shape}")


def _how_to_convert(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "b":
        return "np.where(image, 255, 0).astype(np.uint8) converts it"
    if dtype == np.uint16:
        return "if its values reach up to 65535, np.rint(image / 257).astype(np.uint8) converts it"
    if dtype.kind == "f":
        return "if its values reach from 0 to 1, np.rint(image * 255).astype(np.uint8) converts it"
    return "if its values reach from 0 to 255, image.astype(np.uint8) converts it"


def _in_8_bit_steps(callback: Callback | None, scale: int) -> Callback | None:
    """Let `callback` see centroids and shift in 8-bit steps, whatever the length of a step in the points."""
    if callback is None or scale == 1:
        return callback
    return lambda iteration, old, new, shift: callback(iteration, old / scale, new / scale, shift / scale**2)
