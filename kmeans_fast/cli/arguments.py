"""The command line, read: a function to run, with its options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from kmeans_fast._version import __version__
from kmeans_fast.cli import clustering, compressing, installation, palette, report, values
from kmeans_fast.cli.messages import EXIT_STATUS, WRONG_USAGE, complain
from kmeans_fast.imaging.dithering import METHODS
from kmeans_fast.imaging.encoding import COMPRESS_LEVEL, ENCODERS, FORMATS


class _Parser(argparse.ArgumentParser):
    """A parser that complains in one line."""

    def error(self, message: str) -> NoReturn:
        complain(f"{message} (see {self.prog} --help)")
        raise SystemExit(WRONG_USAGE)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read a command line; ``run`` of the result is to be called with the result."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = _Parser(
        prog="kmeans-fast",
        description="A picture in K colours, by exact k-means on all its pixels.",
        epilog=EXIT_STATUS,
    )
    parser.add_argument("--version", action="version", version=f"kmeans-fast {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (_add_compress, _add_palette, _add_report, _add_warmup, _add_info):
        add(commands)
    if given and given[0] in commands.choices:  # pictures may come before, between and after options
        return _checked(commands.choices[given[0]].parse_intermixed_args(_with_suffix(given[1:])))
    return parser.parse_args(given)


def _with_suffix(given: list[str]) -> list[str]:
    """Join ``--ext`` and its value, which mostly begins with a dash and would be taken for an option."""
    if "--ext" in given[:-1]:
        place = given.index("--ext")
        return [*given[:place], f"--ext={given[place + 1]}", *given[place + 2 :]]
    return given


def _add_compress(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "compress",
        help="write pictures in K colours",
        description=compressing.run.__doc__,
        epilog=EXIT_STATUS,
    )
    parser.set_defaults(run=compressing.run, parser=parser, output=..., folder=None)
    add = parser.add_argument
    add(
        "sources",
        type=values.picture_or_stream,
        nargs="+",
        metavar="PICTURE",
        help="any format that Pillow reads, wildcards such as '*.jpg' are "
        "expanded; - is standard input, which goes to standard output unless -o says otherwise; after --, names may "
        "begin with a dash",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "-o",
        "--output",
        type=values.picture_or_stream,
        default=...,
        metavar="FILE",
        help="where to write one picture; an existing file is replaced; - is standard output, and the report then goes "
        "to stderr (default: photo.jpg gives photo-8-colors.png beside it, and a GIF a GIF)",
    )
    where.add_argument(
        "-O",
        "--folder",
        type=Path,
        metavar="FOLDER",
        help="where to write any number of pictures: photo.jpg gives FOLDER/photo.png; made if it isn't there",
    )
    add("--format", choices=tuple(FORMATS), help="of the output (default: what its name ends in)")
    add("--ext", dest="suffix", type=values.suffix, metavar="SUFFIX", help="what names end in instead: -small.png")
    add("-r", "--recursive", action="store_true", help="take the pictures in folders, and in folders in them")
    add(
        "-j",
        "--jobs",
        type=values.positive,
        metavar="N",
        help="pictures at a time (default: as many as threads)",
    )
    add(
        "--skip-if-larger",
        action="store_true",
        help="write only what is smaller than its source; the status says that something was not",
    )
    clustering.add_options(parser)
    _add_given_palette(parser)
    add("--frame", type=values.natural, metavar="N", help="one picture of several, counted from 0 (default: all)")
    metadata = parser.add_mutually_exclusive_group()
    metadata.add_argument("--strip", action="store_true", help="drop colour profile, gamma and dots per inch too")
    metadata.add_argument("--keep-metadata", action="store_true", help="keep EXIF, XMP and texts too")
    _add_dithering(parser)
    add(
        "--min-region",
        type=values.positive,
        default=1,
        metavar="N",
        help="give regions of fewer pixels to the colour they have the longest border with (default: 1)",
    )
    add("--keep-hidden-color", action="store_true", help="of textures: keep the colours of what is fully transparent")
    add(
        "--compress-level",
        type=int,
        choices=range(13),
        default=COMPRESS_LEVEL,
        metavar="N",
        help="0 to 9, of libdeflate to 12 (default: %(default)s)",
    )
    add("--encoder", choices=ENCODERS, default="zlib", help="what deflates a PNG (default: zlib)")
    add("--metrics", action="store_true", help="measure CIEDE2000 and, with scikit-image, SSIM, which takes a while")
    told = parser.add_mutually_exclusive_group()
    told.add_argument("--quiet", action="store_true", help="print nothing but errors")
    told.add_argument("--json", action="store_true", help="print an object for each picture, a line each, as it ends")


def _add_given_palette(parser: _Parser) -> None:
    parser.add_argument(
        "--palette",
        type=values.palette,
        metavar="P",
        help="the colours, instead of finding some: a file (.hex, .gpl, .act, .ase, .pal, .json or a picture), or "
        "several such as '#ff8000,white'",
    )


def _add_dithering(parser: _Parser) -> None:
    parser.add_argument("--dither", choices=METHODS, default="none", help="spread the error (default: %(default)s)")
    parser.add_argument(
        "--strength", type=values.amount, default=1.0, metavar="X", help="of dithering, 0 to 1 (default: 1)"
    )


def _add_palette(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "palette", help="print the K colours of a picture", description=palette.run.__doc__, epilog=EXIT_STATUS
    )
    parser.add_argument(
        "sources",
        type=values.picture,
        nargs="+",
        metavar="PICTURE",
        help="any format that Pillow reads; each has its own palette, which the frames or pages of a file share",
    )
    clustering.add_options(parser)
    add = parser.add_argument
    add("--format", choices=palette.FORMATS, default="text", help="what is printed (default: %(default)s)")
    add(
        "--ignore",
        action="append",
        default=[],
        metavar="COLOR",
        help="leave out exactly this colour, such as white or '#ff8000', or what is transparent; may be given again",
    )
    add(
        "--merge",
        type=values.amount,
        default=0.0,
        metavar="X",
        help="make one of colours that are no farther apart in Oklab, where black and white are 1 apart: 0.05",
    )
    parser.set_defaults(run=palette.run, parser=parser, sort="count")


def _add_report(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "report", help="write a page about a picture in K colours", description=report.run.__doc__, epilog=EXIT_STATUS
    )
    parser.set_defaults(run=report.run, parser=parser)
    parser.add_argument("source", type=values.picture, metavar="PICTURE", help="any format that Pillow reads")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="where to write the page, an .html file (default: photo.jpg gives photo-report.html beside it)",
    )
    clustering.add_options(parser)
    _add_given_palette(parser)
    _add_dithering(parser)


def _checked(options: argparse.Namespace) -> argparse.Namespace:
    """Complain of options that don't go together."""
    if "colors" in options:
        clustering.check(options)
    return options


def _add_warmup(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "warmup",
        help="compile everything now, for the build of a container",
        description=installation.warmup.__doc__,
    )
    parser.add_argument("--all", action="store_true", help="for points of all dtypes, not just what is mostly used")
    parser.set_defaults(run=installation.warmup)


def _add_info(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "info",
        help="print versions and how this machine is used",
        description=installation.info.__doc__,
    )
    parser.set_defaults(run=installation.info)
