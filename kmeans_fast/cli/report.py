"""``kmeans-fast report``: a page about a picture in K colours."""

from __future__ import annotations

import argparse

from kmeans_fast.cli.clustering import given_options
from kmeans_fast.cli.decoders import libtiff_heard, pixels_allowed
from kmeans_fast.cli.messages import DONE, QUALITY_MISSED, Warned


def run(options: argparse.Namespace, warned: Warned) -> int:
    """Write a page about a picture in K colours: before and after, its palette, its colours in space, and figures."""
    from kmeans_fast.progress import print_progress
    from kmeans_fast.reporting.command import write

    of_run = {"callback": print_progress if options.verbose else None, "n_threads": options.threads}
    with pixels_allowed(options.max_pixels), libtiff_heard([options.source], warned):
        written = write(
            options.source,
            options.output,
            options.colors,
            max_pixels=options.max_pixels,
            dither=options.dither,
            strength=options.strength,
            **given_options(options, of_run),
        )
    warned[:0] = written.notes
    print(written.text)
    return DONE if written.report.quantized.quality_met else QUALITY_MISSED
