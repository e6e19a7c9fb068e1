"""The points of colours in uniform spaces, in plain NumPy: the same function as in `numba_uniform`.

Cube roots are made of +, −, × alone, in one order, so that they are the same everywhere.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines.roots import LEAST_ROOTED, ROOT_MAGIC, THIRD, TWO_NINTHS

# Colours at a time: 32 kB for each of the numbers made of them, which stay in the cache.
BLOCK = 4096


def embed(
    colors: NDArray[Any],  # in
    light: NDArray[np.float64],  # in
    matrices: NDArray[np.float64],  # in
    offsets: NDArray[np.float64],  # in
    foot: NDArray[np.float64],  # in
    points: NDArray[np.uint16],  # out
) -> None:
    """Write the points (n, 3) of colours (n, 3) of 8 or 16 bits: sums of their light, its roots, and sums of these.

    `light` has that of each value, `matrices` (2, 3, 3) are those before and after the root, and `offsets` (3,) what is
    added at last, before numbers are rounded down. Up to the first number of `foot` (3,) a root is replaced by a line
    of the second's slope and the third's height.
    """
    for start in range(0, len(colors), BLOCK):
        block = slice(start, start + BLOCK)
        sums = _sums(matrices[0], light.take(colors[block].T))
        roots = np.where(sums > foot[0], _cube_root(sums), sums * foot[1] + foot[2])
        points[block] = (_sums(matrices[1], roots) + offsets[:, np.newaxis]).T


def _sums(matrix: NDArray[np.float64], numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    sums: NDArray[np.float64] = matrix[:, :1] * numbers[0]
    sums += matrix[:, 1:2] * numbers[1]
    sums += matrix[:, 2:] * numbers[2]
    return sums


def _cube_root(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the roots of numbers that are 0 or from `LEAST_ROOTED` to 1.

    The reciprocal root y of v is made better by steps of third order: with e = 1 − v·y³, v^(−1/3) is
    y·(1 − e)^(−1/3) = y·(1 + e/3 + 2·e²/9 + …). Two in float32 leave 1.1·10⁻⁷, the last leaves rounding alone.
    """
    short = np.maximum(values.astype(np.float32), LEAST_ROOTED)
    guess = (ROOT_MAGIC - short.view(np.uint32) // np.uint32(3)).view(np.float32)
    for _ in range(2):
        _improve(guess, short)
    roots: NDArray[np.float64] = guess.astype(np.float64)
    _improve(roots, values)
    roots *= roots
    roots *= values
    return roots


def _improve(reciprocal: NDArray[Any], values: NDArray[Any]) -> None:
    """Add y·e·(1/3 + 2·e/9) to y; in place, as new arrays take as long as what is put into them."""
    number = reciprocal.dtype.type
    error = reciprocal * reciprocal
    error *= reciprocal
    error *= values
    np.subtract(1, error, out=error)
    step = number(TWO_NINTHS) * error
    step += number(THIRD)
    step *= error
    step *= reciprocal
    reciprocal += step
