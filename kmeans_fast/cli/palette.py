"""``kmeans-fast palette``: the colours of a picture, printed."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, TextIO

from kmeans_fast.cli.clustering import asked
from kmeans_fast.cli.decoders import libtiff_heard, pixels_allowed
from kmeans_fast.cli.messages import DONE, QUALITY_MISSED

if TYPE_CHECKING:
    from kmeans_fast.imaging.palettes import QuantizedPalette


def run(options: argparse.Namespace, warned: list[str]) -> int:
    """Print the K colours of a picture: hex, share and number of pixels."""
    from kmeans_fast.imaging import files
    from kmeans_fast.imaging.metrics import quality_missed
    from kmeans_fast.imaging.quantization import palette
    from kmeans_fast.progress import print_progress

    with pixels_allowed(options.max_pixels), libtiff_heard([options.source], warned):
        picture = files.read_picture(options.source, max_pixels=options.max_pixels, count_frames=True)
        files.check_memory(picture, options.source, options.max_pixels)
    warned[:0] = picture.notes
    callback = print_progress if options.verbose else None
    found = palette(picture.pixels, options.colors, callback=callback, n_threads=options.threads, **asked(options))
    _print_palette(found, sys.stdout)
    if found.quality_met:
        return DONE
    warned.insert(0, quality_missed(found.psnr, options.quality))
    return QUALITY_MISSED


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
