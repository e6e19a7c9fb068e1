"""Random numbers that stay the same: made by us from the raw 64-bit output of a NumPy bit generator.

NumPy keeps that raw stream stable between versions and machines, but not what `numpy.random.Generator` makes of it
(NEP 19).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from numpy.random import PCG64


class Draws:
    """A stream of random numbers for a seed.

    Parameters
    ----------
    seed : int
        Not negative.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    @cached_property
    def _bits(self) -> PCG64:
        """Made for the first draw: it imports NumPy's random numbers, and there are starts that draw nothing."""
        return np.random.PCG64(self._seed)

    def uniform(self) -> float:
        """Return a float of 53 random bits, at least 0 and below 1."""
        return float(_fractions(self._bits.random_raw()))

    def uniforms(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return an array of these floats, drawn in its order."""
        numbers: NDArray[np.float64] = _fractions(self._bits.random_raw(shape))
        return numbers

    def below(self, limit: int) -> int:
        """Return an integer from 0 to `limit` − 1, each equally likely."""
        # the last, incomplete round of 2⁶⁴ would favour small numbers
        complete = 2**64 - 2**64 % limit
        while (raw := self._bits.random_raw()) >= complete:
            pass
        return int(raw % limit)

    def sample(self, limit: int, size: int) -> list[int]:
        """Return `size` different integers below `limit`, by Floyd's method: one draw each, whatever the size.

        References
        ----------
        .. [1] J. Bentley and B. Floyd, "A sample of brilliance", Communications of the ACM 30(9), 1987.
        """
        chosen: dict[int, None] = {}  # a dict keeps its order
        for last in range(limit - size, limit):
            draw = self.below(last + 1)
            chosen[last if draw in chosen else draw] = None
        return list(chosen)


def _fractions(raw: Any) -> Any:
    """Return what 64 random bits, or an array of them, are as floats."""
    return (raw >> 11) * 2.0**-53
