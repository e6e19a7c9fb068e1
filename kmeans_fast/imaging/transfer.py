"""The transfer function of sRGB, from 8-bit values to light, as a table of correctly rounded numbers.

IEC 61966-2-1 gives a value v, from 0 to 1, the light v / 12.92 up to 0.04045, and ((v + 0.055) / 1.055)^2.4 above.
The table is made with integers alone, so that it is the same whatever a machine's own powers are like.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

# The largest 8-bit value on the straight foot of the curve: 10/255 is below 0.04045, 11/255 above.
LAST_OF_FOOT = 10
# Bits of a root. A float64 has 53; no light comes so near to the middle of two that it needed more than these.
ROOT_BITS = 128


@cache
def light() -> NDArray[np.float64]:
    """Return the light (256,) of each 8-bit value, from 0 to 1.

    Examples
    --------
    >>> light()[[0, 10, 128, 255]].round(4).tolist()
    [0.0, 0.003, 0.2159, 1.0]
    """
    foot = [100 * value / (1292 * 255) for value in range(LAST_OF_FOOT + 1)]
    table = np.array(foot + [_power(value) for value in range(LAST_OF_FOOT + 1, 256)])
    table.setflags(write=False)
    return table


@cache
def between() -> NDArray[np.float64]:
    """Return the light (255,) half way between one 8-bit value's and the next one's."""
    middles: NDArray[np.float64] = (light()[:-1] + light()[1:]) / 2
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
