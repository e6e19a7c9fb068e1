"""``kmeans-fast palette``: the colours of a picture, printed."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from kmeans_fast.cli.clustering import asked
from kmeans_fast.cli.decoders import libtiff_heard, pixels_allowed
from kmeans_fast.cli.messages import DONE, FAILED, QUALITY_MISSED, Warned, complain, gravest, in_words_about
from kmeans_fast.telling import printable

if TYPE_CHECKING:
    from kmeans_fast.imaging.palettes import QuantizedPalette


FORMATS = ("text", "hex", "css", "json", "gpl")


def run(options: argparse.Namespace, warned: Warned) -> int:
    """Print the K colours of a picture: hex, share and number of pixels; of several pictures, each by its name."""
    if options.format == "gpl" and len(options.sources) > 1:
        options.parser.error(f"--format gpl takes one picture, got {len(options.sources)}")
    if len(options.sources) == 1:
        found = _found(options.sources[0], options, warned)
        _show(found, options, None)
        return DONE if found.quality_met else QUALITY_MISSED
    return gravest([_run_one_of_many(source, options, warned) for source in options.sources])


def _run_one_of_many(source: Path, options: argparse.Namespace, warned: Warned) -> int:
    heard = Warned()
    try:
        found = _found(source, options, heard)
    except (OSError, ValueError, MemoryError) as error:
        complain(in_words_about(str(source), error))
        return FAILED
    _show(found, options, source)
    warned += [f"{source}: {message}" for message in heard]
    return DONE if found.quality_met else QUALITY_MISSED


def _found(source: Path, options: argparse.Namespace, warned: list[str]) -> QuantizedPalette:
    """Find the palette of a picture; warn if it is not as good as was asked for."""
    from kmeans_fast.imaging import files
    from kmeans_fast.imaging.metrics import quality_missed
    from kmeans_fast.imaging.quantization import palette
    from kmeans_fast.progress import print_progress

    with pixels_allowed(options.max_pixels), libtiff_heard([source], warned):
        picture = files.read_picture(source, sequence="any", max_pixels=options.max_pixels, count_frames=True)
        files.check_memory(picture, source, options.max_pixels)
    warned[:0] = picture.notes
    how = {"callback": print_progress if options.verbose else None, "n_threads": options.threads, **asked(options)}
    found = palette(picture.pixels, options.colors, ignore=options.ignore, merge=options.merge, **how)
    if not found.quality_met:
        warned.insert(0, quality_missed(found.psnr, options.quality))
    return found


def _show(found: QuantizedPalette, options: argparse.Namespace, source: Path | None) -> None:
    """Print a palette, and if it is one of several, whose it is."""
    if options.format == "css":
        print(found.to_css("color" if source is None else re.sub(r"\W+", "-", source.stem)))
    elif options.format == "json":
        text = found.to_json()
        print(text if source is None else json.dumps({"source": str(source), **json.loads(text)}))
    elif options.format == "gpl":
        buffer = io.BytesIO()
        found.save(buffer, format="gpl")
        print(buffer.getvalue().decode(), end="")
    else:
        if source is not None:
            print(printable(str(source)))
        if options.format == "hex":
            print("\n".join(found.hex))
        else:
            _print_palette(found, sys.stdout)


def _print_palette(image: QuantizedPalette, stream: TextIO) -> None:
    in_color = _shows_color(stream)
    colors, counts = image.hex_colors, image.counts.tolist()
    for index in range(image.n_colors):
        block = ""
        if in_color:
            red, green, blue = bytes.fromhex(colors[index][1:7])
            block = f"\x1b[48;2;{red};{green};{blue}m    \x1b[0m "
        print(f"{block}{colors[index]} {counts[index] / sum(counts):8.2%} {counts[index]:10}", file=stream)


def _shows_color(stream: TextIO) -> bool:
    """Tell whether `stream` is a terminal whose user has nothing against colour (https://no-color.org)."""
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return os.name != "nt" or "WT_SESSION" in os.environ  # the old Windows console would show the escapes
