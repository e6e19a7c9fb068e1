"""Counting pixels by colour and looking up what belongs to their colours, compiled.

In every signature: pixels (n, C) uint8; `tables` (T, 2**(8·C)) uint8 with an entry for each code (see `color_codes`)
and `marks` (T, 2**(8·C − RUN_BITS)) uint8, not 0 for each run of entries that holds anything. With one channel there is
one run, longer than needed. An entry is 0 without pixels and then goes from 1 to 255; when it starts at 1 again, its
code is added to `carried` (T, P) uint32, whose first number says how many follow: each stands for `codes.CARRY` pixels.
`table`, `table_marks` and `table_carried` are those of one of T. Most of counting is waiting for memory: with entries
of 16 bits it took a third more time.

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
    table_carried: Any,  # in/out
) -> None:
    """Add 1 to the entry of each pixel's colour, and mark its run."""
    _count(pixels, spread_table(pixels.shape[1]), table, table_marks, table_carried)


@kernel()
def _count(
    pixels,  # in
    spread,  # in
    table,  # in/out
    marks,  # in/out
    carried,  # in/out
):
    is_rgb = pixels.shape[1] == 3
    s0, s1, s2 = spread[0], spread[min(1, spread.shape[0] - 1)], spread[spread.shape[0] - 1]
    n_carried = np.uint64(carried[0])
    for i in range(pixels.shape[0]):
        code = s0[pixels[i, 0]] | s1[pixels[i, 1]] | s2[pixels[i, 2]] if is_rgb else _code(pixels, i, spread)
        n_carried = _add_one(code, table, marks, carried, n_carried)
    carried[0] = n_carried


@part()
def _add_one(code, table, marks, carried, n_carried):
    """Count a pixel of a code; return how many codes are carried then."""
    value = np.uint8(table[code] + np.uint8(1))
    table[code] = value
    return _begin(code, value, table, marks, carried, n_carried) if value <= np.uint8(1) else n_carried


@part()
def _begin(code, value, table, marks, carried, n_carried):
    """Mark the run of an entry that has its first pixel, or let one that is full begin again."""
    marks[code >> np.uint32(RUN_BITS)] = 1
    if value == 0:
        table[code] = 1
        n_carried += np.uint64(1)
        carried[n_carried] = code
    return n_carried


def count_opaque(
    pixels: Any,  # in
    table: Any,  # in/out
    table_marks: Any,  # in/out
    table_carried: Any,  # in/out
    rest: Any,  # out
) -> int:
    """Do as `count` with opaque pixels' RGB; copy the others of RGBA to `rest` (n, 4); return how many these are."""
    n_rest: int = _count_opaque(pixels, spread_table(3), table, table_marks, table_carried, rest)
    return n_rest


@kernel()
def _count_opaque(
    pixels,  # in
    spread,  # in
    table,  # in/out
    marks,  # in/out
    carried,  # in/out
    rest,  # out
):
    s0, s1, s2 = spread[0], spread[1], spread[2]
    n_carried, n_rest = np.uint64(carried[0]), np.uint64(0)
    for i in range(pixels.shape[0]):
        if pixels[i, 3] == OPAQUE:
            code = s0[pixels[i, 0]] | s1[pixels[i, 1]] | s2[pixels[i, 2]]
            n_carried = _add_one(code, table, marks, carried, n_carried)
        else:
            for f in range(4):
                rest[n_rest, f] = pixels[i, f]
            n_rest += np.uint64(1)
    carried[0] = n_carried
    return np.int64(n_rest)


@part()
def _code(pixels, i, spread):
    code = np.uint32(0)
    for f in range(pixels.shape[1]):
        code |= spread[f, pixels[i, f]]
    return code


def count_entries(
    tables: Any,  # in
    marks: Any,  # in
    first: int,
    last: int,
) -> int:
    """Return how many entries in runs `first` to `last` aren't 0 in some table."""
    n_entries: int = _count_entries(tables, marks, first, last, np.empty(RUN, np.uint16))
    return n_entries


@kernel()
def _count_entries(
    tables,  # in
    marks,  # in
    first,
    last,
    totals,  # work space
):
    n_entries = 0
    for run in range(first, last):
        if _is_marked(marks, run):
            _add_up(tables, run, totals)
            for i in range(RUN):
                n_entries += totals[i] != 0
    return n_entries


def collect(
    tables: Any,  # in
    marks: Any,  # in
    first: int,
    last: int,
    codes: Any,  # out
    counts: Any,  # out
) -> None:
    """Write code and sum over all tables of each entry in runs `first` to `last` that isn't 0 in some table."""
    _collect(tables, marks, first, last, np.empty(RUN, np.uint16), np.empty(RUN + 1, np.uint32), codes, counts)


@kernel()
def _collect(
    tables,  # in
    marks,  # in
    first,
    last,
    totals,  # work space
    found,  # work space
    codes,  # out
    counts,  # out
):
    n = np.uint64(0)
    for run in range(first, last):
        if _is_marked(marks, run):
            _add_up(tables, run, totals)
            n_found = np.uint64(0)
            for i in range(RUN):  # whether there is one can't be foretold, so that jumps would cost more
                found[n_found] = i
                n_found += np.uint64(totals[i] != 0)
            for j in range(n_found):
                i = found[j]
                codes[n + j], counts[n + j] = np.uint32(run * RUN) + i, totals[i]
            n += n_found


@part()
def _add_up(tables, run, totals):
    first = tables[0, run * RUN : (run + 1) * RUN]
    for i in range(RUN):
        totals[i] = first[i]
    for t in range(1, tables.shape[0]):
        further = tables[t, run * RUN : (run + 1) * RUN]
        for i in range(RUN):
            totals[i] += further[i]


@part()
def _is_marked(marks, run):
    is_marked = False
    for t in range(marks.shape[0]):
        is_marked |= marks[t, run] != 0
    return is_marked


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


def look_up_opaque(
    pixels: Any,  # in
    table: Any,  # in
    labels: Any,  # in/out
) -> None:
    """Do as `look_up` with opaque pixels' RGB, and leave alone the labels of the others of RGBA."""
    _look_up_opaque(pixels, spread_table(3), table, labels)


@kernel()
def _look_up_opaque(
    pixels,  # in
    spread,  # in
    table,  # in
    labels,  # in/out
):
    s0, s1, s2 = spread[0], spread[1], spread[2]
    for i in range(np.uint64(pixels.shape[0])):
        if pixels[i, 3] == OPAQUE:
            labels[i] = table[s0[pixels[i, 0]] | s1[pixels[i, 1]] | s2[pixels[i, 2]]]


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
