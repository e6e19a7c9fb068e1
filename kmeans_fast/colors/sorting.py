"""Codes of colours made and sorted, shared among threads."""

import itertools
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.lending import Machine
from kmeans_fast.machine.chunks import chunk_bounds

# Codes from which on a pass is shared, and those in a task of making them.
SHARED_CODES = 2**18
CODES_PER_TASK = 2**16
# Of the uppermost digit: so many that where the colours of a picture are crowded its parts keep all threads busy. Of
# many codes such parts would not fit into a cache.
FIRST_BITS, MANY_FIRST_BITS = 12, 16
MANY_CODES = 2**20
DIGIT_BITS = 8
# Of a digit where there are many codes.
WIDE_BITS = 11
# Codes, with what they carry and work space 768 kB at most, that are sorted at a time; twice as many alone.
MOST_IN_CACHE = 2**15
# Of those who are counted and need no more than to be in order.
NOTHING = np.empty(0, np.uint32)

Pair = tuple[NDArray[Any], NDArray[Any]]
Task = tuple[slice, slice]


def encoded(n: int, chunk: Callable[[int, int], NDArray[Any]], dtype: Any, machine: Machine) -> NDArray[Any]:
    """Return the codes of n colours, of which `chunk(start, stop)` gives some (m, C)."""
    codes, kernels = np.empty(n, dtype), machine.engine.sorting

    def encode_some(start: int) -> None:
        stop = min(start + CODES_PER_TASK, n)
        kernels.encode(chunk(start, stop), codes[start:stop])

    machine.workers.for_each(encode_some, range(0, n, CODES_PER_TASK))
    return codes


def decoded(codes: NDArray[Any], n_channels: int, machine: Machine) -> NDArray[Any]:
    """Return the colours (N, C) of codes (N,)."""
    colors, kernels = np.empty((len(codes), n_channels), f"u{codes.itemsize // 4}"), machine.engine.sorting

    def decode_some(start: int) -> None:
        place = slice(start, start + CODES_PER_TASK)
        kernels.decode(codes[place], colors[place])

    machine.workers.for_each(decode_some, range(0, len(codes), CODES_PER_TASK))
    return colors


