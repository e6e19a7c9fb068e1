"""How many pixels have each colour: counted in tables, each thread in its own, and these added up.

With up to three channels of 8 bits these have an entry for every colour there could be (see `tables`). With more bits
such a table would be too large: then they are counted in hash tables. Opaque pixels of RGBA are counted as RGB, so that
only the others take longer. Where there are few pixels, or nearly all of them differ, their codes are sorted; those of
products with alpha at once where nothing else is wanted of RGBA (`translucent`).
"""

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.counts import Counts, Total, merge
from kmeans_fast.colors.doubled import FACTOR, Bytes, NotDoubledError, doubled
from kmeans_fast.colors.hashing import CountingTable
from kmeans_fast.colors.sorting import NOTHING, encoded, runs, sort
from kmeans_fast.colors.tables import ColorTables
from kmeans_fast.colors.translucent import MOST_PIXELS
from kmeans_fast.engines.codes import MAX_CHANNELS, OPAQUE, encode, with_alpha
from kmeans_fast.lending import Machine
from kmeans_fast.machine.threads import Workers
from kmeans_fast.points.access import Points

# Pixels in a task: many tasks a picture, each of them long against what handing it to a thread costs.
PIXELS_PER_TASK = 2**17
# Tables are for so many channels at most, and there are at most so many of them: 48 MB in all.
TABLE_CHANNELS = 3
MAX_TABLES = 3
# A thread's own table has to be walked through and added to the first one: not for fewer pixels than this.
PIXELS_PER_TABLE = 2**20
# Pixels of one set of tables: what is carried takes 4 bytes for 255 of them, and its number has 32 bits.
MAX_TABLE_PIXELS = 2**32 - 1
# Of so many pixels, at least so many of which count, this part is different where they are sorted; as many at a time
# as take 256 MB at most.
SAMPLE, LEAST_SAMPLE = 2**14, 2**10
MOSTLY = 0.9
PIXELS_AT_ONCE = 2**24
# Of RGBA, this part must be opaque for tables to be worth their while.
LEAST_OPAQUE = 1 / 16
# With more pixels of a colour, as a sample tells, it may take less time to sort colours once more than to sort all
# pixels as points. Where some colours are frequent the sample tells more than there are: of a photo 24 where it was 6.
MOST_OF_A_COLOR = 32


def count_colors(pixels: Points, machine: Machine, *, is_lean: bool = False) -> Counts:
    """Count the colours of pixels of 1 to 4 channels of 8 or 16 bits; `is_lean` is as for `ColorTables`."""
    return count_in_order(pixels, machine, is_kept=False, is_lean=is_lean)[0]


