"""An image in K colours: `quantize`, and `palette` for the colours alone.

The road: the image's colours are counted; `find_palette` clusters them in a space (see `spaces`), rounds the centroids,
and only then assigns the colours, so that each has the entry that is nearest to it in the palette as stored;
`picture_in` gives every pixel the label of its colour, or dithers (see `dithering`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, Unpack

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import arrays, session, validation
from kmeans_fast.colors.histogram import ColorHistogram, count, label_pixels, sort_points
from kmeans_fast.imaging import rounding
from kmeans_fast.imaging.dithering import Dithering, check_depth, check_size, checked_dithering
from kmeans_fast.imaging.dithering import dither as dither_pixels
from kmeans_fast.imaging.metrics import psnr
from kmeans_fast.imaging.palettes import QuantizedImage, QuantizedPalette
from kmeans_fast.imaging.sorting import ORDERS, order_of
from kmeans_fast.imaging.spaces import NAMED, OPAQUE, OPAQUE_16, TRANSLUCENT, WITH_LIGHTNESS, Space
from kmeans_fast.imaging.translucency import MixedData, Mixture, mixed_data
from kmeans_fast.lending import Machine, lent_workers, machine_for
from kmeans_fast.lloyd import LONG, Algorithm, Callback, Run
from kmeans_fast.machine.chunks import chunk_bounds
from kmeans_fast.options import STARTS, Asked, Options, checked_options
from kmeans_fast.points.access import Points
from kmeans_fast.points.dense import DenseAlgorithm
from kmeans_fast.points.fractions import integers_of
from kmeans_fast.session import ColorData, Data

INITS = ("auto", *STARTS)
# Where `quantize` differs from `kmeans`. With these, all of 64 cases (8 pictures, K from 2 to 256) were within 0.4 % of
# the error of the fixed point.
MAX_ITER = 18
TOL = 0.05
DEFAULTS: Asked = {
    "init": "auto",
    "max_iter": MAX_ITER,
    "tol": TOL,
    "relaxation": LONG.relaxation,
    "momentum": LONG.momentum,
}
MOST_ON_CUBES = 16
# What `quality` may use: as many as an indexed PNG holds.
MOST_COLORS = 256
# How many numbers of colours a search for a quality tries.
N_TRIES = 8
# With weights beyond these, 8-bit steps of an axis would come near to those of the points.
LEAST_LIGHTNESS, MOST_LIGHTNESS = 0.1, 10.0


def quantize(
    image: Any,
    n_colors: int | None = None,
    *,
    quality: float | None = None,
    sort: str = "none",
    space: str = "srgb",
    lightness: float = 1.0,
    dither: str = "none",
    strength: float = 1.0,
    **options: Unpack[Asked],
) -> QuantizedImage:
    """Reduce an image to `n_colors` colours by k-means on all its pixels.

    The centroids are rounded to the picture's depth, 8 or 16 bits, before the last assignment. So every pixel gets its
    nearest palette entry, the entries are distinct, each is used, and quantizing the result again changes nothing.

    Parameters
    ----------
    image : array_like of uint8 or uint16, or of floats from 0 to 1
        Of shape (H, W) or (H, W, 1) grey, (H, W, 3) RGB, or (H, W, 4) RGBA with straight alpha: an array, or what
        ``np.asarray`` makes one of, such as Pillow's images of modes L, RGB, RGBA and I;16. Floats are taken for
        the 8-bit or 16-bit integers that, divided by 255 or 65535, they are. With 16 bits a picture must be opaque. Not
        changed.
    n_colors : int, optional
        The number of colours, at least 1; 8 by default. A picture that has no more than these keeps them exactly.
    quality : float, optional
        Instead of `n_colors`: the least `psnr` in dB. Searches for few colours that reach it, up to 256, by bisection:
        as the error mostly, but not always, falls with each further colour, a few less may reach it too. If even
        256 don't, they are the result, and its `quality_met` is False.
    sort : {"none", "count", "luma", "hue"}
        Order of the palette: as it comes, with an entry that is fully transparent first; most frequent first; dark to
        light; or by hue, after the greys.
    space : {"srgb", "linear", "oklab", "lab"}
        Where colours are compared, for an RGB picture without transparency:

        - ``"srgb"``: by the values as they are, where the error that is reported is the least;
        - ``"linear"``: by light, of which sRGB's values are about the square root;
        - ``"oklab"``: by how different they look, in Oklab (Ottosson 2020);
        - ``"lab"``: by how different they look, in CIELAB (CIE 15:2018) for D65.

        See the notes.
    lightness : float
        How much the axis of lightness counts in ``"oklab"`` and ``"lab"``, from 0.1 to 10. Below 1 the palette has
        more hues and fewer shades.
    dither : {"none", "floyd-steinberg", "atkinson", "bayer", "blue-noise"}
        Spread the error so that areas keep their mean colour, at the price of grain, and of larger files:

        - ``"floyd-steinberg"`` passes each pixel's error on to its neighbours, row by row, to and fro;
        - ``"atkinson"`` does so with three quarters of it: more contrast, and lights and shadows without grain;
        - ``"bayer"`` mixes colours in a regular pattern, which compresses better, and doesn't flicker in animations;
        - ``"blue-noise"`` does so in an irregular pattern, without structure that the eye would see.

        Colours that are in the palette stay as they are. Only opaque entries are dithered: transparency is as without.
        Errors are those in sRGB, whatever the space. For pictures of 8 bits.
    strength : float
        Of dithering, from 0 to 1: how much of the error is spread, in steps of 1/64.
    init : {"auto", "variance", "cubes", "k-means++", "random"} or array_like, shape (K, C)
        As for `kmeans_fast.kmeans`. ``"auto"`` is ``"cubes"`` for up to 16 colours and ``"variance"`` for more, or
        ``"k-means++"`` for several runs. An array has one row of values of the picture's depth for each colour, whose
        number it also is; it is not possible for a picture with transparency. Rows are sRGB whatever the space, in
        other spaces than sRGB in whole numbers from 0 to 255.
    max_iter, tol, relaxation, momentum
        As for `kmeans_fast.kmeans`. The defaults stop within 0.5 % of the error of the fixed point, mostly, in a
        fraction of its time; ``max_iter=10**6, tol=0, relaxation=1, momentum=0`` goes all the way.
    effort : {0, 1, 2, 3}
        As for `kmeans_fast.kmeans`. With 0, ``"auto"`` is ``"variance"`` for any number of colours. With 2 and 3 the
        rounded palette is improved as well, and the error is never above that of a lower effort, for as many colours;
        each number of colours that `quality` tries is searched for.
    n_init, seed, engine, n_threads, callback
        As for `kmeans_fast.kmeans`.

    Returns
    -------
    QuantizedImage
        Palette, counts, error and labels.

    Raises
    ------
    TypeError
        If `image` is no array or of another dtype, has a mask or is a picture in a mode of Pillow's that isn't L, RGB,
        RGBA or I;16, or `n_colors` is no integer.
    ValueError
        If `image` has another shape or no pixels, floats that aren't such fractions or outside 0 to 1, or transparency
        with 16 bits; if `n_colors` is below 1, or 1 for a picture that is transparent in one place and visible in
        another, or given together with `quality`; if a space other than sRGB is asked for and `image` is grey or has
        transparency or 16 bits; if `lightness` isn't 1 in a space without that axis; and whatever `kmeans_fast.kmeans`
        says of the other options.

    Notes
    -----
    A picture whose pixels are all opaque gives the same result with an alpha channel as without. Otherwise colours are
    compared premultiplied with alpha, all fully transparent pixels share the entry (0, 0, 0, 0), and their hidden
    colours pull on no centroid. Opaque pixels stay opaque: each gets the nearest of the opaque entries, any other pixel
    the nearest of all. How many are opaque is found by splitting both kinds of colours where it lowers the error most.

    In all spaces distinct colours are clustered as points of whole numbers, made without a machine's own powers and
    roots, so that the result is the same on every machine: light in steps of 1/65,535, Oklab in steps of 1/65,280,
    CIELAB in steps of 1/255, each rounded to the nearest. So a point is at most 1.4e-5 from its place in Oklab, and
    0.0034 in CIELAB, where people begin to see a difference at about 0.02 and 1 to 2.3; all 16,777,216 colours have
    points of their own. A weight of lightness below 1 makes the steps of that axis coarser, one above 1 those of the
    others, so that colours less than a step apart may be taken for one. Palettes are of 8-bit sRGB, and every pixel
    has the entry that is nearest in the space asked for. `mse`, `psnr` and `quality` are of sRGB values in every space,
    so that they can be compared; `tol`, and what a callback sees, are in 1/255 of a unit (Oklab, light) or of 100
    units (CIELAB).

    With dithering the palette is the same as without. `counts`, `mse` and `psnr` are of the picture as it is returned,
    whose pixels are farther from their colours one by one than without dithering; `quality`, `quality_met` and
    ``sort="count"`` go by the picture without.

    Examples
    --------
    >>> import kmeans_fast as kf
    >>> image = kf.read_image(kf.sample_path())
    >>> result = kf.quantize(image, 8)
    >>> result.palette.shape, result.labels.shape, result.n_colors
    ((8, 3), (300, 451), 8)
    >>> kf.quantize(image, quality=30)
    <QuantizedImage: 451×300 pixels, 13 colors, mse 189.08, psnr 30.14 dB>
    >>> kf.quantize(image, 3, space="oklab", sort="count").hex_colors
    ['#8c6549', '#af8e79', '#583620']
    """
    request = checked_request(n_colors, quality, sort, space, lightness, options)
    dithering = checked_dithering(dither, strength)
    check_size(request.options.n_clusters, dithering)
    pixels = checked_image(image, request.options.n_threads)
    check_depth(pixels, dithering)
    where = checked_space(pixels, request)
    with machine_for_picture(pixels, request) as machine:
        colors = count_colors(pixels, where, machine)
        return picture_in(pixels, colors, find_palette(colors, request), dithering)


def palette(
    image: Any,
    n_colors: int | None = None,
    *,
    quality: float | None = None,
    sort: str = "none",
    space: str = "srgb",
    lightness: float = 1.0,
    **options: Unpack[Asked],
) -> QuantizedPalette:
    """Return the palette that `quantize` finds, without labels.

    Parameters, errors and result as for `quantize`.

    Returns
    -------
    QuantizedPalette
        Palette, counts and error.

    Examples
    --------
    >>> import kmeans_fast as kf
    >>> kf.palette(kf.read_image(kf.sample_path()), 3, sort="count").hex_colors
    ['#926b4e', '#b19180', '#633e25']
    """
    request = checked_request(n_colors, quality, sort, space, lightness, options)
    pixels = checked_image(image, request.options.n_threads)
    where = checked_space(pixels, request)
    with machine_for_picture(pixels, request) as machine:
        return QuantizedPalette(**find_palette(count_colors(pixels, where, machine), request).described)


class Request(NamedTuple):
    """What `quantize` was asked for, checked."""

    options: Options
    """Of which `init` may be "auto", and `tol` is in 8-bit steps."""
    quality: float | None
    sort: str
    space: str
    lightness: float


def checked_request(
    n_colors: int | None, quality: float | None, sort: str, space: str, lightness: float, asked: Asked
) -> Request:
    """Check what `quantize` was asked for, before any work."""
    if n_colors is not None and quality is not None:
        raise ValueError(f"n_colors and quality can't both be given, got {n_colors!r} and {quality!r}")
    unknown = asked.keys() - Asked.__annotations__.keys()
    if unknown:
        raise TypeError(f"got an unexpected keyword argument {min(unknown)!r}")
    known: Asked = {**DEFAULTS, **asked}
    options = checked_options(n_colors, name="n_colors", inits=INITS, **known)
    if quality is not None and not isinstance(options.init, str):
        raise ValueError("init must be the name of a method with quality, got an array")
    return Request(
        options,
        None if quality is None else validation.number("quality", quality),
        validation.choice("sort", sort, ORDERS),
        validation.choice("space", space, NAMED),
        _checked_lightness(lightness, space),
    )


def _checked_lightness(lightness: float, space: str) -> float:
    weight = validation.number("lightness", lightness)
    if not LEAST_LIGHTNESS <= weight <= MOST_LIGHTNESS:
        raise ValueError(f"lightness must be from {LEAST_LIGHTNESS:g} to {MOST_LIGHTNESS:g}, got {lightness!r}")
    if weight != 1 and space not in WITH_LIGHTNESS:
        allowed = " or ".join(map(repr, WITH_LIGHTNESS))
        raise ValueError(
            f"lightness must be 1 with space={space!r}, which has no such axis, got {lightness!r}; use space={allowed}"
        )
    return weight


@dataclass(frozen=True)
class Colors:
    """The colours of a picture, counted, and the space they are clustered in.

    Attributes
    ----------
    histogram : ColorHistogram
        Distinct colours with their counts.
    space : Space
        Where they are compared.
    machine : Machine
        What it runs on.
    """

    histogram: ColorHistogram
    space: Space
    machine: Machine

    @cached_property
    def mixture(self) -> Mixture | None:
        """Opaque and translucent colours apart, in a picture with transparency."""
        return Mixture(self.histogram, self.machine) if self.space is TRANSLUCENT else None

    @property
    def reserved(self) -> NDArray[Any]:
        """Palette entries that are given, (0 or 1, C): one for what is transparent beside what is visible."""
        is_needed = self.mixture is not None and self.mixture.has_hidden and self.mixture.has_visible
        return np.zeros((int(is_needed), self.histogram.n_channels), np.uint8)

    @property
    def n_distinct(self) -> int:
        """Distinct colours; all that are fully transparent count as one."""
        return len(self.histogram) if self.mixture is None else self.mixture.n_distinct

    def visible(self, n_clusters: int) -> Data:
        """Return the colours as points for K clusters: if some are fully transparent, those that aren't."""
        if self.mixture is not None:
            return mixed_data(self.mixture, n_clusters, self.machine)
        if self.space not in (OPAQUE, OPAQUE_16):
            return ColorData(self._sorted[0], None, False, self.machine, self._sorted[1])
        return ColorData(self.histogram, None, False, self.machine)

    @cached_property
    def _points(self) -> NDArray[Any]:
        """The points of all colours."""
        points = np.empty(self.histogram.colors.shape, np.uint16)

        def embed(bounds: tuple[int, int]) -> None:
            points[slice(*bounds)] = self.space.embed(self.histogram.colors[slice(*bounds)])

        self.machine.workers.for_each(embed, chunk_bounds(len(points)))
        return points

    @cached_property
    def _sorted(self) -> tuple[ColorHistogram, NDArray[Any]]:
        """The points sorted, and the place of each colour's among them."""
        points = self._points

        def chunk(start: int, stop: int) -> NDArray[Any]:
            return points[start:stop]

        return sort_points(len(points), chunk, (3, points.dtype), self.machine, self.histogram.counts)

    def entries(self, centroids: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return palette entries (K, C) for centroids (K, D); where one is the point of a colour, that colour."""
        entries = self.space.restore(centroids)
        if self.space not in (OPAQUE, OPAQUE_16, TRANSLUCENT):  # there, the way back is exact
            is_off = (self.space.embed(entries) != centroids).any(axis=1)
            for k in np.flatnonzero(is_off & (centroids == np.rint(centroids)).all(axis=1)):
                same = (self._points == centroids[k]).all(axis=1)
                if same.any():
                    entries[k] = self.histogram.colors[same.argmax()]
        return entries

    def rounded(self, centroids: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the points of the palette entries for centroids."""
        return self.space.embed(self.entries(centroids)).astype(np.float64)

    def squared_error(self, entries: NDArray[np.uint8], labels: NDArray[Any], measured: float) -> float:
        """Return the sum over the pixels of squared distances to their entries, in squared 8-bit steps of sRGB.

        That is what was measured, unless it was so in another space.
        """
        if self.space in (OPAQUE, OPAQUE_16, TRANSLUCENT):
            return measured / self.space.unit**2
        counts = self.histogram.counts.astype(np.float64)
        algorithm = DenseAlgorithm(Points(self.histogram.colors), counts, len(entries), *self.machine)
        algorithm.labels[:] = labels
        return algorithm.measure(entries.astype(np.float64)).inertia


@contextmanager
def machine_for_picture(pixels: NDArray[Any], request: Request) -> Iterator[Machine]:
    """Lend an engine and workers for all that a picture needs."""
    options = request.options
    n_pixels = pixels.shape[0] * pixels.shape[1]
    work = options.work(n_pixels) * (1 if request.quality is None else N_TRIES)
    with machine_for(options.engine, options.n_threads, n_pixels, work) as machine:
        yield machine


def checked_space(pixels: NDArray[Any], request: Request) -> Space:
    """Return the space for a picture's colours, if this can be asked of it there."""
    options = request.options
    is_wide = pixels.dtype.itemsize == 2
    is_translucent = pixels.shape[2] == 4 and (pixels[..., 3] < np.iinfo(pixels.dtype).max).any()
    if is_wide and is_translucent:
        raise ValueError(
            "image must be opaque with 16 bits a channel, got a picture with transparency; "
            "np.rint(image / 257).astype(np.uint8) makes 8 bits of 16, and np.rint(image * 255) of floats"
        )
    space = TRANSLUCENT if is_translucent else OPAQUE_16 if is_wide else OPAQUE
    if request.space != "srgb":
        space = _checked_named_space(pixels, space, request)
    if not isinstance(options.init, str):
        if space is TRANSLUCENT:
            raise ValueError("init must be the name of a method for a picture with transparency, got an array")
        options.check_features(_channels(pixels, space).shape[2])
    if space is TRANSLUCENT and options.n_clusters == 1 and request.quality is None:
        is_hidden = pixels[..., 3] == 0
        if is_hidden.any() and not is_hidden.all():
            raise ValueError("n_colors must be at least 2 for a picture that is transparent in one place only, got 1")
    return space


def _checked_named_space(pixels: NDArray[Any], found: Space, request: Request) -> Space:
    """Return the space that was asked for, unless it isn't one for what was found."""
    name, init = request.space, request.options.init
    if found is TRANSLUCENT:
        raise ValueError(
            f"space={name!r} needs a picture without transparency, got alpha below 255; space='srgb' takes any, and "
            "what is put onto a background has none"
        )
    if found is OPAQUE_16:
        raise ValueError(
            f"space={name!r} needs a picture of 8 bits a channel, got 16; space='srgb' takes it, and "
            "np.rint(image / 257).astype(np.uint8) makes 8 bits of 16"
        )
    if pixels.shape[2] < 3:
        raise ValueError(
            f"space={name!r} needs a picture of three channels, got a grey one; space='srgb' takes it, and "
            "np.stack([image] * 3, axis=-1) makes it RGB"
        )
    if not isinstance(init, str) and not np.isin(init, np.arange(256)).all():
        raise ValueError(f"init must be whole numbers from 0 to 255 with space={name!r}; np.rint(init) rounds")
    return NAMED[name](request.lightness)


def _channels(pixels: NDArray[Any], space: Space) -> NDArray[Any]:
    """Leave out an alpha channel that says nothing."""
    return pixels if space is TRANSLUCENT else pixels[..., :3]


def count_colors(pixels: NDArray[Any], space: Space, machine: Machine) -> Colors:
    """Count the colours of an image (H, W, C)."""
    return Colors(count(Points(_channels(pixels, space)), machine), space, machine)


@dataclass(frozen=True)
class Found:
    """A palette, and what was learnt about the colours on the way to it."""

    entries: NDArray[Any]
    """The palette (K, C)."""
    counts: NDArray[np.int64]
    """How many pixels each entry has."""
    color_labels: NDArray[Any]
    """The entry of each colour of the histogram."""
    mse: float
    error: float
    """The sum over the pixels of squared distances to their entries, in the steps of the space."""
    n_dimensions: int
    n_iter: int
    converged: bool
    quality_met: bool = True

    @property
    def psnr(self) -> float:
        """Of the same channels as `mse`."""
        return psnr(self.mse, self.n_dimensions)

    @property
    def described(self) -> dict[str, Any]:
        """The fields of a `QuantizedPalette`."""
        return {
            "palette": _without_idle_alpha(self.entries),
            "counts": self.counts,
            "mse": self.mse,
            "psnr": self.psnr,
            "n_iter": self.n_iter,
            "converged": self.converged,
            "quality_met": self.quality_met,
        }


def find_palette(colors: Colors, request: Request) -> Found:
    """Find the palette for counted colours: with so many entries, or so few that reach a quality; in order."""
    if request.quality is None:
        found = _with_n_colors(colors, request.options)
    else:
        found = _few_enough(colors, request.options, request.quality)
        found = replace(found, quality_met=found.psnr >= request.quality)
    order = order_of(found.entries, found.counts, request.sort)
    ranks = np.argsort(order).astype(found.color_labels.dtype)
    return replace(
        found, entries=found.entries[order], counts=found.counts[order], color_labels=ranks[found.color_labels]
    )


def picture_in(pixels: NDArray[Any], colors: Colors, found: Found, dithering: Dithering) -> QuantizedImage:
    """Give each pixel the label of its colour's entry, or dither."""
    channels = _channels(pixels, colors.space)
    if not dithering.is_on or colors.space is TRANSLUCENT:
        labels = label_pixels(colors.histogram, Points(channels), found.color_labels, colors.machine)
        labels = labels.reshape(channels.shape[:2])
    if dithering.is_on:
        if colors.space is not TRANSLUCENT:
            labels = np.empty(channels.shape[:2], found.color_labels.dtype)
        done = dither_pixels(channels, found.entries, colors.histogram.colors, labels, dithering, colors.machine)
        unit = TRANSLUCENT.unit if colors.space is TRANSLUCENT else 1
        mse = done.squares / unit**2 / colors.histogram.n_pixels
        found = replace(found, counts=done.counts, mse=mse)
    return QuantizedImage(**found.described, labels=labels)


def _with_n_colors(colors: Colors, options: Options) -> Found:
    """Find a palette of so many entries: k-means, centroids rounded, and the assignment to what they became.

    With an effort above 1, of what each search ends at the palette of least error, so that none makes it worse.
    """
    n_clusters = options.n_clusters
    if isinstance(options.init, str):  # more would only take memory
        n_clusters = min(n_clusters, colors.n_distinct) - len(colors.reserved)
    visible = colors.visible(n_clusters)
    in_space = _in_space(options, colors.space, n_clusters)
    algorithm, run = session.first_fit(visible, in_space)
    best = _rounded(colors, visible, algorithm, run, searched=False)
    for effort in range(2, options.effort + 1):
        run = session.refine(visible, algorithm, run, in_space, effort)
        best = min(best, _rounded(colors, visible, algorithm, run, searched=True), key=lambda found: found.error)
    return best


def _rounded(colors: Colors, visible: Data, algorithm: Algorithm, run: Run, *, searched: bool) -> Found:
    """Make a palette of the centroids of a run; look for a better one near it if that is wanted."""
    entries = np.vstack([colors.reserved, colors.entries(run.centroids)])
    everything = visible
    if isinstance(visible, MixedData) and len(colors.reserved):
        everything = visible.with_hidden
    # An algorithm of its own where the run's centroids are still to be searched from.
    if everything is not visible or searched:
        algorithm = everything.algorithm(len(entries))
    final = session.settle(everything, algorithm, colors.space.embed(entries).astype(np.float64))
    if searched:
        final = rounding.improved(everything, final, colors.rounded, len(colors.reserved))
    entries = colors.entries(final.centroids)  # exact: a centroid that had to be moved sits on a colour
    labels = everything.labels(final.algorithm).copy()
    return Found(
        entries=entries,
        counts=final.measure.totals.astype(np.int64),
        color_labels=labels,
        mse=colors.squared_error(entries, labels, final.measure.inertia) / colors.histogram.n_pixels,
        error=final.measure.inertia,
        n_dimensions=final.centroids.shape[1],
        n_iter=run.n_iter,
        converged=run.converged,
    )


def _in_space(options: Options, space: Space, n_clusters: int) -> Options:
    """Return options for so many clusters of points of this space."""
    init = options.init
    if isinstance(init, str) and init == "auto":
        # With few colours a bad start is rarely mended, and a good one costs little.
        named = "cubes" if n_clusters <= MOST_ON_CUBES and options.effort else "variance"
        init = named if options.n_init == 1 else "k-means++"
    elif not isinstance(init, str) and space not in (OPAQUE, OPAQUE_16):
        init = space.embed(init.astype(np.uint8)).astype(np.float64)
    return replace(
        options,
        n_clusters=n_clusters,
        init=init,
        tol=options.tol * space.unit**2,
        callback=_in_8_bit_steps(options.callback, space),
    )


def _few_enough(colors: Colors, options: Options, quality: float) -> Found:
    """Find a number of colours that reaches a quality where one less doesn't; the most there may be if none do."""
    best = _with_n_colors(colors, replace(options, n_clusters=MOST_COLORS))
    if best.psnr < quality:
        return best
    least, most = len(colors.reserved) + 1, len(best.entries)
    while least < most:
        middle = (least + most) // 2
        found = _with_n_colors(colors, replace(options, n_clusters=middle))
        if found.psnr >= quality:
            best, most = found, middle
        else:
            least = middle + 1
    return best


def _without_idle_alpha(palette: NDArray[Any]) -> NDArray[Any]:
    """Leave out an alpha channel in which all entries are opaque."""
    has_idle_alpha = palette.shape[1] == 4 and (palette[:, 3] == np.iinfo(palette.dtype).max).all()
    return palette[:, :3] if has_idle_alpha else palette


def checked_image(image: Any, n_threads: int | None = None) -> NDArray[Any]:
    """Return a picture as an array (H, W, C), uint8 or uint16: its own memory, or what its floats are fractions of."""
    if isinstance(image, str | bytes | os.PathLike):
        raise TypeError(
            f"image must be an array or a picture of Pillow's, got {type(image).__name__}; "
            "read_image makes an array of a file"
        )
    if arrays.is_pillow_image(image) and image.mode not in ("L", "RGB", "RGBA", "I;16"):
        raise TypeError(
            f"image must be of Pillow's modes L, RGB, RGBA or I;16, got {image.mode}; .convert('RGB') makes it so"
        )
    array = arrays.unmasked_numbers("image", image, "; fill it, or give it to kmeans, which leaves out what is masked")
    if array.dtype.newbyteorder("=") not in (np.uint8, np.uint16, np.float32, np.float64):
        raise TypeError(
            f"image must be uint8, uint16, or floats from 0 to 1, got {array.dtype}; {_how_to_convert(array.dtype)}"
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ValueError(f"image must have shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got {array.shape}")
    if array.size == 0:
        raise ValueError(f"image must have pixels, got shape {array.shape}")
    pixels = array[..., np.newaxis] if array.ndim == 2 else array
    return pixels if pixels.dtype.kind == "u" else _integers_of(pixels, n_threads)


def _integers_of(pixels: NDArray[Any], n_threads: int | None) -> NDArray[Any]:
    """Return the integers that a picture's floats are fractions of."""
    points = Points(pixels, "image")
    points.check_values()
    with lent_workers(n_threads, points.size) as lent:
        integers = integers_of(points, lent)
    if integers is not None:
        return integers.reshape(pixels.shape)
    low, high = pixels.min(), pixels.max()
    if low < 0 or high > 1:
        raise ValueError(
            f"image must be from 0 to 1 as it is of floats, got {low:g} to {high:g}; if its values reach up to 255, "
            "np.rint(image).astype(np.uint8) converts it"
        )
    raise ValueError(
        "image must be of multiples of 1/255 or 1/65535 as it is of floats, got others; "
        "np.rint(image * 65535).astype(np.uint16) rounds it, and kmeans takes it as it is"
    )


def _how_to_convert(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "b":
        return "np.where(image, 255, 0).astype(np.uint8) converts it"
    if dtype.kind == "f":
        return "image.astype(np.float32) converts it"
    return "if its values reach from 0 to 255, image.astype(np.uint8) converts it"


def _in_8_bit_steps(callback: Callback | None, space: Space) -> Callback | None:
    """Let `callback` see centroids and shift in 8-bit steps, whatever the length of a step in the points."""
    if callback is None or space is OPAQUE:
        return callback

    def show(iteration: int, old: NDArray[np.float64], new: NDArray[np.float64], shift: float) -> Any:
        return callback(iteration, _shown(old, space), _shown(new, space), shift / space.unit**2)

    return show


def _shown(centroids: NDArray[np.float64], space: Space) -> NDArray[np.float64]:
    shown: NDArray[np.float64] = (centroids - np.array(space.origin)) / space.unit
    return shown
