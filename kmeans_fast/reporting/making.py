"""`report`: a picture is quantized, and what happened becomes a page."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import validation
from kmeans_fast.imaging import files
from kmeans_fast.imaging.channels import with_channels
from kmeans_fast.imaging.finding import find_palette
from kmeans_fast.imaging.mapping import picture_in
from kmeans_fast.imaging.palettes import QuantizedImage
from kmeans_fast.imaging.picture_colors import Colors, count_colors
from kmeans_fast.imaging.pixels import Pixels, checked_pixels
from kmeans_fast.imaging.requests import MOST_COLORS, Request, checked_request
from kmeans_fast.machine.files import replace_file
from kmeans_fast.options import Asked
from kmeans_fast.reporting import cloud, errors, page, pictures
from kmeans_fast.reporting.contents import Contents
from kmeans_fast.reporting.trace import Trace
from kmeans_fast.telling import timed

SUFFIXES = (".html", ".htm")


@dataclass(frozen=True)
class Source:
    """Where a picture is from.

    Attributes
    ----------
    title : str
        What it is called on the page.
    n_bytes : int or None
        Size of its file.
    icc_profile : bytes or None
        Its colour profile.
    seconds : dict of str to float
        What has been taken for it so far.
    """

    title: str
    n_bytes: int | None = None
    icc_profile: bytes | None = None
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes
    ----------
    quantized : QuantizedImage
        What the page is about.
    n_distinct : int
        Colours of the picture; all fully transparent pixels count as one.
    n_bytes : int
        Of the page.
    seconds : dict of str to float
        Time of each stage.
    """

    quantized: QuantizedImage
    n_distinct: int
    n_bytes: int
    seconds: dict[str, float]


def report(
    image: Any,
    n_colors: int | None,
    path: str | os.PathLike[str],
    *,
    title: str = "A picture",
    quality: float | None = None,
    sort: str | None = None,
    space: str = "srgb",
    lightness: float = 1.0,
    dither: str = "none",
    strength: float = 1.0,
    palette: Any = None,
    fixed: Any = None,
    **options: Unpack[Asked],
) -> QuantizedImage:
    """Quantize an image and write a page about it: one HTML file, which loads nothing from anywhere.

    It shows the picture before and after behind a slider, the palette with values to copy, the picture's colours as
    points in three dimensions, among which the centroids move iteration by iteration, the convergence, a map of the
    errors, and figures. Pictures are scaled down to at most 1.1 megapixels; the figures are of the whole picture.

    Parameters
    ----------
    image : array_like
        As for `quantize`.
    n_colors : int or None
        The number of colours, at most 256; None for 8, or where something else says how many.
    path : str or path-like
        Where the page goes: a name that ends in ``.html``. An existing file is replaced once the new one is complete.
    title : str
        What the page calls the picture.
    sort : {None, "count", "luma", "hue", "none"}
        As for `quantize`; None is ``"count"``, or ``"none"`` for a palette that is given.
    quality, space, lightness, dither, strength, palette, fixed, **options
        As for `quantize`.

    Returns
    -------
    QuantizedImage
        What `quantize` returns for the same options.

    Raises
    ------
    TypeError
        If `title` is no string; and what `quantize` says of the others.
    ValueError
        If the path does not end in ``.html``, or there would be more than 256 colours; and what `quantize` says of the
        others.
    OSError
        If the file can't be written. Nothing half-written remains, and a file that was there before is as it was.

    Notes
    -----
    The page is the same each time, but for the seconds that it tells. The pictures in it are written by Pillow, whose
    next version may write other bytes. With several runs, as `n_init`, `effort` or `quality` make them, it shows the
    run that the palette came from.

    Examples
    --------
    >>> import kmeans_fast as kf, pathlib, tempfile
    >>> image = kf.read_image(kf.sample_path())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "cat.html"
    ...     quantized = kf.report(image, 8, path, title="Cat")
    ...     "<title>Cat in 8 colours</title>" in path.read_text(encoding="utf-8")
    True
    >>> quantized
    <QuantizedImage: 451×300 pixels, 8 colors, mse 293.32, psnr 28.23 dB>
    """
    if not isinstance(title, str):
        raise TypeError(f"title must be a string, got {type(title).__name__}")
    asking = checked_asking(
        n_colors, quality, sort, space, lightness, options, dither, strength, palette=palette, fixed=fixed
    )
    check_path(path)
    return make_report(image, path, Source(title), asking).quantized


