"""Counting pixels by colour and looking up what belongs to their colours, in plain NumPy.

The same functions as in `numba_histogram`, and the same results; see there for the shapes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.color_codes import encode
from kmeans_fast.engines import RUN_BITS

RUN = 2**RUN_BITS


def count(pixels: NDArray[np.uint8], table: NDArray[np.uint32], table_marks: NDArray[np.uint8]) -> None:
    """Add 1 to the entry of each pixel's colour, and mark its run."""
    codes = encode(pixels).astype(np.intp)  # NumPy's own type of index, so converted once
    np.add.at(table, codes, np.uint32(1))
    table_marks[codes >> RUN_BITS] = 1


def combine(tables: NDArray[np.uint32], marks: NDArray[np.uint8], first: int, last: int) -> int:
    """Add runs `first` to `last` of all tables to the first table; return how many entries aren't 0 then."""
    runs = first + np.flatnonzero(marks[:, first:last].any(axis=0))
    by_run = tables.reshape(len(tables), -1, RUN)
    totals = by_run[0, runs]
    for table in by_run[1:]:
        totals += table[runs]
    by_run[0, runs] = totals
    marks[0, runs] = 1
    return int(np.count_nonzero(totals))


def collect(
    tables: NDArray[np.uint32],
    marks: NDArray[np.uint8],
    first: int,
    last: int,
    codes: NDArray[np.uint32],
    counts: NDArray[np.int64],
) -> None:
    """Write code and count of each entry of the first table, in its runs `first` to `last`, that isn't 0."""
    runs = first + np.flatnonzero(marks[0, first:last])
    values = tables[0].reshape(-1, RUN)[runs]
    row, place = np.nonzero(values)
    codes[:] = runs[row] * RUN + place
    counts[:] = values[row, place]


def look_up(pixels: NDArray[np.uint8], table: NDArray[Any], labels: NDArray[Any]) -> None:
    """Write to `labels` (n,) what `table` (2**(8·C),) has for the code of each pixel, C being 1 to 3."""
    labels[:] = table[encode(pixels)]


def search(
    pixels: NDArray[np.uint8],
    codes: NDArray[np.uint32],
    starts: NDArray[np.int64],  # noqa: ARG001 - the compiled engine's
    color_labels: NDArray[Any],
    labels: NDArray[Any],
) -> None:
    """Write to `labels` (n,) the entry of `color_labels` (N,) at the place that each pixel's code has in `codes` (N,).

    A code that isn't there gets the label of another one.
    """
    places = np.searchsorted(codes, encode(pixels))
    labels[:] = color_labels[np.minimum(places, len(codes) - 1)]
