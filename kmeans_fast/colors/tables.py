"""Tables with an entry for every colour of up to three channels that there could be, in the order of their codes.

A table for three channels is 16 MB, of which mostly a small part is ever touched: tables come zeroed from the operating
system, and each run of 512 entries has a mark that says whether there is anything in it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.cells import run_starts
from kmeans_fast.colors.counts import Counts
from kmeans_fast.engines.codes import CARRY, RUN_BITS
from kmeans_fast.machine.pages import sparse_zeros
from kmeans_fast.machine.threads import Workers

# Runs in a task of the walk through the tables: at most 256 kB of each table.
RUNS_PER_TASK = 512


class ColorTables:
    """A table with an entry for each colour for each thread, of 1 to 3 channels, for so many pixels at most.

    Where `is_lean`, tables take up memory by small pages: some megabytes for a megapixel, but a third more time.
    """

    def __init__(
        self, n_channels: int, n_pixels: int, kernels: SimpleNamespace, lent: Workers, *, is_lean: bool = False
    ) -> None:
        n_entries = max(2**RUN_BITS, 2 ** (8 * n_channels))
        zeros = sparse_zeros if is_lean else np.zeros
        self._tables = zeros((lent.n_threads, n_entries), np.uint8)
        self._marks = np.zeros((lent.n_threads, n_entries >> RUN_BITS), np.uint8)
        self._carried = np.zeros((lent.n_threads, n_pixels // CARRY + 1), np.uint32)
        self._free = list(range(lent.n_threads))
        self._kernels = kernels
        self._lent = lent

    @contextmanager
    def one(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint32]]]:
        """Lend a table, its marks, and what is carried from it."""
        table = self._free.pop()
        yield self._tables[table], self._marks[table], self._carried[table]
        self._free.append(table)

    def collect(self) -> Counts:
        """List the entries that aren't 0, each added up over the tables."""
        tables, marks, kernels, lent = self._tables, self._marks, self._kernels, self._lent
        n_runs = marks.shape[1]
        ranges = [(first, min(first + RUNS_PER_TASK, n_runs)) for first in range(0, n_runs, RUNS_PER_TASK)]
        ends = lent.running_totals(lambda i: kernels.count_entries(tables, marks, *ranges[i]), len(ranges))
        result = Counts(np.empty(ends[-1], np.uint32), np.empty(ends[-1], np.int64))

        def collect(i: int) -> None:
            place = slice(ends[i], ends[i + 1])
            kernels.collect(tables, marks, *ranges[i], result.codes[place], result.counts[place])

        lent.for_each(collect, range(len(ranges)))
        self._add_carried(result)
        return result

    def _add_carried(self, result: Counts) -> None:
        codes = np.sort(np.concatenate([carried[1 : 1 + int(carried[0])] for carried in self._carried]))
        starts = run_starts(codes)
        result.counts[result.codes.searchsorted(codes[starts[:-1]])] += CARRY * np.diff(starts)
