"""The transfer function of sRGB, from values of 8 or 16 bits to light, as tables of correctly rounded numbers.

IEC 61966-2-1 gives a value v, from 0 to 1, the light v / 12.92 up to 0.04045, and ((v + 0.055) / 1.055)^2.4 above.
The table of 8 bits is made with integers alone, so that it is the same whatever a machine's own powers are like. That
of 16 would take too long so: it is made in pairs of float64 [1]_, of +, −, × and / alone, with a relative error below
2⁻⁹⁵, and no light comes so near to the middle of two float64 that it needed more: a test holds each against integers.

References
----------
.. [1] T. J. Dekker, "A floating-point technique for extending the available precision", Numerische Mathematik 18, 1971.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# The largest 8-bit value on the straight foot of the curve: 10/255 is below 0.04045, 11/255 above.
LAST_OF_FOOT = 10
LAST_OF_FOOT_16 = 2650
# Steps of Newton's method from 1 down to a fifth root of a number from 0.08 to 1.
ROOT_STEPS = 8
# Splits a float64 into halves of 26 bits.
SPLITTER = float(2**27 + 1)
# Bits of a root. A float64 has 53; no light comes so near to the middle of two that it needed more than these.
ROOT_BITS = 128


@cache
def light(top: int = 255) -> NDArray[np.float64]:
    """Return the light (top + 1,) of each value up to 255 or 65535, from 0 to 1.

    Examples
    --------
    >>> light()[[0, 10, 128, 255]].round(4).tolist()
    [0.0, 0.003, 0.2159, 1.0]
    """
    if top == 255:
        foot = [100 * value / (1292 * 255) for value in range(LAST_OF_FOOT + 1)]
        table = np.array(foot + [_power(value) for value in range(LAST_OF_FOOT + 1, 256)])
    else:
        values = np.arange(top + 1.0)
        table = 100 * values / (1292 * top)
        table[LAST_OF_FOOT_16 + 1 :] = _powers(200 * values[LAST_OF_FOOT_16 + 1 :] + 11 * top, 211.0 * top)
    table.setflags(write=False)
    return table


@cache
def between(top: int = 255) -> NDArray[np.float64]:
    """Return the light (top,) half way between one value's and the next one's."""
    middles: NDArray[np.float64] = (light(top)[:-1] + light(top)[1:]) / 2
    middles.setflags(write=False)
    return middles


def _power(value: int) -> float:
    """Return ((value/255 + 0.055) / 1.055)^(12/5), rounded once: the fifth root of a whole number is made first."""
    numerator, denominator = 1000 * value + 14_025, 255 * 1055
    return _fifth_root((numerator**12 << 5 * ROOT_BITS) // denominator**12) / (1 << ROOT_BITS)


def _fifth_root(number: int) -> int:
    """Return the root of a positive number, rounded down, by Newton's method from above."""
    root = 1 << -(-number.bit_length() // 5)
    while (lower := (4 * root + number // root**4) // 5) < root:
        root = lower
    return root


class _Pair(NamedTuple):
    """Numbers as the sum of two float64, of which the first is the sum rounded."""

    high: NDArray[np.float64]
    low: NDArray[np.float64]

    def __mul__(self, other: object) -> _Pair:
        if not isinstance(other, _Pair):
            return NotImplemented
        high, low = _product(self.high, other.high)
        return _sum(high, low + (self.high * other.low + self.low * other.high))


def _powers(numerators: NDArray[np.float64], denominator: float) -> NDArray[np.float64]:
    """Return (n / d)^(12/5), rounded once, for whole numbers below 2²⁶: by a fifth root in pairs."""
    quotients = numerators / denominator
    roots = np.ones_like(quotients)
    for _ in range(ROOT_STEPS):
        squares = roots * roots
        roots = (4 * roots + quotients / (squares * squares)) / 5
    nearly = _Pair(roots, np.zeros_like(roots))
    fourth = nearly * nearly * nearly * nearly
    fifth = fourth * nearly * _Pair(np.array(denominator), np.array(0.0))
    missing = (numerators - fifth.high) - fifth.low
    root = _sum(roots, missing / (5 * denominator * fourth.high))
    cubed = root * root * root
    sixth = cubed * cubed
    return (sixth * sixth).high


def _sum(larger: NDArray[np.float64], smaller: NDArray[np.float64]) -> _Pair:
    high = larger + smaller
    return _Pair(high, smaller - (high - larger))


def _product(a: NDArray[np.float64], b: NDArray[np.float64]) -> _Pair:
    """Return a product exactly."""
    high = a * b
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    return _Pair(high, ((a_high * b_high - high) + a_high * b_low + a_low * b_high) + a_low * b_low)


def _halves(number: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    scaled = SPLITTER * number
    upper = scaled - (scaled - number)
    return upper, number - upper
