"""An image in K colours: `quantize`.

The way: pixels to points (`coding`), k-means (`kmeans_fast.clustering`), centroids rounded to 8 bits, and only then the
last assignment, so that every pixel gets the entry that is nearest to it in the palette as stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypedDict, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_fast import clustering, engines, validation
from kmeans_fast.clustering import Partition, kmeans, kmeans_and_partition, partition
from kmeans_fast.histogram import ColorHistogram
from kmeans_fast.imaging.coding import Coding, coding_of
from kmeans_fast.imaging.metrics import psnr
from kmeans_fast.imaging.quantized import QuantizedImage, QuantizedPalette
from kmeans_fast.imaging.sorting import ORDERS, order_of
from kmeans_fast.lloyd import LONG, Callback

INITS = ("auto", *clustering.INITS)
DEFAULT_COLORS = 8
# With these, all of 64 cases (8 pictures, K from 2 to 256) were within 0.4 % of the error of the fixed point.
MAX_ITER = 18
TOL = 0.05
MOST_ON_CUBES = 16
# What `quality` may use: as many as an indexed PNG holds.
MOST_COLORS = 256


class _Options(TypedDict, total=False):
    """What `quantize` takes by name, but for `palette_only`."""

    quality: float | None
    sort: str
    init: str | ArrayLike
    n_init: int
    max_iter: int
    tol: float
    relaxation: float
    momentum: float
    seed: int
    engine: str
    n_threads: int | None
    callback: Callback | None


@overload
def quantize(
    image: NDArray[np.uint8],
    n_colors: int | None = ...,
    *,
    palette_only: Literal[False] = ...,
    **options: Unpack[_Options],
) -> QuantizedImage: ...


@overload
def quantize(
    image: NDArray[np.uint8], n_colors: int | None = ..., *, palette_only: Literal[True], **options: Unpack[_Options]
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
    relaxation: float = LONG.relaxation,
    momentum: float = LONG.momentum,
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
    max_iter, tol, relaxation, momentum
        As for `kmeans_fast.kmeans`. The defaults stop within 0.5 % of the error of the fixed point, mostly, in a
        fraction of its time; ``max_iter=10**6, tol=0, relaxation=1, momentum=0`` goes all the way.
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
    <QuantizedPalette: 13 colors, mse 189.08, psnr 30.14 dB>
    """
    _check_image(image)
    if n_colors is not None and quality is not None:
        raise ValueError(f"n_colors and quality can't both be given, got {n_colors!r} and {quality!r}")
    n_colors = DEFAULT_COLORS if n_colors is None else validation.integer("n_colors", n_colors, 1)
    quality = None if quality is None else validation.number("quality", quality)
    validation.choice("sort", sort, ORDERS)
    n_init = validation.integer("n_init", n_init, 1)
    if isinstance(init, str):
        validation.choice("init", init, INITS)
    tol = validation.number("tol", tol)
    validation.function("callback", callback)
    coding = coding_of(image)
    if n_colors == len(coding.reserved) and quality is None:
        raise ValueError("n_colors must be at least 2 for a picture that is transparent in one place only, got 1")
    if not isinstance(init, str) and (coding.scale != 1 or quality is not None):
        why = "with quality" if coding.scale == 1 else "for a picture with transparency"
        raise ValueError(f"init must be the name of a method {why}, got an array")

    pixels = _Pixels(coding, choose_engine(engine, image, n_colors, quality), n_threads)
    options: dict[str, Any] = {
        "init": init,
        "n_init": n_init,
        "max_iter": max_iter,
        "tol": tol * coding.scale**2,
        "relaxation": relaxation,
        "momentum": momentum,
        "seed": seed,
        "callback": _in_8_bit_steps(callback, coding.scale),
    }
    found = pixels.cluster(n_colors, **options) if quality is None else _fewest(pixels, quality, options)
    order = order_of(found.palette, found.final.counts, sort)
    described: dict[str, Any] = {
        "palette": _without_idle_alpha(found.palette[order]),
        "counts": found.final.counts[order],
        "mse": found.mse,
        "psnr": found.psnr,
        "n_iter": found.n_iter,
        "converged": found.converged,
        "quality_met": quality is None or found.psnr >= quality,
    }
    if palette_only:
        return QuantizedPalette(**described)
    ranks = np.argsort(order).astype(found.final.labels.dtype)
    return QuantizedImage(**described, labels=pixels.labels(ranks[found.final.labels]))


