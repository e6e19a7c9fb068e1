"""The values that options take, checked while the command line is read."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from kmeans_fast.imaging.encoding import SUFFIXES

STREAM = "-"


def picture(text: str) -> Path:
    """Return the name of a file that may be a picture."""
    if "://" in text and not Path(text).exists():
        raise argparse.ArgumentTypeError(f"only files are read, no URLs: download it first, got {text!r}")
    if not text:
        raise argparse.ArgumentTypeError("must name a file, got ''")
    return Path(text)


def picture_or_stream(text: str) -> Path | None:
    """Return the name of a file, or None for standard input or output."""
    return None if text == STREAM else picture(text)


def palette(text: str) -> str | list[str]:
    """Return the name of a palette's file, or colours."""
    colors = text.split(",")
    return text if Path(text).exists() or len(colors) == 1 else colors


def suffix(text: str) -> str:
    """Return what names of outputs end in."""
    if not text.lower().endswith(SUFFIXES) or Path(text).name != text:
        raise argparse.ArgumentTypeError(
            f"must be the end of a picture's name, such as -small.png or .gif, got {text!r}"
        )
    return text


def positive(text: str) -> int:
    """Return an integer of at least 1."""
    return _integer(text, 1)


def natural(text: str) -> int:
    """Return an integer of at least 0."""
    return _integer(text, 0)


def _integer(text: str, minimum: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = minimum - 1
    if number < minimum:
        raise argparse.ArgumentTypeError(f"must be an integer of at least {minimum}, got {text!r}")
    return number


def amount(text: str) -> float:
    """Return a finite number of at least 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of at least 0, got {text!r}")
    return number