def count_in_order(
    pixels: Points, machine: Machine, *, is_kept: bool = True, is_lean: bool = False
) -> tuple[Counts, NDArray[np.uint32]]:
    """Count colours; return also the pixels' numbers in the order of their codes where these were sorted, or (0,).

    That is not so of more than `PIXELS_AT_ONCE`, and is without opaque pixels where these were counted apart.
    """
    is_kept = is_kept and pixels.size <= PIXELS_AT_ONCE
    lent = machine.workers.at_most(min(MAX_TABLES, max(1, pixels.size // PIXELS_PER_TABLE)))
    # sorting so few takes a quarter to two thirds of the time of tables or hashing
    if pixels.size <= 2 * PIXELS_PER_TASK and pixels.dtype == np.uint8 and 1 < pixels.n_features <= TABLE_CHANNELS:
        return count_by_sorting(pixels, machine, is_kept=is_kept)
    if pixels.size > PIXELS_PER_TASK:
        if pixels.dtype == np.uint8 and pixels.n_features <= TABLE_CHANNELS:
            return _count_in_tables(pixels, machine.engine.histogram, lent, is_lean=is_lean), NOTHING
        sample = _sample(pixels)
        if pixels.dtype == np.uint16 and not (sample % FACTOR).any():
            try:
                counts = count_colors(Bytes(pixels, machine.engine.histogram), machine, is_lean=is_lean)
                return doubled(counts, pixels.n_features), NOTHING
            except NotDoubledError:  # few aren't
                pass
        if pixels.dtype == np.uint8 and pixels.n_features == MAX_CHANNELS:
            others = _translucent(sample)
            if len(others) < (1 - LEAST_OPAQUE) * len(sample):
                is_sorted = len(others) >= LEAST_SAMPLE and _mostly_distinct(others)
                return _count_opaque_apart(pixels, machine, lent, is_sorted=is_sorted, is_kept=is_kept, is_lean=is_lean)
        if _mostly_distinct(sample):
            return count_by_sorting(pixels, machine, is_kept=is_kept)
    return _count_by_hashing(pixels, machine.engine.hashing, lent), NOTHING


def are_mostly_distinct(pixels: Points) -> bool:
    """Say whether nearly all of some pixels from everywhere are different: sorting them is then the quickest way.

    So it is for pictures of 16 bits with noise in the lower ones.
    """
    return _mostly_distinct(_sample(pixels))


def are_best_sorted(pixels: Points) -> bool:
    """Say whether RGBA pixels had best be sorted at once as what they become, without counting colours before.

    So it is if some are translucent and there are few of these of a colour. How many colours they have is told by how
    often those of a sample are there once and twice [1]_.

    References
    ----------
    .. [1] A. Chao, "Nonparametric estimation of the number of classes in a population", Scandinavian Journal of
       Statistics 11(4), 1984.
    """
    if not PIXELS_PER_TASK < pixels.size <= MOST_PIXELS:
        return False
    sample = _sample(pixels)
    others = _translucent(sample)
    _, times = np.unique(encode(others), return_counts=True)
    once, twice = (int(np.count_nonzero(times == n)) for n in (1, 2))
    n_colors = len(times) + once**2 / (2 * max(1, twice))
    is_rare = len(others) * pixels.size <= MOST_OF_A_COLOR * n_colors * len(sample)
    return len(others) >= LEAST_SAMPLE and is_rare


def _translucent(sample: NDArray[Any]) -> NDArray[Any]:
    translucent: NDArray[Any] = sample[sample[:, 3] != OPAQUE]
    return translucent


def _sample(pixels: Points) -> NDArray[Any]:
    sample = pixels.take(np.arange(0, pixels.size, max(1, pixels.size // SAMPLE)))
    return sample.astype(pixels.dtype)


def _mostly_distinct(sample: NDArray[Any]) -> bool:
    return len(np.unique(encode(sample))) >= MOSTLY * len(sample)


def _stretches(n: int, most: int) -> list[tuple[int, int]]:
    """Cut n pixels into parts of whole tasks, none with more than `most`."""
    stretch = most // PIXELS_PER_TASK * PIXELS_PER_TASK
    return [(start, min(start + stretch, n)) for start in range(0, n, stretch)]


def count_by_sorting(pixels: Points, machine: Machine, *, is_kept: bool = False) -> tuple[Counts, NDArray[np.uint32]]:
    """Do as `count_in_order`, whatever the pixels are."""
    total, order = Total(), NOTHING
    for start in range(0, pixels.size, PIXELS_AT_ONCE):
        n = min(PIXELS_AT_ONCE, pixels.size - start)
        codes = encoded(
            n,
            lambda first, last: pixels.chunk(start + first, start + last),  # noqa: B023 - run now
            f"u{4 * pixels.dtype.itemsize}",
            machine,
        )
        numbers = np.arange(n, dtype=np.uint32) if is_kept else NOTHING
        part, order = _counted(codes, numbers, 8 * pixels.dtype.itemsize * pixels.n_features, machine)
        total.add(part)
    return total.result(), order


def _counted(
    codes: NDArray[Any], numbers: NDArray[np.uint32], n_bits: int, machine: Machine
) -> tuple[Counts, NDArray[np.uint32]]:
    """Count codes of so many bits, which are work space thereafter, and sort numbers with them."""
    codes, order = sort(codes, numbers, n_bits, machine)
    return Counts(*runs(codes, machine)), order


def _count_by_hashing(pixels: Points, kernels: SimpleNamespace, lent: Workers) -> Counts:
    hashed = _Hashed(pixels, kernels, lent)
    lent.for_each(
        lambda first: hashed.add(pixels.chunk(first, min(first + PIXELS_PER_TASK, pixels.size)), NOTHING),
        range(0, pixels.size, PIXELS_PER_TASK),
    )
    return hashed.result()[0]


class _Hashed:
    """Counts some pixels at a time, of the kind of `pixels`, in a hash table for each thread."""

    def __init__(self, pixels: Points, kernels: SimpleNamespace, lent: Workers) -> None:
        room = min(PIXELS_PER_TASK, pixels.size)
        self._tables = [CountingTable(pixels.n_features, pixels.dtype, room, kernels) for _ in range(lent.n_threads)]
        self._free = list(self._tables)
        self._total = Total()
        self._lent = lent

    def add(self, some: NDArray[Any], numbers: NDArray[np.uint32]) -> None:  # noqa: ARG002 - as `_Sorted`
        table = self._free.pop()
        for part in table.count(some):
            self._total.add(part)
        self._free.append(table)

    def result(self) -> tuple[Counts, NDArray[np.uint32]]:
        self._lent.for_each(lambda table: self._total.add(table.empty()), self._tables)
        return self._total.result(), NOTHING


class _Sorted:
    """Counts RGBA pixels by sorting them in the end."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._parts: list[tuple[NDArray[np.uint32], NDArray[np.uint32]]] = []

    def add(self, some: NDArray[np.uint8], numbers: NDArray[np.uint32]) -> None:
        codes = np.empty(len(some), np.uint32)
        self._machine.engine.sorting.encode(some, codes)
        self._parts.append((codes, numbers))

    def result(self) -> tuple[Counts, NDArray[np.uint32]]:
        if not self._parts:
            return Counts(np.empty(0, np.uint32), np.empty(0, np.int64)), NOTHING
        codes, numbers = map(np.concatenate, zip(*self._parts, strict=True))
        return _counted(codes, numbers, 32, self._machine)


def _count_in_tables(pixels: Points, kernels: SimpleNamespace, lent: Workers, *, is_lean: bool) -> Counts:
    parts = []
    for start, stop in _stretches(pixels.size, MAX_TABLE_PIXELS):
        tables = ColorTables(pixels.n_features, stop - start, kernels, lent, is_lean=is_lean)

        def count(first: int, stop: int = stop, tables: ColorTables = tables) -> None:
            with tables.one() as table:
                kernels.count(pixels.chunk(first, min(first + PIXELS_PER_TASK, stop)), *table)

        lent.for_each(count, range(start, stop, PIXELS_PER_TASK))
        parts.append(tables.collect())
    return merge(parts)


def _count_opaque_apart(
    pixels: Points, machine: Machine, lent: Workers, *, is_sorted: bool, is_kept: bool, is_lean: bool
) -> tuple[Counts, NDArray[np.uint32]]:
    """Count opaque pixels of RGBA in tables for RGB, and the others by sorting or hashing."""
    kernels, hashing = machine.engine.histogram, machine.engine.hashing
    parts = []
    for start, stop in _stretches(pixels.size, PIXELS_AT_ONCE if is_sorted else MAX_TABLE_PIXELS):
        tables = ColorTables(3, stop - start, kernels, lent, is_lean=is_lean)
        others: _Sorted | _Hashed = _Sorted(machine) if is_sorted else _Hashed(pixels, hashing, lent)

        def count(
            first: int, stop: int = stop, tables: ColorTables = tables, others: _Sorted | _Hashed = others
        ) -> None:
            chunk = pixels.chunk(first, min(first + PIXELS_PER_TASK, stop))
            rest = np.empty_like(chunk)
            with tables.one() as table:
                n_rest = kernels.count_opaque(chunk, *table, rest)
            if n_rest:
                numbers = np.flatnonzero(chunk[:, 3] != OPAQUE).astype(np.uint32) + np.uint32(first)
                others.add(rest[:n_rest], numbers if is_kept else NOTHING)

        lent.for_each(count, range(start, stop, PIXELS_PER_TASK))
        opaque = tables.collect()
        counts, order = others.result()
        parts += [Counts(with_alpha(opaque.codes), opaque.counts), counts]
    return merge(parts), order
