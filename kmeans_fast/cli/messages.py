"""What the command says on stderr, a line each, and the statuses it exits with."""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from kmeans_fast.telling import printable

DONE, FAILED, WRONG_USAGE, LARGER, QUALITY_MISSED, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 98, 99, 130, 141
EXIT_STATUS = (
    "Exit status: 0 done, 1 failed, 2 wrong usage, 98 not written because it would be larger, 99 done but the quality "
    "asked for was not reached, 130 interrupted, 141 nobody reads the output. Of several pictures 1 goes before 99, "
    "and 99 before 98."
)
# Of several the first that occurs is that of the command.
_GRAVEST = (FAILED, QUALITY_MISSED, LARGER)
_MOST_TOLD = 3  # of notes and warnings, in one line


class Warned(list[str]):
    """Warnings of the whole command; those of a thread that hears for one picture are apart."""

    def __init__(self) -> None:
        super().__init__()
        self._of_thread = threading.local()

    def hear(self, message: object, *_: object, **__: object) -> None:
        """Take a warning, as `warnings.showwarning` does."""
        getattr(self._of_thread, "messages", self).append(str(message))

    @contextmanager
    def apart(self) -> Iterator[list[str]]:
        """Collect what is heard in this thread."""
        messages: list[str] = []
        self._of_thread.messages = messages
        try:
            yield messages
        finally:
            del self._of_thread.messages


def complain(message: str) -> None:
    """Print an error."""
    print(f"kmeans-fast: error: {printable(message)}", file=sys.stderr)


def warn(messages: Sequence[str], *, all_of_them: bool, about: str = "") -> None:
    """Print notes and warnings, say Pillow's of damaged metadata: one line, or one for each, none of them twice."""
    lines = list(dict.fromkeys(messages))
    if not all_of_them and len(lines) > _MOST_TOLD:
        lines = ["; ".join([*lines[:_MOST_TOLD], f"{len(lines) - _MOST_TOLD} more (-v shows them)"])]
    elif not all_of_them and lines:
        lines = ["; ".join(lines)]
    for line in lines:
        print(f"kmeans-fast: warning: {printable(about + line)}", file=sys.stderr)


def in_words(error: BaseException) -> str:
    """Say what an error is, with the name of the file that it is about, if it knows."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
    return str(error)


def in_words_about(name: str, error: BaseException) -> str:
    """Say what an error is and which picture it is about, if it doesn't say that itself."""
    text = in_words(error)
    return text if name in text else f"{name}: {text}"


def gravest(statuses: Collection[int]) -> int:
    """Return the status of a command that did several things, which ended with these."""
    return next((status for status in _GRAVEST if status in statuses), DONE)