def choose_engine(name: str, image: NDArray[np.uint8], n_colors: int | None, quality: float | None) -> str:
    """Choose an engine for a whole picture: a search for a quality tries some eight numbers of colours."""
    n_clusters = n_colors if isinstance(n_colors, int) else DEFAULT_COLORS  # not checked yet by every caller
    return engines.choose(name, image.shape[0] * image.shape[1] * n_clusters * (8 if quality else 1))


@dataclass(frozen=True)
class _Found:
    """Where one number of colours led."""

    palette: NDArray[np.uint8]
    final: Partition
    """The assignment to that palette."""
    mse: float
    n_iter: int
    converged: bool

    @property
    def psnr(self) -> float:
        return psnr(self.mse, _without_idle_alpha(self.palette).shape[1])


class _Pixels:
    """A picture's pixels, clustered as often as is asked; opaque ones are counted by colour once, for all of that."""

    def __init__(self, coding: Coding, engine: str, n_threads: int | None) -> None:
        self.coding = coding
        self._where: dict[str, Any] = {"engine": engine, "n_threads": n_threads}
        self._histogram = ColorHistogram.from_image(coding.points, **self._where) if coding.scale == 1 else None

    def cluster(self, n_colors: int, *, init: Any, n_init: int, **options: Any) -> _Found:
        """Find a palette: k-means, centroids rounded, and the assignment to what they became."""
        coding, histogram = self.coding, self._histogram
        n_clusters = n_colors - len(coding.reserved)
        if isinstance(init, str):
            n_clusters = min(n_clusters, coding.clustered[..., 0].size)
            if init == "auto":
                init = _best_init(coding, n_init, n_clusters)
        options |= {"init": init, "n_init": n_init, **self._where}
        if histogram is not None:
            run, final = kmeans_and_partition(histogram, n_clusters, self._rounded, **options)
            n_iter, converged = run.n_iter, run.converged
        else:
            result = kmeans(coding.clustered, n_clusters, **options)
            final = partition(coding.points, self._rounded(result.centroids), **self._where)
            n_iter, converged = result.n_iter, result.converged
        # exact: a centroid that had to be moved sits on a pixel
        palette = coding.to_palette(final.centroids)
        return _Found(palette, final, final.inertia / coding.scale**2 / coding.points[..., 0].size, n_iter, converged)

    def _rounded(self, centroids: NDArray[np.float64]) -> NDArray[Any]:
        """Return what the palette can hold of centroids, after its entries that aren't found by clustering."""
        coding = self.coding
        return coding.to_points(np.vstack([coding.reserved, coding.to_palette(centroids)]))

    def labels(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Return labels of the pixels for those of a partition."""
        if self._histogram is None:
            return labels
        return self._histogram.labels_of(self.coding.points, labels, **self._where)


def _best_init(coding: Coding, n_init: int, n_clusters: int) -> str:
    """Choose a method: with few colours a bad start is rarely mended, and a good one costs little."""
    if coding.scale != 1 or n_init > 1:
        return "k-means++"
    return "cubes" if n_clusters <= MOST_ON_CUBES else "variance"


def _fewest(pixels: _Pixels, quality: float, options: dict[str, Any]) -> _Found:
    """Find the fewest colours that reach a quality, by bisection; the most there may be if none do."""
    best = pixels.cluster(MOST_COLORS, **options)
    if best.psnr < quality:
        return best
    least, most = len(pixels.coding.reserved) + 1, min(MOST_COLORS, len(best.palette))
    while least < most:
        middle = (least + most) // 2
        found = pixels.cluster(middle, **options)
        if found.psnr >= quality:
            best, most = found, middle
        else:
            least = middle + 1
    return best


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
