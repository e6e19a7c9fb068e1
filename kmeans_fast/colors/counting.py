"""How many pixels have each colour: counted in tables, each thread in its own, and these added up.

With up to three channels of 8 bits a table has an entry for every colour there could be, in the order of the codes (see
`color_codes`). A table for three channels is 64 MB, of which mostly a small part is ever touched: tables come zeroed
from the operating system, and each run of 512 entries has a mark that says whether there is anything in it. With more
bits a table would be too large, for few pixels it isn't worth its while: then they are counted in hash tables.
"""

from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.cells import run_starts
from kmeans_fast.colors.counts import Counts, Total, merge
from kmeans_fast.colors.hashing import CountingTable
from kmeans_fast.colors.sorting import NOTHING, encoded, sort
from kmeans_fast.engines.codes import RUN_BITS, encode
from kmeans_fast.lending import Machine
from kmeans_fast.machine.threads import Workers
from kmeans_fast.points.access import Points

# Pixels in a task: many tasks a picture, each of them long against what handing it to a thread costs.
PIXELS_PER_TASK = 2**17
# Tables are for so many channels at most, and there are at most so many of them: 192 MB in all.
TABLE_CHANNELS = 3
MAX_TABLES = 3
# A thread's own table has to be walked through and added to the first one: not for fewer pixels than this.
PIXELS_PER_TABLE = 2**20
# An entry has 32 bits. That all tables together hold no more pixels than that lets them be added in place.
MAX_TABLE_PIXELS = 2**32 - 1
# Runs in a task of the walk through the tables: at most 1 MB of each table.
RUNS_PER_TASK = 512
# Of so many pixels at least this part is different, where they are sorted; as many at a time as take 256 MB at most.
SAMPLE = 2**14
MOSTLY = 0.9
PIXELS_AT_ONCE = 2**24


def count_colors(pixels: Points, machine: Machine) -> Counts:
    """Count the colours of pixels of 1 to 4 channels of 8 or 16 bits."""
    engine, workers = machine
    lent = workers.at_most(min(MAX_TABLES, max(1, pixels.size // PIXELS_PER_TABLE)))
    if pixels.dtype != np.uint8 or pixels.n_features > TABLE_CHANNELS or pixels.size <= PIXELS_PER_TASK:
        if pixels.size > PIXELS_PER_TASK and are_mostly_distinct(pixels):
            return _count_by_sorting(pixels, machine)
        return _count_by_hashing(pixels, engine.hashing, lent)
    stretch = MAX_TABLE_PIXELS // PIXELS_PER_TASK * PIXELS_PER_TASK
    starts = range(0, pixels.size, stretch)
    return merge(
        [_count_in_tables(pixels, start, min(start + stretch, pixels.size), engine.histogram, lent) for start in starts]
    )


def are_mostly_distinct(pixels: Points) -> bool:
    """Say whether nearly all of some pixels from everywhere are different: sorting them is then the quickest way.

    So it is for pictures of 16 bits with noise in the lower ones, and where transparency fades in.
    """
    sample = pixels.take(np.arange(0, pixels.size, max(1, pixels.size // SAMPLE)))
    return len(np.unique(encode(sample.astype(pixels.dtype)))) >= MOSTLY * len(sample)


def _count_by_sorting(pixels: Points, machine: Machine) -> Counts:
    total = Total()
    for start in range(0, pixels.size, PIXELS_AT_ONCE):
        n = min(PIXELS_AT_ONCE, pixels.size - start)
        codes = encoded(
            n,
            lambda first, last: pixels.chunk(start + first, start + last),  # noqa: B023 - run now
            f"u{4 * pixels.dtype.itemsize}",
            machine,
        )
        codes, _ = sort(codes, NOTHING, 8 * pixels.dtype.itemsize * pixels.n_features, machine)
        starts = run_starts(codes)
        total.add(Counts(codes[starts[:-1]], np.diff(starts)))
    return total.result()


def _count_by_hashing(pixels: Points, kernels: SimpleNamespace, lent: Workers) -> Counts:
    room = min(PIXELS_PER_TASK, pixels.size)
    tables = [CountingTable(pixels.n_features, pixels.dtype, room, kernels) for _ in range(lent.n_threads)]
    free = list(tables)
    total = Total()

    def count(first: int) -> None:
        table = free.pop()
        for part in table.count(pixels.chunk(first, min(first + PIXELS_PER_TASK, pixels.size))):
            total.add(part)
        free.append(table)

    lent.for_each(count, range(0, pixels.size, PIXELS_PER_TASK))
    lent.for_each(lambda table: total.add(table.empty()), tables)
    return total.result()


def _count_in_tables(pixels: Points, start: int, stop: int, kernels: SimpleNamespace, lent: Workers) -> Counts:
    n_entries = max(2**RUN_BITS, 2 ** (8 * pixels.n_features))
    tables = np.zeros((lent.n_threads, 2, n_entries), np.uint16)
    marks = np.zeros((lent.n_threads, 2, n_entries >> RUN_BITS), np.uint8)
    free = list(range(lent.n_threads))

    def count(first: int) -> None:
        table = free.pop()
        kernels.count(pixels.chunk(first, min(first + PIXELS_PER_TASK, stop)), tables[table], marks[table])
        free.append(table)

    lent.for_each(count, range(start, stop, PIXELS_PER_TASK))
    return _collect(tables, marks, kernels, lent)


def _collect(tables: NDArray[np.uint16], marks: NDArray[np.uint8], kernels: SimpleNamespace, lent: Workers) -> Counts:
    """Add all tables to the first one and list its entries that aren't 0."""
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
