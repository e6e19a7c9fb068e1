"""How many threads, and the one way to run kernels side by side.

Kernels are serial and release the GIL, so ordinary Python threads run them in parallel. Unlike Numba's own parallel
regions these can be entered from several threads at once and after a fork, need no global setting, and leave none
behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Task = TypeVar("Task")


class Workers:
    """Runs a function on many tasks, in the calling thread and in `n_threads` − 1 helpers.

    Made by `workers`. With one thread, nothing but the calling thread ever runs.
    """

    def __init__(self, n_threads: int, pool: ThreadPoolExecutor | None) -> None:
        self.n_threads = n_threads
        self.stopping = False
        """Whether an exception, such as Ctrl-C, has ended the work that a task is part of."""
        self._pool = pool

    def at_most(self, n_threads: int) -> Workers:
        """Return these workers, or as many of them."""
        return Workers(min(n_threads, self.n_threads), self._pool)

    def for_each(self, function: Callable[[Task], Any], tasks: Sequence[Task]) -> None:
        """Call `function` once for each task, in any order; the first exception stops the rest and is raised."""
        queue = _Queue(tasks)
        if self._pool is None or len(tasks) == 1:
            queue.drain(function)
            return
        helpers = [self._pool.submit(queue.drain, function) for _ in range(min(self.n_threads, len(tasks)) - 1)]
        try:
            queue.drain(function)
        except BaseException:
            self.stopping = True
            raise
        finally:
            queue.close()
            for helper in helpers:
                helper.exception()  # waits; buffers must not be in use once the call returns
        for helper in helpers:
            helper.result()

    def running_totals(self, count: Callable[[int], int], n_tasks: int) -> NDArray[np.int64]:
        """Return the running totals (n_tasks + 1,), from 0 on, of what `count` returns for the number of each task."""
        totals = np.zeros(n_tasks + 1, np.int64)

        def put(i: int) -> None:
            totals[i + 1] = count(i)

        self.for_each(put, range(n_tasks))
        return np.cumsum(totals, out=totals)


class _Queue(Iterator[Task]):
    """Tasks that several threads take from, until they are used up or the queue is closed."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = iter(tasks)
        self._lock = Lock()
        self._open = True

    def __next__(self) -> Task:
        with self._lock:
            if not self._open:
                raise StopIteration
            return next(self._tasks)

    def close(self) -> None:
        self._open = False

    def drain(self, function: Callable[[Task], Any]) -> None:
        try:
            for task in self:
                function(task)
        except BaseException:
            self.close()
            raise


@contextmanager
def workers(n_threads: int) -> Iterator[Workers]:
    """Lend workers for the length of one call; helper threads end with it."""
    if n_threads == 1:
        yield Workers(1, None)
        return
    from concurrent.futures import ThreadPoolExecutor  # would make the package's import a tenth longer

    with ThreadPoolExecutor(n_threads - 1, thread_name_prefix="kmeans_fast") as pool:
        yield Workers(n_threads, pool)
