"""Tables with an entry for every colour of up to three channels that there could be, in the order of their codes.

A table for three channels is 64 MB, of which mostly a small part is ever touched: tables come zeroed from the operating
system, and each run of 512 entries has a mark that says whether there is anything in it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.counts import Counts
from kmeans_fast.engines.codes import RUN_BITS
from kmeans_fast.machine.threads import Workers

# Runs in a task of the walk through the tables: at most 1 MB of each table.
RUNS_PER_TASK = 512


class ColorTables:
    """A table with an entry for each colour for each thread, of 1 to 3 channels."""

    def __init__(self, n_channels: int, kernels: SimpleNamespace, lent: Workers) -> None:
        n_entries = max(2**RUN_BITS, 2 ** (8 * n_channels))
        self._tables = np.zeros((lent.n_threads, 2, n_entries), np.uint16)
        self._marks = np.zeros((lent.n_threads, 2, n_entries >> RUN_BITS), np.uint8)
        self._free = list(range(lent.n_threads))
        self._kernels = kernels
        self._lent = lent

    @contextmanager
    def one(self) -> Iterator[tuple[NDArray[np.uint16], NDArray[np.uint8]]]:
        """Lend a table and its marks."""
        table = self._free.pop()
        yield self._tables[table], self._marks[table]
        self._free.append(table)

    def collect(self) -> Counts:
        """Add all tables to the first one and list its entries that aren't 0."""
        tables, marks, kernels, lent = self._tables, self._marks, self._kernels, self._lent
        n_runs = marks.shape[2]
        ranges = [(first, min(first + RUNS_PER_TASK, n_runs)) for first in range(0, n_runs, RUNS_PER_TASK)]
        ends = np.zeros(len(ranges) + 1, np.int64)

        def combine(i: int) -> None:
            ends[i + 1] = kernels.combine(tables, marks, *ranges[i])

        lent.for_each(combine, range(len(ranges)))
        np.cumsum(ends, out=ends)
        result = Counts(np.empty(ends[-1], np.uint32), np.empty(ends[-1], np.int64))

        def collect(i: int) -> None:
            place = slice(ends[i], ends[i + 1])
            kernels.collect(tables, marks, *ranges[i], result.codes[place], result.counts[place])

        lent.for_each(collect, range(len(ranges)))
        return result
