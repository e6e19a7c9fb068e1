"""`report`: a picture is quantized, and what happened becomes a page."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import validation
from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.imaging import files
from kmeans_fast.imaging.palettes import QuantizedImage
from kmeans_fast.imaging.quantization import TOL, checked_image, quantize
from kmeans_fast.machine.files import replace_file
from kmeans_fast.reporting import cloud, errors, page, pictures
from kmeans_fast.reporting.contents import Contents
from kmeans_fast.reporting.trace import Trace

SUFFIXES = (".html", ".htm")
#: As many as a page lists, and a PNG indexes.
MOST_COLORS = 256
# Of `quantize`, but for the order.
DEFAULTS: dict[str, Any] = {"sort": "count", "space": "srgb", "lightness": 1.0, "dither": "none", "tol": TOL}


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
    **options: Any,
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
        The number of colours, at most 256; 8 if None.
    path : str or path-like
        Where the page goes: a name that ends in ``.html``. An existing file is replaced once the new one is complete.
    title : str
        What the page calls the picture.
    **options
        All that `quantize` takes by name. The palette is sorted by ``"count"`` unless `sort` says otherwise.

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
    return make_report(image, n_colors, path, Source(title), **options).quantized


def make_report(
    image: Any, n_colors: int | None, path: str | os.PathLike[str], source: Source, **options: Any
) -> Report:
    """Do what `report` does for a picture from somewhere, and say more of it."""
    check_path(path)
    _check_size(n_colors, options.get("init"))
    validation.function("callback", options.get("callback"))
    asked = DEFAULTS | options
    trace = Trace(asked.pop("callback", None))
    seconds = dict(source.seconds)
    with timed(seconds, "quantize"):
        pixels = checked_image(image)
        quantized = quantize(pixels, n_colors, callback=trace, **asked)
    with timed(seconds, "measure"):
        contents = _contents(pixels, quantized, trace, asked, source, seconds)
    with timed(seconds, "draw"):
        shown = _pictures(pixels, contents, source.icc_profile)
    data = page.written(contents, shown).encode()
    replace_file(Path(path), data)
    return Report(quantized, contents.n_distinct, len(data), seconds)


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Note how long a stage takes."""
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start


def check_path(path: str | os.PathLike[str], source: Path | None = None) -> None:
    """Check, before any work, that a page can be written, and not over the picture."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise ValueError(f"the report is a page, so its name must end in .html, got {Path(path).name!r}")
    files.check_replaceable(Path(path), source)


def _check_size(n_colors: Any, init: Any) -> None:
    """Refuse more colours than a page lists; what else may be wrong with these is for `quantize` to say."""
    if n_colors is None and init is not None and not isinstance(init, str):
        n_colors = len(init)
    if isinstance(n_colors, (int, np.integer)) and n_colors > MOST_COLORS:
        raise ValueError(f"n_colors must be at most {MOST_COLORS} in a report, got {n_colors}")


def _contents(
    pixels: NDArray[Any],
    quantized: QuantizedImage,
    trace: Trace,
    asked: dict[str, Any],
    source: Source,
    seconds: dict[str, float],
) -> Contents:
    histogram = _counted(pixels)
    is_visible = cloud.is_visible(histogram.colors)
    space = cloud.space_of(histogram, asked["space"], asked["lightness"])
    palette = _with_channels(quantized.palette, histogram.n_channels)
    visible = np.flatnonzero(cloud.is_visible(palette))
    entries = cloud.points_in(space, palette[visible])
    return Contents(
        title=source.title,
        n_bytes=source.n_bytes,
        n_bytes_after=_png_size(quantized, source.icc_profile),
        n_distinct=int(is_visible.sum()) + (not is_visible.all()),
        space=asked["space"],
        dither=asked["dither"],
        quantized=quantized,
        cloud=cloud.cloud_of(histogram, space, asked["space"]),
        entries=entries,
        visible=visible,
        run=trace.run_to(entries),
        tol=float(asked["tol"]),
        errors=errors.measured(pixels, quantized),
        seconds=seconds,
    )


def _counted(pixels: NDArray[Any]) -> ColorHistogram:
    """Count the colours of an image, without an alpha channel that says nothing."""
    is_opaque = pixels.shape[2] == 4 and (pixels[..., 3] == np.iinfo(pixels.dtype).max).all()
    return ColorHistogram.from_image(pixels[..., :3] if is_opaque else pixels)


def _with_channels(palette: NDArray[Any], n_channels: int) -> NDArray[Any]:
    """Give the palette an alpha channel if it has lost one that said nothing."""
    if palette.shape[1] == n_channels:
        return palette
    return np.insert(palette, 3, np.iinfo(palette.dtype).max, axis=1)


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
