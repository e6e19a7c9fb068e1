"""How many pixels have each colour: counted in tables, or by sorting, and counts from several places merged.

With up to three channels a table has an entry for every colour there could be, in the order of the codes (see
`color_codes`), and each thread counts in a table of its own. A table for three channels is 64 MB, of which mostly a
small part is ever touched: tables come zeroed from the operating system, and each run of 512 entries has a mark that
says whether there is anything in it. With four channels a table would be too large, for few pixels it isn't worth its
while: then the codes are sorted, a chunk at a time.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines.codes import RUN_BITS, encode
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
# Pixels whose sorted codes are kept before they are merged: some 100 MB of work space, if all have different colours.
SORTED_PIXELS = 2**20
# Entries of each part that are merged at a time, so that work space doesn't grow with the parts.
MERGE_SIZE = 2**18


class Counts(NamedTuple):
    """Distinct colours and the number of pixels of each.

    Attributes
    ----------
    codes : ndarray of uint32, or uint64 for 16 bits a channel, shape (N,)
        The colours' codes in ascending order.
    counts : ndarray of int64, shape (N,)
        All at least 1.
    """

    codes: NDArray[Any]
    counts: NDArray[np.int64]


def count_colors(pixels: Points, kernels: SimpleNamespace, workers: Workers) -> Counts:
    """Count the colours of pixels of 1 to 4 channels of 8 or 16 bits."""
    is_short = pixels.dtype == np.uint8 and pixels.n_features <= TABLE_CHANNELS
    in_tables = is_short and pixels.size > PIXELS_PER_TASK
    if in_tables:
        most_threads = min(MAX_TABLES, max(1, pixels.size // PIXELS_PER_TABLE))
        stretch = MAX_TABLE_PIXELS // PIXELS_PER_TASK * PIXELS_PER_TASK
    else:
        most_threads = -(-pixels.size // PIXELS_PER_TASK)
        stretch = SORTED_PIXELS
    total = Counts(np.empty(0, np.uint32), np.empty(0, np.int64))
    lent = workers.at_most(most_threads)
    for start in range(0, pixels.size, stretch):
        stop = min(start + stretch, pixels.size)
        if in_tables:
            new = _count_in_tables(pixels, start, stop, kernels, lent)
        else:
            new = _count_by_sorting(pixels, start, stop, lent)
        total = merge([total, new])
    return total


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


def _count_by_sorting(pixels: Points, start: int, stop: int, lent: Workers) -> Counts:
    parts: list[Counts] = []

    def count(first: int) -> None:
        codes, counts = np.unique(encode(pixels.chunk(first, min(first + PIXELS_PER_TASK, stop))), return_counts=True)
        parts.append(Counts(codes, counts.astype(np.int64, copy=False)))

    lent.for_each(count, range(start, stop, PIXELS_PER_TASK))
    return merge(parts)


def merge(parts: Sequence[Counts]) -> Counts:
    """Add counts up, in a piece of the range of codes at a time."""
    parts = [part for part in parts if part.codes.size]
    if len(parts) == 1:
        return parts[0]
    # Between two of these edges no part has more than MERGE_SIZE entries.
    edges = np.unique(np.concatenate([part.codes[MERGE_SIZE::MERGE_SIZE] for part in parts]))
    cuts = [[0, *np.searchsorted(part.codes, edges), part.codes.size] for part in parts]
    pieces = []
    for i in range(len(edges) + 1):
        places = [slice(cut[i], cut[i + 1]) for cut in cuts]
        pieces.append(
            _merge_piece(
                np.concatenate([part.codes[place] for part, place in zip(parts, places, strict=True)]),
                np.concatenate([part.counts[place] for part, place in zip(parts, places, strict=True)]),
            )
        )
    return Counts(
        np.concatenate([piece.codes for piece in pieces]),
        np.concatenate([piece.counts for piece in pieces]),
    )


def _merge_piece(codes: NDArray[Any], counts: NDArray[np.int64]) -> Counts:
    order = np.argsort(codes, kind="stable")  # merges the sorted runs that it finds
    codes = codes[order]
    starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
    return Counts(codes[starts], np.add.reduceat(counts[order], starts))
