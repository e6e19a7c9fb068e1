"""Which entry of a palette is nearest to a colour: for each cube of colour space those that may be nearest in it [1]_.

Cubes are halved in each direction again and again. An entry that is farther than another one from every point of a cube
is left out there, and in all cubes inside.

References
----------
.. [1] P. Heckbert, "Color image quantization for frame buffer display", SIGGRAPH 1982: the locally sorted search.
"""

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines.layout import Nearest
from kmeans_fast.engines.packing import FIELD_BITS, LANES, NO_CANDIDATE, pack

# Up to so many entries a cube of a side of 16 seldom has more than four candidates; for more its side is 8.
FEW_ENTRIES = 48
FEW_BITS, MANY_BITS = 4, 5


def find_nearest(entries: NDArray[np.uint8], indices: NDArray[np.int64]) -> Nearest:
    """Make the table for some entries (K, 3) of a palette that have these indices (K,), ascending."""
    bits = 0 if len(entries) <= LANES else FEW_BITS if len(entries) <= FEW_ENTRIES else MANY_BITS
    cubes, candidates = _divide(entries.astype(np.int64), bits)
    sizes = np.bincount(cubes, minlength=8**bits)
    places = np.arange(len(cubes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    starts = np.concatenate([[0], np.cumsum(np.maximum(0, -(-sizes // LANES) - 1))])
    first, more = _no_candidates(len(sizes)), _no_candidates(int(starts[-1]))
    reverse = pack(entries[:, ::-1])
    norms = ((entries.astype(np.int64) ** 2).sum(axis=1) << FIELD_BITS) + indices
    for table, rows, some in (
        (first, cubes, places < LANES),
        (more, starts[cubes] + places // LANES - 1, places >= LANES),
    ):
        lanes = places[some] % LANES
        table[rows[some], lanes] = reverse[candidates[some]]
        table[rows[some], LANES + lanes] = norms[candidates[some]]
    return Nearest(bits, first, starts, more)


def _no_candidates(n: int) -> NDArray[np.int64]:
    table = np.zeros((n, 2 * LANES), np.int64)
    table[:, LANES:] = NO_CANDIDATE
    return table


def _divide(entries: NDArray[np.int64], bits: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return pairs of a cube's number and a candidate of it, in the order of both."""
    side = 256
    corners = np.zeros((1, 3), np.int64)
    cubes, candidates = np.zeros(len(entries), np.intp), np.arange(len(entries))
    octants = np.indices((2, 2, 2)).reshape(3, 8).T
    for _ in range(bits):
        side //= 2
        corners = (corners[:, np.newaxis] + octants * side).reshape(-1, 3)
        cubes, candidates = _eightfold(cubes, candidates)
        is_candidate = _may_be_nearest(entries, corners, side, cubes, candidates)
        cubes, candidates = cubes[is_candidate], candidates[is_candidate]
    steps = corners // side
    numbers = (steps[:, 0] << 2 * bits) | (steps[:, 1] << bits) | steps[:, 2]
    order = np.argsort(numbers[cubes], kind="stable")
    return numbers[cubes][order], candidates[order]


def _eightfold(cubes: NDArray[np.intp], candidates: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of all cubes' octants with the cubes' candidates, in order."""
    sizes = np.bincount(cubes)
    child_sizes = np.repeat(sizes, 8)
    starts = np.repeat(np.cumsum(sizes) - sizes, 8)
    places = np.arange(child_sizes.sum()) - np.repeat(np.cumsum(child_sizes) - child_sizes, child_sizes)
    return np.repeat(np.arange(len(child_sizes)), child_sizes), candidates[np.repeat(starts, child_sizes) + places]


def _may_be_nearest(
    entries: NDArray[np.int64],
    corners: NDArray[np.int64],
    side: int,
    cubes: NDArray[np.intp],
    candidates: NDArray[np.intp],
) -> NDArray[np.bool_]:
    """Say of each pair whether the entry that is nearest to the cube's middle is not nearer in all of the cube.

    In half steps, so that all is exact. For entries z and c, ‖x−c‖² − ‖x−z‖² is linear in x and least at a corner.
    """
    doubled = 2 * entries[candidates]
    squares = ((doubled - (2 * corners[cubes] + side - 1)) ** 2).sum(axis=1)
    sizes = np.bincount(cubes, minlength=len(corners))
    starts = np.cumsum(sizes) - sizes
    least = np.minimum.reduceat(squares, starts)
    is_least = np.flatnonzero(squares == np.repeat(least, sizes))
    nearest = is_least[np.unique(cubes[is_least], return_index=True)[1]]
    gaps = np.abs(doubled - np.repeat(doubled[nearest], sizes, axis=0)).sum(axis=1)
    is_candidate: NDArray[np.bool_] = squares - np.repeat(least, sizes) - 2 * (side - 1) * gaps <= 0
    return is_candidate
