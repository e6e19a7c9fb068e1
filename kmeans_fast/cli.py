"""The command line: ``kmeans-fast compress``, ``palette``, ``warmup`` and ``info``.

Exit status: 0 done, 1 failed (one line on stderr), 2 wrong usage, 99 done but the quality asked for was not reached,
130 interrupted, 141 nobody reads the output. What may surprise is one line on stderr as well; ``-v`` shows all of it.
What takes long to import is imported by the command that needs it, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import io
import math
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from kmeans_fast._version import __version__
from kmeans_fast.imaging.dithering import METHODS, checked_dithering
from kmeans_fast.imaging.encoding import COMPRESS_LEVEL
from kmeans_fast.imaging.requests import INITS, MAX_ITER, TOL
from kmeans_fast.imaging.sorting import ORDERS
from kmeans_fast.imaging.spaces import NAMED
from kmeans_fast.options import DEFAULT_CLUSTERS as DEFAULT_COLORS
from kmeans_fast.options import DEFAULT_EFFORT, EFFORTS

if TYPE_CHECKING:
    from kmeans_fast.imaging.palettes import QuantizedPalette

_DONE, _FAILED, _WRONG_USAGE, _QUALITY_MISSED, _INTERRUPTED, _BROKEN_PIPE = 0, 1, 2, 99, 130, 141
_EXIT_STATUS = (
    "Exit status: 0 done, 1 failed, 2 wrong usage, 99 done but the quality asked for was not reached, 130 interrupted, "
    "141 nobody reads the output."
)
_MOST_TOLD = 3  # of notes and warnings, in one line
# How the TIFFs begin whose decoder, libtiff, writes to stderr by itself.
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_VERSIONED_PACKAGES = ("numpy", "numba", "imageio", "pillow")
_MODULES = {"pillow": "PIL"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the name of the program; from the command line by default.

    Raises
    ------
    SystemExit
        With status 2 after wrong usage, and 0 after ``--help`` or ``--version``.
    """
    with _streams():
        return _run(arguments)


@contextmanager
def _streams() -> Iterator[None]:
    """Let there be a stdout and a stderr: pythonw and a bundled program without a console have None for each."""
    with ExitStack() as stack:
        for stream, redirect in ((sys.stdout, redirect_stdout), (sys.stderr, redirect_stderr)):
            if stream is None:
                nowhere = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
                stack.enter_context(redirect(nowhere))
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may hold what the terminal can't show
        yield


def _run(arguments: Sequence[str] | None) -> int:
    options = _parse(arguments)
    warned: list[str] = []
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: warned.append(str(message))
            status = int(options.run(options, warned))
        sys.stdout.flush()  # a full disk or a closed pipe shows here at the latest
        _warn(warned, all_of_them=getattr(options, "verbose", False))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        _flush_or_discard()
        return _BROKEN_PIPE
    except MemoryError:
        _complain("not enough memory")
        return _FAILED
    except (OSError, ValueError, ImportError) as error:
        _flush_or_discard()
        if getattr(options, "verbose", False):
            _warn(warned, all_of_them=True)
        _complain(_in_words(error))
        return _FAILED
    return status


class _Parser(argparse.ArgumentParser):
    """A parser that complains in one line."""

    def error(self, message: str) -> NoReturn:
        _complain(f"{message} (see {self.prog} --help)")
        raise SystemExit(_WRONG_USAGE)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options, others = parser.parse_known_args(arguments)
    if "source" in options and others and not any(other.startswith("-") for other in others):
        options.parser.error(
            f"one picture is taken at a time, got {1 + len(others)}: {options.source} and {' '.join(others)}; "
            "run the command once for each" + ("; -o names the output" if "output" in options else "")
        )
    if others:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    return options


def _parser() -> _Parser:
    parser = _Parser(
        prog="kmeans-fast",
        description="A picture in K colours, by exact k-means on all its pixels.",
        epilog=_EXIT_STATUS,
    )
    parser.add_argument("--version", action="version", version=f"kmeans-fast {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    compress = commands.add_parser(
        "compress",
        help="write a picture in K colours as a PNG",
        description=_compress.__doc__,
        epilog=_EXIT_STATUS,
    )
    _add_clustering_options(compress)
    compress.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE.png",
        help="where to write; an existing file is replaced (default: photo.jpg gives photo-8-colors.png beside it)",
    )
    compress.add_argument("--dither", choices=METHODS, default="none", help="spread the error (default: %(default)s)")
    compress.add_argument(
        "--strength",
        type=_tolerance,
        default=1.0,
        metavar="X",
        help="of dithering, 0 to 1 (default: 1)",
    )
    compress.add_argument(
        "--compress-level",
        type=int,
        choices=range(10),
        default=COMPRESS_LEVEL,
        metavar="N",
        help="of zlib, 0 to 9 (default: %(default)s)",
    )
    compress.set_defaults(run=_compress, parser=compress, sort="luma")

    palette = commands.add_parser(
        "palette", help="print the K colours of a picture", description=_palette.__doc__, epilog=_EXIT_STATUS
    )
    _add_clustering_options(palette)
    palette.set_defaults(run=_palette, parser=palette, sort="count")

    warm = commands.add_parser(
        "warmup", help="compile everything now, for the build of a container", description=_warmup.__doc__
    )
    warm.add_argument("--all", action="store_true", help="for points of all dtypes, not just what is mostly used")
    warm.set_defaults(run=_warmup)

    info = commands.add_parser("info", help="print versions and how this machine is used", description=_info.__doc__)
    info.set_defaults(run=_info)
    return parser


