"""Numbers cut into parts whose sums float64 holds, in any order.

A value, times the weight of its point, is cut into what is a multiple of a unit, of what is left what is a multiple of
a smaller one, and so on. A unit is so large that float64 holds every sum of the points' parts, and the last part is all
that is left. That is the summation of Rump, Ogita and Oishi [1]_, with units that are known beforehand. Integers need
one part, float32 mostly two, and float64 two or three. The sum of parts' sums is rounded once [2]_.

References
----------
.. [1] S. M. Rump, T. Ogita and S. Oishi, "Accurate floating-point summation, part I: faithful rounding", SIAM Journal
   on Scientific Computing 31(1), 2008.
.. [2] S. Boldo and G. Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to
   odd", IEEE Transactions on Computers 57(4), 2008.
"""

import math
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.machine.chunks import chunk_bounds
from kmeans_fast.machine.threads import Workers
from kmeans_fast.points.access import Points

# Digits of float64, and the exponent of its smallest number.
DIGITS, LEAST_EXPONENT = 53, -1074


class Range(NamedTuple):
    """Which numbers are added up: 2 to these powers."""

    below: int
    """All magnitudes are below that."""
    unit: int
    """All are multiples of that."""
    least: int
    """All but zeros are at least that."""

    def times(self, other: "Range") -> "Range":
        """Return that of products, rounded to float64."""
        least = self.least + other.least
        unit = max(self.unit + other.unit, least - DIGITS + 1, LEAST_EXPONENT)
        return Range(self.below + other.below, unit, max(least, LEAST_EXPONENT))


ONES = Range(1, 0, 0)


def cuts_of(points: Points, weights: NDArray[Any], kernels: SimpleNamespace, workers: Workers) -> NDArray[np.float64]:
    """Return what leaves a multiple of a unit if it is added and taken off again: (P−1, 2), for values and weights.

    With 0 all is left. The kernels are an engine's `sums`.
    """
    values, of_weights = _range_of_points(points, kernels, workers), ONES
    if weights.size:
        of_weights = _range(float(weights.max()), float(weights[weights > 0].min()), DIGITS, are_whole(weights))
        values = values.times(of_weights)
    n_bits = max(2, points.size.bit_length())
    by_column = [_cuts(values, n_bits), _cuts(of_weights, n_bits)]
    cuts = np.zeros((max(map(len, by_column)), 2))
    for column, found in enumerate(by_column):
        cuts[: len(found), column] = found
    return cuts


def _cuts(numbers: Range, n_bits: int) -> list[float]:
    """Cut until float64 holds each sum of fewer than 2ⁿ numbers, of which it always holds the parts."""
    cuts, top = [], numbers.below + n_bits
    while numbers.unit < top - DIGITS:
        cuts.append(math.ldexp(1.5, top))
        top += n_bits - DIGITS
    return cuts


def _range_of_points(points: Points, kernels: SimpleNamespace, workers: Workers) -> Range:
    if points.dtype.kind != "f":
        return _range(float(np.iinfo(points.dtype).max + 1), 1.0, DIGITS, are_whole=True)
    least, largest = points.magnitudes(workers.for_each, kernels.find_extremes)
    return _range(largest, least, np.finfo(points.dtype).nmant + 1, are_whole=False)


def _range(largest: float, least: float, digits: int, are_whole: bool) -> Range:
    """Return that of numbers of so many digits, up to the largest; the least is of those above 0, or infinite."""
    if not math.isfinite(least):
        return ONES
    exponent = math.frexp(least)[1] - 1
    return Range(math.frexp(largest)[1], 0 if are_whole else max(exponent + 1 - digits, LEAST_EXPONENT), exponent)


def are_whole(weights: NDArray[Any]) -> bool:
    """Say whether all weights are whole numbers."""
    parts = (weights[start:stop] for start, stop in chunk_bounds(weights.size))
    return all(np.array_equal(part, np.rint(part)) for part in parts)


def rounded(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum (...) of parts (P, ...), the largest first, rounded once."""
    terms: list[NDArray[np.float64]] = list(parts)
    for _ in terms[1:]:  # until none has digits in common with the next one
        for i in range(len(terms) - 1, 0, -1):
            terms[i - 1], terms[i] = _sum_and_error(terms[i - 1], terms[i])
    rest = terms.pop()
    while len(terms) > 1:
        rest = _rounded_to_odd(terms.pop(), rest)
    return terms[0] + rest if terms else rest.copy()


def _sum_and_error(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a sum and what rounding took off it, by Knuth."""
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


def _rounded_to_odd(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a sum of which, unless it is exact, the last digit is odd: rounded again, it is as if rounded once."""
    total, error = _sum_and_error(a, b)
    is_even = (total.view(np.int64) & 1) == 0
    beside = np.nextafter(total, np.copysign(np.inf, error))
    odd: NDArray[np.float64] = np.where((error != 0) & is_even, beside, total)
    return odd
