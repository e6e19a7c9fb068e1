"""What ``kmeans-fast report`` does: a picture's file in, a page about it out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Unpack

from kmeans_fast.imaging import files, sources
from kmeans_fast.imaging.metrics import quality_missed
from kmeans_fast.options import Asked
from kmeans_fast.reporting.making import Report, Source, check_path, checked_asking, make_report
from kmeans_fast.telling import printable, timed, told_end, told_times


class Written(NamedTuple):
    """What was written, what is said of it, and what may surprise, each as a part of a sentence."""

    report: Report
    text: str
    notes: tuple[str, ...]


def write(
    source: Path,
    destination: Path | None,
    n_colors: int | None,
    *,
    quality: float | None = None,
    max_error: float | None = None,
    palette: Any = None,
    sort: str | None = None,
    space: str = "srgb",
    lightness: float = 1.0,
    dither: str = "none",
    strength: float = 1.0,
    max_pixels: int | None = None,
    **options: Unpack[Asked],
) -> Written:
    """Read a picture and write the page; without a destination beside it, as photo-report.html."""
    asking = checked_asking(
        n_colors, quality, sort, space, lightness, options, dither, strength, palette=palette, max_error=max_error
    )
    sources.check_source(source)
    path = destination or source.with_name(f"{source.stem}-report.html")
    check_path(path, source)
    seconds: dict[str, float] = {}
    with timed(seconds, "read"):
        picture = files.read_picture(source, max_pixels=max_pixels, count_frames=True)
    files.check_memory(picture, source, max_pixels)
    made = make_report(picture.pixels, path, Source(source.name, picture.n_bytes, picture.icc_profile, seconds), asking)
    notes = picture.notes
    if not made.quantized.quality_met:
        notes = (*notes, quality_missed(made.quantized.psnr, quality))
    return Written(made, _described(made, source, path), notes)


def _described(made: Report, source: Path, path: Path) -> str:
    quantized = made.quantized
    height, width = quantized.labels.shape
    return "\n".join(
        [
            f"{printable(str(source))} -> {printable(str(path))} ({made.n_bytes:,} bytes)",
            f"{width} x {height} pixels, {made.n_distinct:,} colours -> {quantized.n_colors:,}",
            f"mse {quantized.mse:.2f}, psnr {quantized.psnr:.2f} dB",
            f"{quantized.n_iter} iterations, {told_end(quantized.converged)}",
            told_times(made.seconds),
        ]
    )
