"""What all reports of a run say, and how: times of its stages, how it ended, names of files."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Note how long a stage takes."""
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start


def told_times(seconds: Mapping[str, float]) -> str:
    """Return the line that says how long each stage took."""
    return "seconds: " + ", ".join(f"{stage} {taken:.3f}" for stage, taken in seconds.items())


def told_end(converged: bool) -> str:
    """Say how iterations ended."""
    return "converged" if converged else "stopped before it converged"


def printable(text: str) -> str:
    """Escape what could break a line or the terminal, or isn't shown, as the name of a file can."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