def sort(
    codes: NDArray[Any], carried: NDArray[Any], n_bits: int, machine: Machine
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return codes (N,) of `n_bits` in order, and what each carries, (N,) or nothing, (0,).

    Radix sort: by the uppermost digit first, until parts fit into a cache, and those from the lowest one up. Equal
    codes stay in order. What was given is work space thereafter.
    """
    n = len(codes)
    spare = np.empty_like(codes), np.empty_like(carried)
    first_bits = FIRST_BITS if n < MANY_CODES else MANY_FIRST_BITS
    shift = max(0, n_bits - first_bits)
    ends = _move_by_digit((codes, carried), _even_stretches(n, machine), spare, (shift, first_bits), machine)
    kernels = machine.engine.sorting

    def sort_some(task: Task) -> None:
        parts, start = task[0], task[1].start
        _sort_parts(spare, (codes, carried), start, ends[parts] - start, shift, kernels, is_moved=False)

    machine.workers.for_each(sort_some, tasks_of(ends))
    return spare


def sort_in_parts(
    codes: NDArray[Any],
    ends: NDArray[np.int64],
    n_bits: int,
    tasks: list[Task],
    machine: Machine,
    count: Callable[[Task], int],
) -> NDArray[np.int64]:
    """Sort each part of codes but the first, which is in order, in place, some in each task.

    Each thread has work space of its own, which stays in its cache. Returns the running totals of what `count` returns
    for each task, asked while its codes are there, too.
    """
    kernels, room_for = machine.engine.sorting, 2 * CODES_PER_TASK
    rooms = [np.empty(room_for, codes.dtype) for _ in range(machine.workers.n_threads)]

    def sort_some(i: int) -> int:
        parts = slice(max(1, tasks[i][0].start), tasks[i][0].stop)
        start = int(ends[parts.start - 1])
        own = codes[start : tasks[i][1].stop]
        if len(own):
            room = rooms.pop() if len(own) <= room_for else np.empty_like(own)
            other = room[: len(own)], NOTHING
            _sort_parts((own, NOTHING), other, 0, ends[parts] - start, n_bits, kernels, is_moved=False)
            if len(room) == room_for:
                rooms.append(room)
        return count(tasks[i])

    return machine.workers.running_totals(sort_some, len(tasks))


def tasks_of(ends: NDArray[np.int64]) -> list[Task]:
    """Cut parts, which end there, into tasks for threads: which parts each has, and where these are."""
    cuts = np.searchsorted(ends, np.arange(CODES_PER_TASK, ends[-1], CODES_PER_TASK)) + 1
    edges = list(dict.fromkeys([0, *cuts.tolist(), len(ends)]))
    places = [int(ends[edge - 1]) if edge else 0 for edge in edges]
    return [(slice(*edges[i : i + 2]), slice(*places[i : i + 2])) for i in range(len(edges) - 1)]


def runs(codes: NDArray[Any], machine: Machine) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the distinct ones of codes in order, and how many there are of each."""
    kernels, bounds = machine.engine.sorting, chunk_bounds(len(codes))
    ends = machine.workers.running_totals(lambda i: kernels.count_runs(codes, *bounds[i]), len(bounds))
    distinct, counts = np.empty(ends[-1], codes.dtype), np.empty(ends[-1], np.int64)

    def list_some(i: int) -> None:
        place = slice(ends[i], ends[i + 1])
        if place.start < place.stop:
            kernels.list_runs(codes, *bounds[i], distinct[place], counts[place])

    machine.workers.for_each(list_some, range(len(bounds)))
    return distinct, counts


def _even_stretches(n: int, machine: Machine) -> list[slice]:
    """Cut n codes into one stretch for each thread, if there are many."""
    n_parts = machine.workers.n_threads if n >= SHARED_CODES else 1
    edges = [n * part // n_parts for part in range(n_parts + 1)]
    return [slice(*edge) for edge in itertools.pairwise(edges)]


def _move_by_digit(
    source: Pair, parts: Sequence[slice], target: Pair, digit: tuple[int, int], machine: Machine
) -> NDArray[np.int64]:
    """Sort parts of codes by the uppermost digit, with all threads; return where codes with each value of it end.

    `digit` is where its bits begin, and how many they are.
    """
    kernels, workers, n_parts, shift = machine.engine.sorting, machine.workers, len(parts), digit[0]
    counts = np.empty((n_parts, 2 ** digit[1]), np.int64)
    workers.for_each(lambda part: kernels.count_digits(source[0][parts[part]], shift, counts[part]), range(n_parts))
    ends = np.cumsum(counts.T).reshape(-1, n_parts).T
    places = np.ascontiguousarray(ends - counts)

    def move(part: int) -> None:
        kernels.move_by_digit(*(array[parts[part]] for array in source), shift, places[part], *target)

    workers.for_each(move, range(n_parts))
    last: NDArray[np.int64] = ends[-1]
    return last


def _sort_parts(
    source: Pair,
    other: Pair,
    start: int,
    ends: NDArray[np.int64],
    n_bits: int,
    kernels: SimpleNamespace,
    *,
    is_moved: bool,
) -> None:
    """Sort parts of `source`, the first from `start`, by their lowest bits; move them to `other` if that is wanted.

    The other array is work space. `ends` are counted from the start.
    """
    place = slice(start, start + int(ends[-1]))
    in_cache = MOST_IN_CACHE if len(source[1]) else 2 * MOST_IN_CACHE
    most = in_cache if n_bits > DIGIT_BITS else int(ends[-1])
    counts = np.empty((-(-n_bits // DIGIT_BITS), 2**WIDE_BITS), np.int64)
    arrays = (array[place] for array in (*source, *other))
    kernels.sort_parts(*arrays, ends, most, n_bits, counts, int(is_moved))
    firsts = np.concatenate([[0], ends[:-1]])
    for i in np.flatnonzero(ends - firsts > most):
        _split_part(source, other, start + int(firsts[i]), start + int(ends[i]), n_bits, kernels, is_moved=is_moved)


def _split_part(
    source: Pair, other: Pair, start: int, stop: int, n_bits: int, kernels: SimpleNamespace, *, is_moved: bool
) -> None:
    """Sort a part by its uppermost digit, and then what has that in common."""
    counts, shift = np.empty(2**DIGIT_BITS, np.int64), n_bits - DIGIT_BITS
    codes, carried = (array[start:stop] for array in source)
    kernels.count_digits(codes, shift, counts)
    ends = np.cumsum(counts)
    kernels.move_by_digit(codes, carried, shift, ends - counts, *(array[start:stop] for array in other))
    _sort_parts(other, source, start, ends, shift, kernels, is_moved=not is_moved)
