"""Counting pixels by colour and looking up what belongs to their colours, compiled.

In every signature: pixels (n, C) uint8; `tables` (T, 2, 2**(8·C)) uint16 with an entry for each code (see
`color_codes`), its lower and its upper 16 bits, and `marks` (T, 2, 2**(8·C − RUN_BITS)) uint8, not 0 for each run of
entries that may hold anything. With one channel there is one run, longer than needed. `table` and `table_marks` are one
of T. Upper bits are seldom touched, and half the memory makes counting 1.8 times as fast: most of it is waiting for
memory.

Three channels, which most pictures have, are spelled out, so that the loop over pixels has no other loop in it. Of
pictures with transparency the opaque pixels go by their first three.
"""

from typing import Any

import numpy as np

from kmeans_fast.engines.codes import OPAQUE, RUN_BITS, spread_table
from kmeans_fast.engines.numba_jit import kernel, part

RUN = 2**RUN_BITS


def count(
    pixels: Any,  # in
    table: Any,  # in/out
    table_marks: Any,  # in/out
) -> None:
    """Add 1 to the entry of each pixel's colour, and mark its run."""
    _count(pixels, spread_table(pixels.shape[1]), table, table_marks)


@kernel()
def _count(
    pixels,  # in
    spread,  # in
    table,  # in/out
    marks,  # in/out
):
    lower, upper = table[0], table[1]
    lower_marks, upper_marks = marks[0], marks[1]
    is_rgb = pixels.shape[1] == 3
    s0, s1, s2 = spread[0], spread[min(1, spread.shape[0] - 1)], spread[spread.shape[0] - 1]
    for i in range(pixels.shape[0]):
        code = s0[pixels[i, 0]] | s1[pixels[i, 1]] | s2[pixels[i, 2]] if is_rgb else _code(pixels, i, spread)
        value = np.uint16(lower[code] + np.uint16(1))
        lower[code] = value
        lower_marks[code >> np.uint32(RUN_BITS)] = 1
        if value == 0:
            upper[code] += np.uint16(1)
            upper_marks[code >> np.uint32(RUN_BITS)] = 1


def count_opaque(
    pixels: Any,  # in
    table: Any,  # in/out
    table_marks: Any,  # in/out
    rest: Any,  # out
) -> int:
    """Do as `count` with opaque pixels' RGB; copy the others of RGBA to `rest` (n, 4); return how many these are."""
    n_rest: int = _count_opaque(pixels, spread_table(3), table, table_marks, rest)
    return n_rest


@kernel()
def _count_opaque(
    pixels,  # in
    spread,  # in
    table,  # in/out
    marks,  # in/out
    rest,  # out
):
    lower, upper = table[0], table[1]
    lower_marks, upper_marks = marks[0], marks[1]
    s0, s1, s2 = spread[0], spread[1], spread[2]
    n_rest = np.uint64(0)
    for i in range(pixels.shape[0]):
        if pixels[i, 3] == OPAQUE:
            code = s0[pixels[i, 0]] | s1[pixels[i, 1]] | s2[pixels[i, 2]]
            value = np.uint16(lower[code] + np.uint16(1))
            lower[code] = value
            lower_marks[code >> np.uint32(RUN_BITS)] = 1
            if value == 0:
                upper[code] += np.uint16(1)
                upper_marks[code >> np.uint32(RUN_BITS)] = 1
        else:
            for f in range(4):
                rest[n_rest, f] = pixels[i, f]
            n_rest += np.uint64(1)
    return np.int64(n_rest)


@part()
def _code(pixels, i, spread):
    code = np.uint32(0)
    for f in range(pixels.shape[1]):
        code |= spread[f, pixels[i, f]]
    return code


@kernel()
def combine(
    tables,  # in/out
    marks,  # in/out
    first,
    last,
):
    """Add runs `first` to `last` of all tables to the first table; return how many entries aren't 0 then."""
    n_colors = 0
    for run in range(first, last):
        start, stop = run * RUN, (run + 1) * RUN
        lower, upper = tables[0, 0, start:stop], tables[0, 1, start:stop]
        for t in range(1, tables.shape[0]):
            if marks[t, 0, run]:
                marks[0, 0, run] = 1
                if _carry(tables[t, 0, start:stop], lower, upper):
                    marks[0, 1, run] = 1
                _add(tables[t, 0, start:stop], lower)
            if marks[t, 1, run]:
                marks[0, 1, run] = 1
                _add(tables[t, 1, start:stop], upper)
        if marks[0, 1, run]:
            n_colors += _count_either(lower, upper)
        elif marks[0, 0, run]:
            n_colors += _count_nonzero(lower)
    return n_colors


@part()
def _carry(values, lower, upper):
    """Add 1 to the upper bits where the sum of lower bits will overflow; say whether it does anywhere."""
    most = np.uint32(0)
    for i in range(values.size):
        most = max(most, np.uint32(values[i]) + np.uint32(lower[i]))
    if most >= 2**16:
        for i in range(values.size):
            upper[i] += np.uint32(values[i]) + np.uint32(lower[i]) >= 2**16
    return most >= 2**16


@part()
def _add(values, total):
    for i in range(total.size):
        total[i] += values[i]


@part()
def _count_nonzero(values):
    n = 0
    for i in range(values.size):
        n += values[i] != 0
    return n


@part()
def _count_either(lower, upper):
    n = 0
    for i in range(lower.size):
        n += (lower[i] | upper[i]) != 0
    return n


@kernel()
def collect(
    tables,  # in
    marks,  # in
    first,
    last,
    codes,  # out
    counts,  # out
):
    """Write code and count of each entry of the first table, in its runs `first` to `last`, that isn't 0."""
    lower, upper = tables[0, 0], tables[0, 1]
    n = 0
    for run in range(first, last):
        if marks[0, 1, run]:
            for code in range(run * RUN, (run + 1) * RUN):
                if lower[code] | upper[code]:
                    codes[n] = code
                    counts[n] = np.int64(lower[code]) + (np.int64(upper[code]) << 16)
                    n += 1
        elif marks[0, 0, run]:
            for code in range(run * RUN, (run + 1) * RUN):
                if lower[code]:
                    codes[n] = code
                    counts[n] = lower[code]
                    n += 1


def look_up(
    pixels: Any,  # in
    table: Any,  # in
    labels: Any,  # out
) -> None:
    """Write to `labels` (n,) what `table` (2**(8·C),) has for the code of each pixel, C being 1 to 3."""
    _look_up(pixels, spread_table(pixels.shape[1]), table, labels)


@kernel()
def _look_up(
    pixels,  # in
    spread,  # in
    table,  # in
    labels,  # out
):
    if pixels.shape[1] == 3:
        s0, s1, s2 = spread[0], spread[1], spread[2]
        for i in range(pixels.shape[0]):
            labels[i] = table[s0[pixels[i, 0]] | s1[pixels[i, 1]] | s2[pixels[i, 2]]]
    else:
        for i in range(pixels.shape[0]):
            labels[i] = table[_code(pixels, i, spread)]


@kernel()
def halve(
    values,  # in
    lower,  # out
):
    """Write the lower bytes of values (n,) uint16; return 1 if the upper ones are the same everywhere, else 0."""
    difference = np.uint16(0)
    for i in range(np.uint64(values.shape[0])):
        lower[i] = values[i] & np.uint16(255)
        difference |= (values[i] >> np.uint16(8)) ^ (values[i] & np.uint16(255))
    return np.int64(difference == 0)
