"""Counting pixels by colour and looking up what belongs to their colours, in plain NumPy.

The same functions as in `numba_histogram`, and the same results; see there for the shapes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines.codes import CARRY, OPAQUE, RUN_BITS, encode

RUN = 2**RUN_BITS


def count(
    pixels: NDArray[np.uint8],  # in
    table: NDArray[np.uint8],  # in/out
    table_marks: NDArray[np.uint8],  # in/out
    table_carried: NDArray[np.uint32],  # in/out
) -> None:
    """Add 1 to the entry of each pixel's colour, and mark its run."""
    codes, counts = np.unique(encode(pixels), return_counts=True)
    codes = codes.astype(np.intp)  # NumPy's own type of index, so converted once
    totals = table[codes] + counts
    times = (totals - 1) // CARRY
    table[codes] = totals - CARRY * times
    table_marks[codes >> RUN_BITS] = 1
    n_carried = int(table_carried[0])
    table_carried[0] += times.sum().astype(np.uint32)
    table_carried[1 + n_carried : 1 + int(table_carried[0])] = np.repeat(codes, times)


def count_opaque(
    pixels: NDArray[np.uint8],  # in
    table: NDArray[np.uint8],  # in/out
    table_marks: NDArray[np.uint8],  # in/out
    table_carried: NDArray[np.uint32],  # in/out
    rest: NDArray[np.uint8],  # out
) -> int:
    """Do as `count` with opaque pixels' RGB; copy the others of RGBA to `rest` (n, 4); return how many these are."""
    is_opaque = pixels[:, 3] == OPAQUE
    count(pixels[is_opaque, :3], table, table_marks, table_carried)
    others = pixels[~is_opaque]
    rest[: len(others)] = others
    return len(others)


def count_entries(
    tables: NDArray[np.uint8],  # in
    marks: NDArray[np.uint8],  # in
    first: int,
    last: int,
) -> int:
    """Return how many entries in runs `first` to `last` aren't 0 in some table."""
    return int(np.count_nonzero(_totals(tables, _marked(marks, first, last))))


def collect(
    tables: NDArray[np.uint8],  # in
    marks: NDArray[np.uint8],  # in
    first: int,
    last: int,
    codes: NDArray[np.uint32],  # out
    counts: NDArray[np.int64],  # out
) -> None:
    """Write code and sum over all tables of each entry in runs `first` to `last` that isn't 0 in some table."""
    runs = _marked(marks, first, last)
    totals = _totals(tables, runs)
    row, place = np.nonzero(totals)
    codes[:] = runs[row] * RUN + place
    counts[:] = totals[row, place]


def _marked(marks: NDArray[np.uint8], first: int, last: int) -> NDArray[np.intp]:
    return first + np.flatnonzero(marks[:, first:last].any(axis=0))


def _totals(tables: NDArray[np.uint8], runs: NDArray[np.intp]) -> NDArray[np.int64]:
    totals: NDArray[np.int64] = sum(table.reshape(-1, RUN)[runs].astype(np.int64) for table in tables)
    return totals


def look_up(
    pixels: NDArray[np.uint8],  # in
    table: NDArray[Any],  # in
    labels: NDArray[Any],  # out
) -> None:
    """Write to `labels` (n,) what `table` (2**(8·C),) has for the code of each pixel, C being 1 to 3."""
    labels[:] = table[encode(pixels)]


def look_up_opaque(
    pixels: NDArray[np.uint8],  # in
    table: NDArray[Any],  # in
    labels: NDArray[Any],  # in/out
) -> None:
    """Do as `look_up` with opaque pixels' RGB, and leave alone the labels of the others of RGBA."""
    is_opaque = pixels[:, 3] == OPAQUE
    labels[is_opaque] = table[encode(pixels[is_opaque, :3])]


def halve(
    values: NDArray[np.uint16],  # in
    lower: NDArray[np.uint8],  # out
) -> int:
    """Write the lower bytes of values (n,); return 1 if the upper ones are the same everywhere, else 0."""
    lower[:] = values & 255
    return int(np.array_equal(values >> 8, lower))
