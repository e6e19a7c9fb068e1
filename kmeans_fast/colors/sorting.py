"""Codes of colours made and sorted, shared among threads."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines.codes import decode, encode
from kmeans_fast.lending import Machine

# Codes from which on a pass is shared, and those in a task of making them.
SHARED_CODES = 2**18
CODES_PER_TASK = 2**16
DIGIT_BITS = 8
# Of those who are counted and need no more than to be in order.
NOTHING = np.empty(0, np.uint32)


def encoded(n: int, chunk: Callable[[int, int], NDArray[Any]], dtype: Any, machine: Machine) -> NDArray[Any]:
    """Return the codes of n colours, of which `chunk(start, stop)` gives some (m, C)."""
    codes = np.empty(n, dtype)

    def encode_some(start: int) -> None:
        stop = min(start + CODES_PER_TASK, n)
        codes[start:stop] = encode(chunk(start, stop))

    machine.workers.for_each(encode_some, range(0, n, CODES_PER_TASK))
    return codes


def decoded(codes: NDArray[Any], n_channels: int, machine: Machine) -> NDArray[Any]:
    """Return the colours (N, C) of codes (N,)."""
    colors = np.empty((len(codes), n_channels), f"u{codes.itemsize // 4}")

    def decode_some(start: int) -> None:
        place = slice(start, start + CODES_PER_TASK)
        colors[place] = decode(codes[place], n_channels)

    machine.workers.for_each(decode_some, range(0, len(codes), CODES_PER_TASK))
    return colors


def sort(
    codes: NDArray[Any], carried: NDArray[Any], n_bits: int, machine: Machine
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return codes (N,) below 2**n_bits in ascending order, and what each carries, (N,) or nothing, (0,).

    Radix sort from the lowest digit up. What was given is work space thereafter.
    """
    kernels, workers = machine.engine.sorting, machine.workers
    n_parts = workers.n_threads if len(codes) >= SHARED_CODES else 1
    edges = [len(codes) * part // n_parts for part in range(n_parts + 1)]
    parts = [slice(*edge) for edge in itertools.pairwise(edges)]
    spare_codes, spare_carried = np.empty_like(codes), np.empty_like(carried)
    counts = np.empty((n_parts, 2**DIGIT_BITS), np.int64)
    for shift in range(0, n_bits, DIGIT_BITS):
        source, target = (codes, carried), (spare_codes, spare_carried)

        def count(part: int, codes: NDArray[Any] = codes, shift: int = shift) -> None:
            kernels.count_digits(codes[parts[part]], shift, counts[part])

        workers.for_each(count, range(n_parts))
        if counts.sum(axis=0).max() == len(codes):
            continue  # all have one digit
        ends = np.cumsum(counts.T).reshape(-1, n_parts).T
        places = np.ascontiguousarray(ends - counts)

        def move(
            part: int, source: Any = source, target: Any = target, places: Any = places, shift: int = shift
        ) -> None:
            kernels.move_by_digit(*(array[parts[part]] for array in source), shift, places[part], *target)

        workers.for_each(move, range(n_parts))
        (codes, carried), (spare_codes, spare_carried) = target, source
    return codes, carried
