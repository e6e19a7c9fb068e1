"""How far the work on many pictures is, on a terminal."""

from __future__ import annotations

import time
from typing import TextIO

_WIDTH = 30


class Bar:
    """A line that is written over again and again; nothing where the stream is no terminal.

    Parameters
    ----------
    stream : text file
        Where it is shown.
    n_steps : int
        How often `step` will be called; 0 to show nothing.
    """

    def __init__(self, stream: TextIO, n_steps: int) -> None:
        self._stream = stream
        self._is_shown = n_steps > 0 and stream.isatty()
        self._n_steps = n_steps
        self._n_done = 0
        self._start = time.monotonic()
        self._length = 0

    def step(self) -> None:
        """Show that one more is done; after the last, nothing."""
        self._n_done += 1
        if self._n_done < self._n_steps:
            seconds = (time.monotonic() - self._start) / self._n_done * (self._n_steps - self._n_done)
            done = _WIDTH * self._n_done // self._n_steps
            bar = "#" * done + "." * (_WIDTH - done)
            self._write(f"[{bar}] {self._n_done} of {self._n_steps}, {seconds:.0f} s left")

    def clear(self) -> None:
        """Make room for another line."""
        self._write("")

    def _write(self, text: str) -> None:
        if self._is_shown:
            end = "" if text else "\r"  # blanks, as not every terminal knows an escape to erase a line
            self._stream.write(f"\r{text:<{self._length}}{end}")
            self._stream.flush()
            self._length = len(text)
