"""Options of every command that clusters a picture's colours."""

from __future__ import annotations

import argparse
from typing import Any

from kmeans_fast.cli import values
from kmeans_fast.imaging.requests import INITS, MAX_ITER, TOL
from kmeans_fast.imaging.sorting import ORDERS
from kmeans_fast.imaging.spaces import NAMED
from kmeans_fast.options import DEFAULT_CLUSTERS as DEFAULT_COLORS
from kmeans_fast.options import DEFAULT_EFFORT, EFFORTS

# The options that the library's functions take by the same names.
_SAME_NAMES = (
    "quality",
    "max_error",
    "sort",
    "space",
    "lightness",
    "init",
    "n_init",
    "max_iter",
    "tol",
    "effort",
    "seed",
    "engine",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to a command's parser."""
    add = parser.add_argument
    add(
        "--max-pixels",
        type=values.positive,
        metavar="N",
        help="refuse a larger picture before it is decoded (default: Pillow's limit, 89478485); where there is "
        "transparency, a pixel counts as five",
    )
    how_many = parser.add_mutually_exclusive_group()
    how_many.add_argument(
        "-k", "--colors", type=values.positive, metavar="K", help=f"number of colours (default: {DEFAULT_COLORS})"
    )
    how_many.add_argument(
        "-q", "--quality", type=values.amount, metavar="DB", help="so few colours, up to 256, that reach this PSNR"
    )
    add(
        "--max-error",
        type=values.amount,
        metavar="X",
        help="so few colours, up to 256, that no colour that is seen differs by more, in CIEDE2000",
    )
    add("--sort", choices=ORDERS, help="order of the palette (default: luma for a picture, count for a palette)")
    add("--space", choices=tuple(NAMED), default="srgb", help="where colours are compared (default: %(default)s)")
    add(
        "--lightness",
        type=values.amount,
        default=1.0,
        metavar="X",
        help="how much lightness counts, 0.1 to 10, in oklab and lab (default: 1)",
    )
    add("-v", "--verbose", action="store_true", help="print each iteration, and every warning on a line of its own")
    add(
        "--seed",
        type=values.natural,
        default=0,
        metavar="N",
        help="another seed, other first colours (default: %(default)s)",
    )
    add("--init", choices=INITS, default="auto", help="first colours (default: %(default)s)")
    add(
        "--n-init",
        type=values.positive,
        default=1,
        metavar="N",
        help="runs, of which the best counts (default: %(default)s)",
    )
    add(
        "--max-iter", type=values.positive, default=MAX_ITER, metavar="N", help="most iterations (default: %(default)s)"
    )
    add(
        "--tol",
        type=values.amount,
        default=TOL,
        metavar="X",
        help="stop when no colour moves further; its square, in 8-bit steps (default: %(default)s)",
    )
    add(
        "--effort",
        type=int,
        choices=EFFORTS,
        default=DEFAULT_EFFORT,
        metavar="N",
        help="0 a fast first palette, 2 and 3 search for less error, which takes longer (default: %(default)s)",
    )
    add(
        "--threads",
        type=values.positive,
        metavar="N",
        help="most threads in all (default: as many as the process may use)",
    )
    add("--engine", choices=("auto", "numba", "numpy"), default="auto", help="the result is the same (default: auto)")


def check(options: argparse.Namespace) -> None:
    """Refuse to find a number of colours that is given, and to measure what isn't printed."""
    if options.colors is not None and options.max_error is not None:
        options.parser.error("argument --max-error: not allowed with argument -k/--colors")
    if getattr(options, "metrics", False) and options.quiet:
        options.parser.error("argument --metrics: not allowed with argument --quiet, which prints none")


def given_options(options: argparse.Namespace, of_run: dict[str, Any]) -> dict[str, Any]:
    """Return what was asked for beside a palette that is given: then no more than that, or it would be refused."""
    everything = asked(options) | of_run
    if options.palette is None:
        return everything
    kept = ("space", "lightness", "engine", "n_threads")
    defaults = {"callback": of_run["callback"]} | {name: options.parser.get_default(name) for name in _SAME_NAMES}
    given = {name: value for name, value in everything.items() if name in kept or value != defaults[name]}
    return given | {"palette": options.palette}


def asked(options: argparse.Namespace) -> dict[str, Any]:
    """Return what was asked for, as the library's functions take it, but for threads and a callback."""
    return {name: getattr(options, name) for name in _SAME_NAMES}
