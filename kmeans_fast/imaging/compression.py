"""A file in, a smaller file out: `compress` and its report."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Unpack

from kmeans_fast.imaging import encoding, files, sources
from kmeans_fast.imaging.encoding import Format, check_keeping, notes_of_loss
from kmeans_fast.imaging.finding import find_palette
from kmeans_fast.imaging.mapping import picture_in
from kmeans_fast.imaging.metadata import Metadata
from kmeans_fast.imaging.metrics import quality_missed
from kmeans_fast.imaging.palettes import QuantizedImage
from kmeans_fast.imaging.picture_colors import count_colors
from kmeans_fast.imaging.pixels import Pixels, checked_pixels
from kmeans_fast.imaging.requests import Request, checked_request
from kmeans_fast.imaging.sources import Readable
from kmeans_fast.options import Asked
from kmeans_fast.telling import timed, told_end, told_times

if TYPE_CHECKING:
    from kmeans_fast.imaging.comparing import Comparison


@dataclass(frozen=True)
class CompressionReport:
    """What `compress` did. ``print(report)`` shows it as a small table.

    Attributes
    ----------
    source, destination : pathlib.Path or None
        The files; None for bytes and file objects.
    width, height : int
        Size of the image in pixels, or of a frame, after its EXIF orientation was applied.
    bytes_before, bytes_after : int
        Size of the files.
    colors_before, colors_after : int
        Distinct colours; all fully transparent pixels count as one, unless their colours are kept.
    mse : float
        Mean squared distance of a pixel, summed over its channels, as in `QuantizedImage`.
    psnr : float
        Peak signal-to-noise ratio in dB, as in `QuantizedImage`; infinite if no pixel changed.
    n_iter : int
        Iterations of k-means.
    converged : bool
        Whether k-means stopped by itself, and not because of `max_iter` or the callback.
    quality_met : bool
        As in `QuantizedImage`.
    seconds : dict of str to float
        Time of each stage: ``"read"``, ``"start"`` (of the engine), ``"count"`` (the colours before), ``"cluster"``,
        ``"compare"`` if that was asked for, and ``"write"``.
    notes : tuple of str
        What may surprise: that the output is larger than the source, that only the first picture of several was taken,
        that a colour profile was dropped, that 16-bit values filled a small part of their range, or that the quality
        asked for was not reached. Each is a part of a sentence; none if all is as usual.
    n_frames : int
        How many pictures were written.
    metrics : Comparison or None
        What `compare` says, if it was asked for.

    Examples
    --------
    >>> import kmeans_fast as kf, pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = kf.compress(kf.sample_path(), pathlib.Path(folder) / "cat8.png", 8)
    >>> report.bytes_before, report.bytes_after < 30_000, f"{report.psnr:.2f} dB"
    (240512, True, '28.23 dB')
    """

    source: Path | None
    destination: Path | None
    width: int
    height: int
    bytes_before: int
    bytes_after: int
    colors_before: int
    colors_after: int
    mse: float
    psnr: float
    n_iter: int
    converged: bool
    quality_met: bool
    seconds: dict[str, float]
    notes: tuple[str, ...] = ()
    n_frames: int = 1
    metrics: Comparison | None = None

    @property
    def bits_per_pixel(self) -> float:
        """Size of the written file in bits, divided by the number of pixels of all frames."""
        return self.bytes_after * 8 / (self.width * self.height * self.n_frames)

    def __str__(self) -> str:
        bits_before = self.bytes_before * 8 / (self.width * self.height * self.n_frames)
        rows = [
            f"{_printable(self.source)} -> {_printable(self.destination)}",
            f"{f'{self.width} x {self.height} pixels':<20}{'before':>12}   {'after':>12}",
            f"{'bytes':<20}{self.bytes_before:>12,}   {self.bytes_after:>12,}",
            f"{'bits a pixel':<20}{bits_before:>12.2f}   {self.bits_per_pixel:>12.2f}",
            f"{'colours':<20}{self.colors_before:>12,}   {self.colors_after:>12,}",
            f"{'mse':<20}{'':>12}   {self.mse:>12.2f}",
            f"{'psnr (dB)':<20}{'':>12}   {self.psnr:>12.2f}",
            *(f"{name:<20}{'':>12}   {value:>12.{digits}f}" for name, value, digits in self._measured()),
            f"{self.n_iter} iterations, {told_end(self.converged)}",
            *([f"{self.n_frames} frames"] if self.n_frames > 1 else []),
            *map(_printable, self.notes),
            told_times(self.seconds),
        ]
        return "\n".join(rows)

    def _measured(self) -> Iterator[tuple[str, float, int]]:
        """Yield what was measured beyond mse and psnr, and its digits."""
        if self.metrics is not None:
            yield "delta E, mean", self.metrics.delta_e_mean, 2
            yield "delta E, largest", self.metrics.delta_e_max, 2
            if self.metrics.ssim is not None:
                yield "ssim", self.metrics.ssim, 4


def compress(
    source: Readable,
    destination: str | os.PathLike[str] | BinaryIO,
    n_colors: int | None = None,
    *,
    format: str | None = None,
    strip: bool = False,
    keep_metadata: bool = False,
    frame: int | None = None,
    quality: float | None = None,
    max_error: float | None = None,
    sort: str | None = None,
    space: str = "srgb",
    lightness: float = 1.0,
    dither: str = "none",
    strength: float = 1.0,
    palette: Any = None,
    fixed: Any = None,
    min_region: int = 1,
    keep_hidden_color: bool = False,
    compress_level: int = encoding.COMPRESS_LEVEL,
    encoder: str = "zlib",
    max_pixels: int | None = None,
    metrics: bool = False,
    **options: Unpack[Asked],
) -> CompressionReport:
    """Read a picture, reduce it to `n_colors` colours and write it.

    Parameters
    ----------
    source : str, path-like, bytes-like or binary file object
        A picture, read as by `read_image`. A file is never overwritten.
    destination : str, path-like or binary file object
        Where the picture goes. An existing file is replaced once the new one is complete.
    n_colors : int, optional
        The number of colours, at least 1; 8 by default. More than 256 make an RGB or RGBA picture, not an indexed one.
    format : {None, "png", "gif", "webp", "tiff", "bmp"}
        As for `QuantizedImage.save`: by default what the destination's name ends in.
    strip : bool
        Write pixels alone. By default what a file says of how its colours and size are meant goes along, as far as the
        format has a place for it: an RGB colour profile (ICC), from PNG to PNG gAMA, cHRM, cICP and sRGB, and the dots
        per inch.
    keep_metadata : bool
        Keep EXIF, XMP and texts as well, but no orientation, as it is applied, and no thumbnail; for PNG, WebP
        and TIFF, where texts are for PNG alone.
        What gives away where and when a picture was taken is among them.
    frame : int, optional
        Which of several pictures, counted from 0, to write by itself. By default an animation (GIF, PNG, WebP) makes an
        animation, as GIF, PNG or WebP, with its frames, durations and repetitions, and the pages of a TIFF, if they are
        of one size, a TIFF of as many; all share one palette. Otherwise the first is taken, and a note says so.
    sort : {"luma", "count", "hue", "none"}, optional
        As for `quantize`; ``"luma"`` by default, unless a palette is given, which keeps its order. With up to 16
        colours, dark to light makes files smaller than any other order. WebP keeps none.
    dither, strength
        As for `quantize`. Dithered files are larger; with ``"bayer"`` the least so.
    quality, max_error, space, lightness, palette, fixed, min_region, keep_hidden_color, init, n_init, max_iter, tol,
    relaxation, momentum, effort, seed, engine, n_threads, callback
        As for `quantize`. Hidden colours are kept in PNG, WebP and TIFF.
    compress_level, encoder
        As for `QuantizedImage.save`.
    max_pixels : int, optional
        As for `read_image`. A picture with transparency takes about five times the memory of an opaque one to cluster,
        so that each of its pixels counts as five.
    metrics : bool
        Whether to `compare` the pictures before and after as well, which takes longer than all the rest.

    Returns
    -------
    CompressionReport
        Sizes, colours, error and times.

    Raises
    ------
    ValueError
        If the source is not a readable picture, if the destination is the source or its name does not end in the
        format; if the format can't hold the picture, see `QuantizedImage.save`, or the metadata that are to be kept; if
        `strip` and `keep_metadata` are both asked for; and what `quantize` says of the other options.
    OSError
        If the source can't be read or the destination can't be written. Nothing half-written remains, and a file that
        was there before is as it was.

    Notes
    -----
    The palette and labels are the same on every machine. The bytes of the file also depend on the version of Pillow,
    and of zlib or libwebp that it was built with.

    Examples
    --------
    >>> import kmeans_fast as kf, pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = kf.compress(kf.sample_path(), pathlib.Path(folder) / "cat-8-colors.png", 8)
    >>> report.width, report.height, report.colors_before, report.colors_after
    (451, 300, 32584, 8)
    """
    order = sort or ("luma" if palette is None else "none")
    request = checked_request(
        n_colors,
        quality,
        order,
        space,
        lightness,
        options,
        dither,
        strength,
        palette,
        fixed,
        min_region=min_region,
        max_error=max_error,
        keep_hidden_color=keep_hidden_color,
    )
    sources.check_source(source)
    written = files.check_destination(destination, source, format)
    encoding.check_encoder(written, encoder)
    encoding.check_level(written, compress_level, encoder)
    encoding.check_size(written, request.options.n_clusters, (1, 1))
    check_keeping(written, strip=strip, keep_metadata=keep_metadata)
    encoding.check_sort(written, sort)
    if keep_hidden_color:
        encoding.check_keeping_hidden(written)
    seconds: dict[str, float] = {}
    with timed(seconds, "read"):
        picture = files.read_picture(
            source,
            frame=frame,
            sequence=written.sequence,
            max_pixels=max_pixels,
            count_frames=True,
            keep_metadata=keep_metadata,
        )
    files.check_memory(picture, source, max_pixels)
    pixels = checked_pixels(picture.pixels, request)
    _check_held(written, pixels, request)
    encoding.check_encoder(written, encoder, 1 if picture.timing is None else len(pixels.channels))
    height, width = pixels.channels.shape[-3:-1]
    played = picture.timing if written.sequence == "animation" else None
    with ExitStack() as stack:
        with timed(seconds, "start"):
            machine = stack.enter_context(request.machine(pixels.size))
        with timed(seconds, "count"):
            colors = count_colors(pixels, machine, as_points=request.is_of_points)
        with timed(seconds, "cluster"):
            quantized = picture_in(pixels, colors, find_palette(colors, request), request)
    measured = None
    if metrics:
        from kmeans_fast.imaging.comparing import compare  # nobody else waits for it

        with timed(seconds, "compare"):
            measured = compare(picture.pixels, quantized, n_threads=request.options.n_threads)
    with timed(seconds, "write"):
        bytes_after = files.write_picture(
            destination,
            quantized.palette,
            quantized.labels,
            format=format,
            compress_level=compress_level,
            encoder=encoder,
            metadata=Metadata() if strip else picture.metadata,
            duration=None if played is None else [min(each, encoding.MOST_DURATION) for each in played.durations],
            loop=None if played is None else min(played.loop, encoding.MOST_PLAYS),
        )
    return CompressionReport(
        source=_path_of(source),
        destination=_path_of(destination),
        width=width,
        height=height,
        bytes_before=picture.n_bytes,
        bytes_after=bytes_after,
        colors_before=colors.n_distinct,
        colors_after=quantized.n_colors,
        mse=quantized.mse,
        psnr=quantized.psnr,
        n_iter=quantized.n_iter,
        converged=quantized.converged,
        quality_met=quantized.quality_met,
        seconds=seconds,
        notes=tuple(_notes(picture, bytes_after, quantized, quality, None if strip else written)),
        n_frames=1 if picture.timing is None else len(quantized.labels),
        metrics=measured,
    )


def _path_of(file: Readable) -> Path | None:
    return Path(file) if isinstance(file, (str, os.PathLike)) else None


def _check_held(written: Format, pixels: Pixels, request: Request) -> None:
    """Check that a format holds what the palette of these pixels has, whatever it will be."""
    encoding.check_size(written, 1, pixels.channels.shape[:-1])
    for colors in (pixels.given,) if request.palette is not None else (pixels.channels, pixels.given):
        if colors.shape[-1] == 4:
            encoding.check_alpha(written, colors[..., 3])


def _printable(text: Path | str | None) -> str:
    """Show a text as it is, or escaped if a terminal should not see it raw."""
    if text is None:
        return "(memory)"
    return str(text) if str(text).isprintable() else repr(str(text))


def _notes(
    picture: files.Picture, bytes_after: int, quantized: QuantizedImage, quality: float | None, kept_in: Format | None
) -> list[str]:
    """Say what may surprise; metadata are kept in a format, or were to be dropped."""
    notes = list(picture.notes)
    if kept_in is not None:
        notes += notes_of_loss(kept_in, picture.metadata)
    if bytes_after > picture.n_bytes:
        notes.append(f"the output is larger than the source: {bytes_after:,} bytes instead of {picture.n_bytes:,}")
    if not quantized.quality_met:
        notes.append(quality_missed(quantized.psnr, quality))
    return notes
