"""Passes over the cells of a histogram, shared among threads while that pays."""

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines.layout import Cells
from kmeans_fast.machine.threads import Workers

# Parts that a shared pass is cut into for each worker: enough that one who is held up leaves some to the others, but
# few, as each costs 15 µs, which is a fifth of an iteration if there are 16.
PARTS_EACH = 2
# Colours of a part at most, so that an interrupt is heard soon.
PART_COLORS = 2**19


class SharedPasses:
    """Run one pass after another; one that is expected to look at few colours runs in the calling thread.

    Sharing less than some milliseconds of work costs more than it gains, most of all when another process is busy.

    Parameters
    ----------
    structure : Cells
        What is passed over.
    workers : Workers
        Who runs the parts.
    n_many : int
        A pass after one that looked at so many colours is shared. The first is expected to look at all.
    """

    def __init__(self, structure: Cells, workers: Workers, n_many: int) -> None:
        self._whole = [(0, len(structure.regions.starts) - 1)]
        n_parts = 1 if workers.n_threads == 1 else PARTS_EACH * workers.n_threads
        self._parts = _even_parts(structure, max(n_parts, -(-len(structure.counts) // PART_COLORS)))
        self._workers = workers
        self._n_many = n_many
        self._n_looked = len(structure.counts)

    def run(self, visit: Callable[[int, int, NDArray[np.int64]], int], shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Call ``visit(first_region, last_region, sums)`` for all parts; return the totals of their sums.

        `visit` adds to its `sums`, of the given shape, and returns how many colours it looked at.
        """
        parts = self._whole if self._n_looked < self._n_many else self._parts
        sums = np.zeros((len(parts), *shape), np.int64)
        n_looked = [0] * len(parts)

        def run_part(i: int) -> None:
            n_looked[i] = visit(*parts[i], sums[i])

        self._workers.for_each(run_part, range(len(parts)))
        self._n_looked = sum(n_looked)
        totals: NDArray[np.int64] = sums.sum(axis=0)
        return totals


def _even_parts(structure: Cells, n_parts: int) -> list[tuple[int, int]]:
    """Cut the regions into at most so many parts, of about as many colours each."""
    first_colors = structure.cells.starts[structure.regions.starts]
    edges = np.searchsorted(first_colors, np.linspace(0, first_colors[-1], n_parts + 1))
    distinct = dict.fromkeys(edges.tolist())  # np.unique would import masked arrays first
    return list(itertools.pairwise(distinct))
