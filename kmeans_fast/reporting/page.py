"""The page: contents and pictures in the places of the files in ``template``."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterator
from html import escape
from importlib import resources
from string import Template
from typing import NamedTuple

from kmeans_fast._version import __version__
from kmeans_fast.reporting.chart import convergence
from kmeans_fast.reporting.contents import Contents, as_json
from kmeans_fast.reporting.pictures import heat_gradient
from kmeans_fast.telling import printable, told_end


class Pictures(NamedTuple):
    """Data URLs of the pictures on a page, the size that they have in common, and the scale of the error map."""

    before: str
    after: str
    errors: str
    size: tuple[int, int]
    top: int


def written(contents: Contents, pictures: Pictures) -> str:
    """Return the page."""
    script, style = _file("page.js"), _file("page.css")
    return Template(_file("page.html")).substitute(
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        script=script,
        style=style,
        heading=escape(heading(contents)),
        title=escape(printable(contents.title)),
        version=__version__,
        before=pictures.before,
        after=pictures.after,
        errors=pictures.errors,
        width=pictures.size[0],
        height=pictures.size[1],
        scaled=_scaled(contents, pictures),
        gradient=heat_gradient(),
        top=pictures.top,
        largest=f"{contents.errors.largest:.1f}",
        median=contents.errors.median,
        strip="".join(_strip(contents)),
        palette="\n".join(_palette(contents)),
        n_points=f"{len(contents.cloud.counts):,}",
        n_distinct=f"{contents.n_distinct:,}",
        chart=convergence(contents.run.shifts, contents.tol),
        shifts="\n".join(_shifts(contents)),
        figures="\n".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in _figures(contents)),
        data=as_json(contents),
    )


def heading(contents: Contents) -> str:
    """Say what the page is about."""
    n_colors = contents.quantized.n_colors
    return f"{printable(contents.title)} in {n_colors} colour{'s' if n_colors != 1 else ''}"


def _file(name: str) -> str:
    return resources.files("kmeans_fast.reporting").joinpath("template", name).read_text(encoding="utf-8")


def _scaled(contents: Contents, pictures: Pictures) -> str:
    if pictures.size == contents.size:
        return "Shown as they are."
    width, height = pictures.size
    return f"Shown scaled down to {width} × {height} pixels."


def _strip(contents: Contents) -> Iterator[str]:
    """Yield the palette as one bar, each entry as wide as its share."""
    for color, count in zip(contents.quantized.hex_colors, contents.quantized.counts.tolist(), strict=True):
        yield f'<i style="background:{color};flex:{count}"></i>'


def _palette(contents: Contents) -> Iterator[str]:
    """Yield the palette's rows."""
    entries = zip(contents.quantized.hex_colors, contents.quantized.counts.tolist(), strict=True)
    for index, (color, count) in enumerate(entries):
        share = count / contents.n_pixels
        levels = ", ".join(map(str, bytes.fromhex(color[1:])))
        yield (
            f'<tr data-entry="{index}"><td><i class="swatch" style="--color:{color}"></i></td>'
            f'<th scope="row"><button type="button" data-copy="{color}" aria-label="Copy {color}">{color}</button></th>'
            f"<td>{levels}</td><td>{count:,}</td>"
            f'<td>{share:.2%}<i class="bar" style="--share:{share:.4f}"></i></td></tr>'
        )


def _shifts(contents: Contents) -> Iterator[str]:
    for iteration, shift in enumerate(contents.run.shifts, 1):
        yield f"<tr><td>{iteration}</td><td>{shift:.6g}</td></tr>"


def _figures(contents: Contents) -> Iterator[tuple[str, str]]:
    """Yield names and values."""
    quantized, (width, height) = contents.quantized, contents.size
    yield "Pixels", f"{width:,} × {height:,}"
    yield "Colours before", f"{contents.n_distinct:,}"
    yield "Colours after (K)", f"{quantized.n_colors:,}"
    yield "Iterations", f"{quantized.n_iter:,}, {told_end(quantized.converged)}"
    yield "PSNR", f"{quantized.psnr:.2f} dB" if math.isfinite(quantized.psnr) else "infinite: no pixel changed"
    yield "Mean squared error of a pixel", f"{quantized.mse:.2f}"
    yield "Largest error", f"{contents.errors.largest:.1f} levels"
    if contents.n_bytes is not None:
        yield "File before", _bytes(contents.n_bytes, contents)
    yield "As an indexed PNG", _bytes(contents.n_bytes_after, contents)
    yield "Colours compared in", contents.space
    yield "Dithering", contents.dither
    for stage, seconds in contents.seconds.items():
        yield f"Seconds to {stage}", f"{seconds:.3f}"


def _bytes(n_bytes: int, contents: Contents) -> str:
    return f"{n_bytes:,} bytes, {8 * n_bytes / contents.n_pixels:.2f} bits a pixel"