def _add_clustering_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("source", type=_file, metavar="PICTURE", help="any format that Pillow reads; of several pictures the first")
    add(
        "--max-pixels",
        type=_positive,
        metavar="N",
        help="refuse a larger picture before it is decoded (default: Pillow's limit, 89478485); where there is "
        "transparency, a pixel counts as five",
    )
    how_many = parser.add_mutually_exclusive_group()
    how_many.add_argument(
        "-k", "--colors", type=_positive, metavar="K", help=f"number of colours (default: {DEFAULT_COLORS})"
    )
    how_many.add_argument(
        "-q", "--quality", type=_tolerance, metavar="DB", help="so few colours, up to 256, that reach this PSNR"
    )
    add("--sort", choices=ORDERS, help="order of the palette (default: luma for a picture, count for a palette)")
    add("--space", choices=tuple(NAMED), default="srgb", help="where colours are compared (default: %(default)s)")
    add(
        "--lightness",
        type=_tolerance,
        default=1.0,
        metavar="X",
        help="how much lightness counts, 0.1 to 10, in oklab and lab (default: 1)",
    )
    add("-v", "--verbose", action="store_true", help="print each iteration, and every warning on a line of its own")
    add(
        "--seed", type=_natural, default=0, metavar="N", help="another seed, other first colours (default: %(default)s)"
    )
    add("--init", choices=INITS, default="auto", help="first colours (default: %(default)s)")
    add(
        "--n-init", type=_positive, default=1, metavar="N", help="runs, of which the best counts (default: %(default)s)"
    )
    add("--max-iter", type=_positive, default=MAX_ITER, metavar="N", help="most iterations (default: %(default)s)")
    add(
        "--tol",
        type=_tolerance,
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
    add("--threads", type=_positive, metavar="N", help="most threads (default: as many as the process may use)")
    add("--engine", choices=("auto", "numba", "numpy"), default="auto", help="the result is the same (default: auto)")


def _file(text: str) -> Path:
    if "://" in text and not Path(text).exists():
        raise argparse.ArgumentTypeError(f"only files are read, no URLs: download it first, got {text!r}")
    if not text:
        raise argparse.ArgumentTypeError("must name a file, got ''")
    return Path(text)


def _positive(text: str) -> int:
    return _integer(text, 1)


def _natural(text: str) -> int:
    return _integer(text, 0)


def _integer(text: str, minimum: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = minimum - 1
    if number < minimum:
        raise argparse.ArgumentTypeError(f"must be an integer of at least {minimum}, got {text!r}")
    return number


def _tolerance(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of at least 0, got {text!r}")
    return number


def _compress(options: argparse.Namespace, warned: list[str]) -> int:
    """Reduce a picture to K colours, write it as an indexed PNG, and print what that did to size and error."""
    from kmeans_fast.imaging import files, sources
    from kmeans_fast.imaging.compression import compress

    source: Path = options.source
    aim = f"{options.quality:g}-db" if options.quality is not None else f"{options.colors or DEFAULT_COLORS}-colors"
    sources.check_source(source)  # a folder may have no name, such as "."
    output: Path = options.output or source.with_name(f"{source.stem}-{aim}.png")
    try:
        files.check_destination(output, source)
        checked_dithering(options.dither, options.strength)
    except ValueError as error:
        options.parser.error(str(error))
    of_files = {"compress_level": options.compress_level, "max_pixels": options.max_pixels}
    dithering = {"dither": options.dither, "strength": options.strength}
    with _pixels_allowed(options.max_pixels), _libtiff_heard(source, warned):
        report = compress(source, output, options.colors, **of_files, **dithering, **_clustering_options(options))
    print(report)
    warned[:0] = report.notes
    return _DONE if report.quality_met else _QUALITY_MISSED


def _palette(options: argparse.Namespace, warned: list[str]) -> int:
    """Print the K colours of a picture: hex, share and number of pixels."""
    from kmeans_fast.imaging import files
    from kmeans_fast.imaging.metrics import quality_missed
    from kmeans_fast.imaging.quantization import palette

    with _pixels_allowed(options.max_pixels), _libtiff_heard(options.source, warned):
        picture = files.read_picture(options.source, max_pixels=options.max_pixels, count_frames=True)
        files.check_memory(picture, options.source, options.max_pixels)
    warned[:0] = picture.notes
    found = palette(picture.pixels, options.colors, **_clustering_options(options))
    _print_palette(found, sys.stdout)
    if found.quality_met:
        return _DONE
    warned.insert(0, quality_missed(found.psnr, options.quality))
    return _QUALITY_MISSED


@contextmanager
def _libtiff_heard(source: Path, warned: list[str]) -> Iterator[None]:
    """Collect what libtiff writes to stderr by itself, line by line, if `source` is a TIFF.

    It writes to the descriptor of the whole process, which is a program's to redirect, and no library's.
    """
    import tempfile

    if not _is_tiff(source):
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as heard:
        stderr = os.dup(2)
        os.dup2(heard.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            heard.seek(0)
            warned += heard.read().decode("utf-8", "replace").splitlines()


def _is_tiff(source: Path) -> bool:
    if not source.is_file():
        return False
    with source.open("rb") as file:
        return file.read(4) in _TIFF_STARTS


@contextmanager
def _pixels_allowed(max_pixels: int | None) -> Iterator[None]:
    """Raise Pillow's own limit to at least `max_pixels`; it is the whole process's, so the library leaves it alone."""
    from PIL import Image

    before = Image.MAX_IMAGE_PIXELS
    if max_pixels is not None and before is not None:
        Image.MAX_IMAGE_PIXELS = max(before, max_pixels)
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


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


def _clustering_options(options: argparse.Namespace) -> dict[str, Any]:
    from kmeans_fast.progress import print_progress

    return {
        "quality": options.quality,
        "sort": options.sort,
        "space": options.space,
        "lightness": options.lightness,
        "init": options.init,
        "n_init": options.n_init,
        "max_iter": options.max_iter,
        "tol": options.tol,
        "effort": options.effort,
        "seed": options.seed,
        "engine": options.engine,
        "n_threads": options.threads,
        "callback": print_progress if options.verbose else None,
    }


def _info(_options: argparse.Namespace, _warned: list[str]) -> int:
    """Print the versions of what is installed, and which engine, threads and cache folder are used."""
    import platform

    from kmeans_fast.warming import describe

    facts = {"kmeans_fast": __version__, "python": platform.python_version()}
    facts |= {name: _version(name) for name in _VERSIONED_PACKAGES} | describe()
    for name, fact in facts.items():
        print(f"{name + ':':<13}{fact}")
    return _DONE


def _warmup(options: argparse.Namespace, _warned: list[str]) -> int:
    """Compile what is mostly used, unless that has been done, and keep the code for the processes to come."""
    import time

    from kmeans_fast.engines import obstacles
    from kmeans_fast.warming import compiled_code, warmup

    if obstacle := obstacles.to_compiling():
        print(f"nothing to compile, as {obstacle}")
        return _DONE
    start = time.perf_counter()
    warmup(everything=options.all)
    state = compiled_code()
    print(
        f"{state.n_kept} kernels compiled for this processor, in {state.folder} ({time.perf_counter() - start:.1f} s)"
    )
    return _DONE


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version
    from importlib.util import find_spec

    try:
        return version(package)
    except PackageNotFoundError:  # a bundled program can have a package without what is known about it
        return "unknown version" if find_spec(_MODULES.get(package, package)) else "not installed"


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
    return str(error)


def _complain(message: str) -> None:
    print(f"kmeans-fast: error: {_one_line(message)}", file=sys.stderr)


def _warn(messages: Sequence[str], *, all_of_them: bool) -> None:
    """Print notes and warnings, say Pillow's of damaged metadata: one line, or one for each, none of them twice."""
    lines = list(dict.fromkeys(messages))
    if not all_of_them and len(lines) > _MOST_TOLD:
        lines = ["; ".join([*lines[:_MOST_TOLD], f"{len(lines) - _MOST_TOLD} more (-v shows them)"])]
    elif not all_of_them and lines:
        lines = ["; ".join(lines)]
    for line in lines:
        print(f"kmeans-fast: warning: {_one_line(line)}", file=sys.stderr)


def _one_line(message: str) -> str:
    """Escape what could break the line or the terminal, as the name of a file can."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in message)


def _flush_or_discard() -> None:
    """Flush stdout; if that fails, let the rest go nowhere, because Python would try, and complain, once more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
