"""Codes of colours made, sorted and turned back, in plain NumPy.

The same functions as in `numba_sorting`, and the same results; see there for the shapes.
"""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines import codes as morton


def encode(
    colors: NDArray[Any],  # in
    codes: NDArray[Any],  # out
) -> None:
    """Write the codes of colours."""
    codes[:] = morton.encode(colors)


def decode(
    codes: NDArray[Any],  # in
    colors: NDArray[Any],  # out
) -> None:
    """Write the colours of codes."""
    colors[:] = morton.decode(codes, colors.shape[1])


def count_digits(
    codes: NDArray[Any],  # in
    shift: int,
    counts: NDArray[np.int64],  # out
) -> None:
    """Write to `counts` (D,) int64 how many codes have each digit."""
    counts[:] = np.bincount(_digits(codes, shift, len(counts)), minlength=len(counts))


def move_by_digit(
    codes: NDArray[Any],  # in
    carried: NDArray[Any],  # in
    shift: int,
    places: NDArray[np.int64],  # in/out
    sorted_codes: NDArray[Any],  # out
    sorted_carried: NDArray[Any],  # out
) -> None:
    """Write codes, and what they carry, to where `places` (D,) int64 says that the next of their digit goes."""
    digits = _digits(codes, shift, len(places))
    order = np.argsort(digits, kind="stable")  # a radix sort, for numbers this small
    counts = np.bincount(digits, minlength=len(places))
    targets = np.repeat(places - (np.cumsum(counts) - counts), counts) + np.arange(len(codes))
    sorted_codes[targets] = codes[order]
    if carried.size:
        sorted_carried[targets] = carried[order]
    places += counts


def _digits(codes: NDArray[Any], shift: int, n_values: int) -> NDArray[np.uint16]:
    digits: NDArray[np.uint16] = (codes >> codes.dtype.type(shift)).astype(np.uint16) & np.uint16(n_values - 1)
    return digits


def sort_parts(
    codes: NDArray[Any],  # in/out
    carried: NDArray[Any],  # in/out
    other_codes: NDArray[Any],  # in/out
    other_carried: NDArray[Any],  # in/out
    ends: NDArray[np.int64],  # in
    most: int,
    n_bits: int,  # noqa: ARG001 - the others are equal
    counts: NDArray[np.int64],  # noqa: ARG001 - out, the compiled engine's
    is_moved: int,
) -> None:
    """Sort each part of codes that has `most` of them or fewer; move them to `other_codes` if `is_moved`."""
    for start, stop in itertools.pairwise([0, *ends.tolist()]):
        if 0 < stop - start <= most:
            order = np.argsort(codes[start:stop], kind="stable")
            for values, others in ((codes, other_codes), (carried, other_carried)):
                if values.size:
                    (others if is_moved else values)[start:stop] = values[start:stop][order]


def count_runs(
    codes: NDArray[Any],  # in
    first: int,
    last: int,
) -> int:
    """Return how many runs of equal ones begin among codes `first` to `last`."""
    return len(_begins(codes, first, last))


def list_runs(
    codes: NDArray[Any],  # in
    first: int,
    last: int,
    distinct: NDArray[Any],  # out
    counts: NDArray[np.int64],  # out
) -> None:
    """Write of each run that begins among codes `first` to `last` (there is one) the code and its length."""
    starts = _begins(codes, first, last)
    distinct[:] = codes[starts]
    end = np.searchsorted(codes, distinct[-1], side="right")
    counts[:] = np.diff(starts, append=end)


def _begins(codes: NDArray[Any], first: int, last: int) -> NDArray[np.intp]:
    before = max(0, first - 1)
    is_other = codes[before + 1 : last] != codes[before : last - 1]
    return np.concatenate([np.zeros(int(first == 0), np.intp), before + 1 + np.flatnonzero(is_other)])


def put(
    places: NDArray[np.uint32],  # in
    counts: NDArray[np.int64],  # in
    values: NDArray[Any],  # in
    target: NDArray[Any],  # out
) -> None:
    """Write the first value to as many of the first places in `target` as its count says, and so on."""
    target[places] = np.repeat(values, counts)


def pick(
    counts: NDArray[np.int64],  # in
    before: int,
    step: int,
    places: NDArray[np.int64],  # out
    times: NDArray[np.int64],  # out
) -> int:
    """Of pixels in the order of their colours, find every `step`-th, after so many before the first."""
    ends = np.cumsum(counts)
    wanted = np.arange(before, int(ends[-1]), step)
    found, n_each = np.unique(np.searchsorted(ends, wanted, side="right"), return_counts=True)
    places[: len(found)], times[: len(found)] = found, n_each
    return len(found)
