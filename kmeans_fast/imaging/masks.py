"""Masks of ordered dithering: at which places of a tile an entry goes first, at which ones last.

Both are made here, in integers, and are the same everywhere.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

BLUE_NOISE_SIDE = 64
# exp(−1 / (2·1.5²)) in 2⁻³⁰: the factor by which the energy falls off per square of the distance, with Ulichney's 1.5.
DECAY = 859_785_240
# The energy at distance 0; the sum of all that reach a place stays below 2⁶⁰.
ENERGY = 2**56


def bayer(side: int) -> NDArray[np.int64]:
    """Return the ranks 0 to side² − 1 of Bayer's matrix; `side` is a power of two."""
    ranks = np.zeros((1, 1), np.int64)
    while len(ranks) < side:
        ranks = np.block([[4 * ranks, 4 * ranks + 2], [4 * ranks + 3, 4 * ranks + 1]])
    return ranks


@cache
def blue_noise() -> NDArray[np.int64]:
    """Return the ranks 0 to 4095 of a tile of blue noise, made by the void-and-cluster method [1]_; in 0.06 s.

    References
    ----------
    .. [1] R. Ulichney, "The void-and-cluster method for dither array generation", Proc. SPIE 1913, 1993.
    """
    first = _Dots(_first_dots())
    while (place := first.tightest_cluster()) != first.move(place):
        pass
    n_places = BLUE_NOISE_SIDE**2
    n_first = int(first.is_dot.sum())
    ranks = np.zeros(n_places, np.int64)
    fewer = _Dots(first.is_dot)
    for rank in range(n_first)[::-1]:
        place = fewer.tightest_cluster()
        fewer.remove(place)
        ranks[place] = rank
    for rank in range(n_first, n_places):
        place = first.largest_void()
        first.add(place)
        ranks[place] = rank
    ranks.setflags(write=False)
    return ranks.reshape(BLUE_NOISE_SIDE, BLUE_NOISE_SIDE)


def _first_dots() -> NDArray[np.bool_]:
    """Put dots on a tenth of the places, by a linear congruential generator."""
    n_places = BLUE_NOISE_SIDE**2
    is_dot = np.zeros(n_places, np.bool_)
    state = 1
    while is_dot.sum() < n_places // 10:
        state = (state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % 2**64
        is_dot[(state >> 33) % n_places] = True
    return is_dot


class _Dots:
    """Dots on a tile whose edges meet, and the energy that they bring to each place of it."""

    def __init__(self, is_dot: NDArray[np.bool_]) -> None:
        self.is_dot = np.zeros_like(is_dot)
        self._energy = np.zeros(len(is_dot), np.int64)
        self._around = np.tile(_energy_by_offset(), (2, 2))
        for place in np.flatnonzero(is_dot):
            self.add(int(place))

    def add(self, place: int) -> None:
        self.is_dot[place] = True
        self._energy += self._of(place)

    def remove(self, place: int) -> None:
        self.is_dot[place] = False
        self._energy -= self._of(place)

    def move(self, place: int) -> int:
        """Move a dot into the largest void, and return where that is."""
        self.remove(place)
        void = self.largest_void()
        self.add(void)
        return void

    def tightest_cluster(self) -> int:
        """Return the dot with the most energy, the first of equals."""
        return int(np.where(self.is_dot, self._energy, -1).argmax())

    def largest_void(self) -> int:
        """Return the place without a dot that has the least energy, the first of equals."""
        return int(np.where(self.is_dot, np.iinfo(np.int64).max, self._energy).argmin())

    def _of(self, place: int) -> NDArray[np.int64]:
        side = BLUE_NOISE_SIDE
        row, column = divmod(place, side)
        around: NDArray[np.int64] = self._around[side - row : 2 * side - row, side - column : 2 * side - column].ravel()
        return around


def _energy_by_offset() -> NDArray[np.int64]:
    """Return the energy at each place that a dot in the corner brings."""
    distances = np.minimum(np.arange(BLUE_NOISE_SIDE), np.arange(BLUE_NOISE_SIDE)[::-1] + 1)
    squares = distances[:, np.newaxis] ** 2 + distances**2
    energies = [ENERGY]
    while len(energies) <= squares.max():
        energies.append(energies[-1] * DECAY >> 30)
    by_offset: NDArray[np.int64] = np.array(energies, np.int64)[squares]
    return by_offset
