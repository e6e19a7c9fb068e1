"""The command line: ``kmeans-fast compress``, ``palette``, ``report``, ``warmup`` and ``info``.

What is said goes to stderr, a line each: an error, or what may surprise; ``-v`` shows all of the latter. The statuses
are in `messages`. What takes long to import is imported by the command that needs it, so that ``--help`` answers at
once.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from kmeans_fast.cli.arguments import parse
from kmeans_fast.cli.messages import BROKEN_PIPE, FAILED, INTERRUPTED, Warned, complain, in_words, warn


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
        return _run(parse(arguments))


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


def _run(options: argparse.Namespace) -> int:
    warned = Warned()
    is_verbose = getattr(options, "verbose", False)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = warned.hear
            status = int(options.run(options, warned))
        sys.stdout.flush()  # a full disk or a closed pipe shows here at the latest
        warn(warned, all_of_them=is_verbose)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _flush_or_discard()
        return BROKEN_PIPE
    except (OSError, ValueError, ImportError, MemoryError) as error:
        _flush_or_discard()
        if is_verbose:
            warn(warned, all_of_them=True)
        complain(in_words(error))
        return FAILED
    return status


def _flush_or_discard() -> None:
    """Flush stdout; if that fails, let the rest go nowhere, because Python would try, and complain, once more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
