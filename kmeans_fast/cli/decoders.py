"""What Pillow's decoders have for the whole process, and a program may therefore set, but no library."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from pathlib import Path

# How the TIFFs begin whose decoder, libtiff, writes to stderr by itself.
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@contextmanager
def libtiff_heard(sources: Iterable[Path | bytes], warned: list[str]) -> Iterator[None]:
    """Collect what libtiff writes to stderr by itself, line by line, if one of `sources` is a TIFF.

    It writes to the descriptor of the whole process; `sys.stderr` goes on writing to where that led.
    """
    if not any(map(_is_tiff, sources)):
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as heard, ExitStack() as stack:
        stderr = os.dup(2)
        if _is_descriptor_2(sys.stderr):
            told = stack.enter_context(os.fdopen(os.dup(2), "w", 1, sys.stderr.encoding, sys.stderr.errors))
            stack.enter_context(redirect_stderr(told))
        os.dup2(heard.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            heard.seek(0)
            warned += heard.read().decode("utf-8", "replace").splitlines()


def _is_descriptor_2(stream: object) -> bool:
    try:
        return stream is not None and stream.fileno() == 2  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):  # what isn't on a descriptor says so in several ways
        return False


def _is_tiff(source: Path | bytes) -> bool:
    if isinstance(source, bytes):
        return source.startswith(_TIFF_STARTS)
    if not source.is_file():
        return False
    try:
        with source.open("rb") as file:
            return file.read(4) in _TIFF_STARTS
    except OSError:
        return False  # whoever reads it says why


@contextmanager
def pixels_allowed(max_pixels: int | None) -> Iterator[None]:
    """Raise Pillow's own limit to at least `max_pixels`."""
    from PIL import Image

    before = Image.MAX_IMAGE_PIXELS
    if max_pixels is not None and before is not None:
        Image.MAX_IMAGE_PIXELS = max(before, max_pixels)
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
