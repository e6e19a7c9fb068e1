"""Counting pixels by colour and looking up what belongs to their colours, in plain NumPy.

The same functions as in `numba_histogram`, and the same results; see there for the shapes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines.codes import OPAQUE, RUN_BITS, encode

RUN = 2**RUN_BITS


def count(
    pixels: NDArray[np.uint8],  # in
    table: NDArray[np.uint16],  # in/out
    table_marks: NDArray[np.uint8],  # in/out
) -> None:
    """Add 1 to the entry of each pixel's colour, and mark its run."""
    codes, counts = np.unique(encode(pixels), return_counts=True)
    codes = codes.astype(np.intp)  # NumPy's own type of index, so converted once
    totals = table[0, codes] + counts
    table[0, codes] = totals & 0xFFFF
    table_marks[0, codes >> RUN_BITS] = 1
    is_over = totals > 0xFFFF
    table[1, codes[is_over]] += (totals[is_over] >> 16).astype(np.uint16)
    table_marks[1, codes[is_over] >> RUN_BITS] = 1


def count_opaque(
    pixels: NDArray[np.uint8],  # in
    table: NDArray[np.uint16],  # in/out
    table_marks: NDArray[np.uint8],  # in/out
    rest: NDArray[np.uint8],  # out
) -> int:
    """Do as `count` with opaque pixels' RGB; copy the others of RGBA to `rest` (n, 4); return how many these are."""
    is_opaque = pixels[:, 3] == OPAQUE
    count(pixels[is_opaque, :3], table, table_marks)
    others = pixels[~is_opaque]
    rest[: len(others)] = others
    return len(others)


def combine(
    tables: NDArray[np.uint16],  # in/out
    marks: NDArray[np.uint8],  # in/out
    first: int,
    last: int,
) -> int:
    """Add runs `first` to `last` of all tables to the first table; return how many entries aren't 0 then."""
    runs = first + np.flatnonzero(marks[:, :, first:last].any(axis=(0, 1)))
    totals = sum(_values(table, runs) for table in tables)
    by_run = tables[0].reshape(2, -1, RUN)
    by_run[0, runs] = totals & 0xFFFF
    by_run[1, runs] = totals >> 16
    marks[0, :, runs] = 1  # the other engine may be the one that collects
    return int(np.count_nonzero(totals))


def _values(table: NDArray[np.uint16], runs: NDArray[np.intp]) -> NDArray[np.int64]:
    lower, upper = table.reshape(2, -1, RUN)[:, runs].astype(np.int64)
    values: NDArray[np.int64] = lower + (upper << 16)
    return values


def collect(
    tables: NDArray[np.uint16],  # in
    marks: NDArray[np.uint8],  # in
    first: int,
    last: int,
    codes: NDArray[np.uint32],  # out
    counts: NDArray[np.int64],  # out
) -> None:
    """Write code and count of each entry of the first table, in its runs `first` to `last`, that isn't 0."""
    runs = first + np.flatnonzero(marks[0, 0, first:last])
    values = _values(tables[0], runs)
    row, place = np.nonzero(values)
    codes[:] = runs[row] * RUN + place
    counts[:] = values[row, place]


def look_up(
    pixels: NDArray[np.uint8],  # in
    table: NDArray[Any],  # in
    labels: NDArray[Any],  # out
) -> None:
    """Write to `labels` (n,) what `table` (2**(8·C),) has for the code of each pixel, C being 1 to 3."""
    labels[:] = table[encode(pixels)]


def halve(
    values: NDArray[np.uint16],  # in
    lower: NDArray[np.uint8],  # out
) -> int:
    """Write the lower bytes of values (n,); return 1 if the upper ones are the same everywhere, else 0."""
    lower[:] = values & 255
    return int(np.array_equal(values >> 8, lower))
