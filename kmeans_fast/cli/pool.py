"""Many jobs at a time on threads of one process, which load the library once; and Ctrl-C in the middle of them.

Kernels, decoders and encoders release the GIL: two threads did 60 pictures of 4,000 to 960,000 pixels in 0.54 of the
time of one, as two forked processes did in 0.51 and two new ones in 0.59.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any, TypeVar

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")
_LISTENING = 0.5  # seconds: how long Ctrl-C may wait on Windows, where it doesn't end the waiting for a thread


class StoppedError(Exception):
    """Another job has failed, or Ctrl-C was pressed."""


class Stop(threading.Event):
    """Says that no job is to go on; a callback for k-means, which it then ends."""

    def __call__(self, *_: Any) -> None:
        """Raise `StoppedError` if it was said."""
        if self.is_set():
            raise StoppedError


def for_each(
    do: Callable[[Task], Outcome],
    tasks: Sequence[Task],
    n_at_once: int,
    stop: Stop,
    tell: Callable[[Outcome], None],
) -> None:
    """Do all tasks, the first first, and tell of each in this thread as it ends; the first exception stops the rest.

    What has begun to write is waited for, so that whole files remain.
    """
    with ThreadPoolExecutor(n_at_once, thread_name_prefix="kmeans_fast.cli") as threads:
        pending = {threads.submit(do, task) for task in tasks}
        try:
            while pending:
                ended, pending = wait(pending, timeout=_LISTENING, return_when=FIRST_COMPLETED)
                for future in ended:
                    tell(future.result())
        except BaseException:
            stop.set()
            threads.shutdown(wait=False, cancel_futures=True)
            raise