class Asking(NamedTuple):
    """What a report was asked for, checked."""

    request: Request
    trace: Trace
    """The callback of the request, if something is searched for."""
    dither: str


def checked_asking(
    n_colors: int | None,
    quality: float | None,
    sort: str | None,
    space: str,
    lightness: float,
    options: Asked,
    dither: str,
    strength: float,
    **given: Any,
) -> Asking:
    """Check what a report was asked for, before any work."""
    validation.function("callback", options.get("callback"))
    trace = Trace(options.get("callback"))
    if given.get("palette") is None:
        options = {**options, "callback": trace}
        sort = "count" if sort is None else sort
    request = checked_request(
        n_colors, quality, "none" if sort is None else sort, space, lightness, options, dither, strength, **given
    )
    n_entries = request.options.n_clusters
    if n_entries > MOST_COLORS:
        raise ValueError(f"there must be at most {MOST_COLORS} colours in a report, got {n_entries}")
    return Asking(request, trace, dither)


def make_report(image: Any, path: str | os.PathLike[str], source: Source, asking: Asking) -> Report:
    """Do what `report` does for a picture from somewhere, and say more of it."""
    seconds = dict(source.seconds)
    request = asking.request
    pixels = checked_pixels(image, request)
    with request.machine(pixels.size) as machine:
        with timed(seconds, "count"):
            colors = count_colors(pixels, machine)
        with timed(seconds, "cluster"):
            quantized = picture_in(pixels, colors, find_palette(colors, request), request)
        with timed(seconds, "measure"):
            contents = _contents(pixels, colors, quantized, asking, source, seconds)
    with timed(seconds, "draw"):
        shown = _pictures(pixels.channels, contents, source.icc_profile)
    data = page.written(contents, shown).encode()
    replace_file(Path(path), data)
    return Report(quantized, contents.n_distinct, len(data), seconds)


def check_path(path: str | os.PathLike[str], source: Path | None = None) -> None:
    """Check, before any work, that a page can be written, and not over the picture."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise ValueError(f"the report is a page, so its name must end in .html, got {Path(path).name!r}")
    files.check_replaceable(Path(path), source)


def _contents(
    pixels: Pixels,
    colors: Colors,
    quantized: QuantizedImage,
    asking: Asking,
    source: Source,
    seconds: dict[str, float],
) -> Contents:
    is_visible = cloud.is_visible(colors.histogram.colors)
    entries = with_channels(quantized.palette, colors.histogram.n_channels)
    visible = np.flatnonzero(cloud.is_visible(entries))
    points = cloud.points_in(colors.space, entries[visible])
    request = asking.request
    return Contents(
        title=source.title,
        n_bytes=source.n_bytes,
        n_bytes_after=_png_size(quantized, source.icc_profile),
        n_distinct=int(is_visible.sum()) + (not is_visible.all()),
        space=request.space,
        dither=asking.dither,
        quantized=quantized,
        cloud=cloud.cloud_of(colors.histogram, colors.space, request.space),
        entries=points,
        visible=visible,
        run=asking.trace.run_to(points),
        tol=request.options.tol,
        errors=errors.measured(pixels.channels, quantized),
        seconds=seconds,
    )


def _png_size(quantized: QuantizedImage, icc_profile: bytes | None) -> int:
    return quantized.to_8_bit().save(io.BytesIO(), icc_profile=icc_profile)


def _pictures(pixels: NDArray[Any], contents: Contents, icc_profile: bytes | None) -> page.Pictures:
    height, width = pixels.shape[:2]
    before = pictures.small(pixels)
    after = pictures.small(contents.quantized.to_array().reshape(height, width, -1))
    heat, top = pictures.heat_map(contents.errors.levels)
    return page.Pictures(
        before=pictures.data_url(before, icc_profile),
        after=pictures.data_url(after, icc_profile),
        errors=pictures.data_url(heat),
        size=before.size,
        top=top,
    )
