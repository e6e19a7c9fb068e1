"""Which pictures a command line means, and where the output of each goes."""

from __future__ import annotations

import argparse
import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kmeans_fast.cli.values import STREAM
from kmeans_fast.options import DEFAULT_CLUSTERS as DEFAULT_COLORS

# What `-r` takes for pictures. A file that is named is read whatever its name.
_PICTURES = (
    ".apng", ".avif", ".bmp", ".gif", ".ico", ".jfif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tga", ".tif",
    ".tiff", ".webp",
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A picture to compress; None stands for standard input and output."""

    source: Path | None
    destination: Path | None
    obstacle: str = ""
    """Why it isn't to be done, if so."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return STREAM if self.source is None else str(self.source)


def planned(options: argparse.Namespace, warned: list[str]) -> list[Job]:
    """Return what is to be done, in the order that it was asked for."""
    error = options.parser.error
    if None in options.sources:
        if len(options.sources) > 1:
            error("- is standard input, which can't be one picture of several")
        if options.folder is not None or options.suffix is not None:
            error("what comes from standard input has no name for -O or --ext; -o names its output")
        return [Job(None, None if options.output is ... else options.output)]
    found = list(dict.fromkeys(_found(options)))
    if options.output is not ...:
        if options.suffix is not None:
            error("--ext is for outputs without a name of their own, which -o gives")
        if len(found) != 1:
            error(f"-o names one output, got {len(found)} pictures; -O names a folder for them")
        return [Job(found[0][0], options.output)]
    return list(_apart([(source, _destination(options, source, place)) for source, place in found], options, warned))


def _found(options: argparse.Namespace) -> Iterator[tuple[Path, Path]]:
    """Yield files, and the place of each below the folder that was named."""
    for path in options.sources:
        if options.recursive and path.is_dir():
            yield from ((file, file.relative_to(path)) for file in _pictures_in(path, options.folder))
        else:
            yield from ((match, Path(match.name)) for match in _matches(path))


def _matches(path: Path) -> list[Path]:
    """Expand wildcards, as not every shell does; a file that is called so is meant itself."""
    if not glob.has_magic(str(path)) or os.path.lexists(path):
        return [path]
    return sorted(map(Path, glob.glob(str(path), recursive=True))) or [path]  # noqa: PTH207 - a whole path, root too


def _pictures_in(top: Path, left_out: Path | None) -> Iterator[Path]:
    """Walk through a folder in order, past that of the outputs and what is hidden, as macOS's notes on files are."""
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if left_out is not None and folder != str(top) and _same(Path(folder)) == _same(left_out):
            folders.clear()
            continue
        for name in sorted(names):
            if name.lower().endswith(_PICTURES) and not name.startswith("."):
                yield Path(folder, name)


def _destination(options: argparse.Namespace, source: Path, place: Path) -> Path:
    if options.folder is not None:
        return Path(options.folder, place.parent, place.stem + _suffix(options, source))
    return source.parent / (source.stem + _suffix(options, source))


def _suffix(options: argparse.Namespace, source: Path) -> str:
    """Return what the output's name has instead of the source's suffix; what was a GIF stays one."""
    if options.suffix is not None:
        return str(options.suffix)
    stays = ".gif" if source.suffix.lower() == ".gif" else ".png"
    return _mark(options) + (stays if options.format is None else f".{options.format}")


def _mark(options: argparse.Namespace) -> str:
    """Return what tells an output's name from its source's, beside it."""
    if options.folder is not None:
        return ""
    if options.palette is not None:
        return "-palette"
    aims = {"db": options.quality, "error": options.max_error}
    if any(aim is not None for aim in aims.values()):
        return "".join(f"-{aim:g}-{unit}" for unit, aim in aims.items() if aim is not None)
    return f"-{options.colors or DEFAULT_COLORS}-colors"


def _apart(pairs: list[tuple[Path, Path]], options: argparse.Namespace, warned: list[str]) -> Iterator[Job]:
    """Yield jobs none of which writes what another reads or writes.

    Left out is what another picture's output would be by a name that marks outputs, so that a command for *.png can be
    given twice.
    """
    is_marked = bool(_mark(options)) if options.suffix is None else Path(f"x{options.suffix}").stem != "x"
    sources = {_same(source): source for source, _ in pairs}
    writers = {_same(destination): source for source, destination in reversed(pairs)}
    for source, destination in pairs:
        writer = writers.get(_same(source), source)
        first, overwritten = writers[_same(destination)], sources.get(_same(destination), source)
        if is_marked and writer != source:
            warned.append(f"{source} is left out, as it is the output of {writer}")
        elif first != source:
            yield Job(source, destination, f"{source}: its output {destination} would be that of {first} too")
        elif not is_marked and overwritten != source:
            yield Job(source, destination, f"{source}: its output would replace {overwritten}, another of the pictures")
        else:
            yield Job(source, destination)


def _same(path: Path) -> str:
    """Return a name that all names of a file have in common."""
    return os.path.normcase(path.resolve())
