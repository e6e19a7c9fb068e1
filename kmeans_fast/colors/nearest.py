"""Which entry of a palette is nearest to a colour: for each cube of colour space those that may be nearest in it [1]_.

Cubes are halved in each direction again and again. An entry that is farther than another one from every point of a cube
is left out there, and in all cubes inside.

References
----------
.. [1] P. Heckbert, "Color image quantization for frame buffer display", SIGGRAPH 1982: the locally sorted search.
"""

from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines.layout import Nearest
from kmeans_fast.engines.packing import FIELD_BITS, LANES, NO_CANDIDATE, pack

# Logarithm of the number of cubes to a side, for few entries and for many. With 5 the table has 2 MB, and looking up
# takes longer than comparing with the candidates that it would spare up to 256 entries.
FEW_ENTRIES = 128
FEW_BITS, MANY_BITS = 4, 5


def find_nearest(entries: NDArray[np.uint8], indices: NDArray[np.int64], kernels: SimpleNamespace) -> Nearest:
    """Make the table for some entries (K, 3) of a palette that have these indices (K,), ascending."""
    bits = 0 if len(entries) <= LANES else FEW_BITS if len(entries) <= FEW_ENTRIES else MANY_BITS
    starts, candidates = np.array([0, len(entries)]), np.arange(len(entries))
    points = entries.astype(np.int64)
    for level in range(1, bits + 1):
        wider, all_candidates = starts, candidates
        starts, candidates = np.zeros(8**level + 1, np.int64), np.empty(8 * len(candidates), np.int64)
        kernels.narrow(points, level, wider, all_candidates, starts, candidates)
        candidates = candidates[: starts[-1]].copy()
    sizes = np.diff(starts)
    cubes, places = np.repeat(np.arange(len(sizes)), sizes), np.arange(len(candidates)) - np.repeat(starts[:-1], sizes)
    groups = np.concatenate([[0], np.cumsum(np.maximum(0, -(-sizes // LANES) - 1))])
    first, more = _no_candidates(len(sizes)), _no_candidates(int(groups[-1]))
    reverse = pack(entries[:, ::-1])
    norms = ((points**2).sum(axis=1) << FIELD_BITS) + indices
    for table, rows, some in (
        (first, cubes, places < LANES),
        (more, groups[cubes] + places // LANES - 1, places >= LANES),
    ):
        lanes = places[some] % LANES
        table[rows[some], lanes] = reverse[candidates[some]]
        table[rows[some], LANES + lanes] = norms[candidates[some]]
    return Nearest(bits, first, groups, more)


def _no_candidates(n: int) -> NDArray[np.int64]:
    table = np.zeros((n, 2 * LANES), np.int64)
    table[:, LANES:] = NO_CANDIDATE
    return table
