"""Passes over the cells of a histogram, shared among threads while that pays."""

import itertools
from collections.abc import Callable

import numpy as np

from kmeans_fast.engines.layout import Cells
from kmeans_fast.machine.threads import Workers

# Parts that a shared pass is cut into for each worker: enough that one who is held up leaves some to the others, but
# few, as each costs some 10 µs, and late iterations take 200.
PARTS_EACH = 2
# Colours of a part at most, so that an interrupt is heard soon.
PART_COLORS = 2**19


class SharedPasses:
    """Run one pass after another; one that is expected to look at few colours runs in the calling thread.

    `parts` are the first and last region of each part: of the whole, and then of those that a shared pass is cut into.

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
        n_parts = 1 if workers.n_threads == 1 else PARTS_EACH * workers.n_threads
        shares = _even_parts(structure, max(n_parts, -(-len(structure.counts) // PART_COLORS)))
        self.parts = [(0, len(structure.regions.starts) - 1), *shares]
        self._workers = workers
        self._n_many = n_many
        self._n_looked = len(structure.counts)

    def run(self, visit: Callable[[int], int]) -> None:
        """Call `visit` with the number of each part that together are a pass; it returns at how many colours it looked.

        As all of a part's arguments can be the same in every pass, what an engine keeps of a call serves the next.
        """
        parts = range(1) if self._n_looked < self._n_many else range(1, len(self.parts))
        n_looked: list[int] = []
        self._workers.for_each(lambda part: n_looked.append(visit(part)), parts)
        self._n_looked = sum(n_looked)


def _even_parts(structure: Cells, n_parts: int) -> list[tuple[int, int]]:
    """Cut the regions into at most so many parts, of about as many colours each."""
    first_colors = structure.cells.starts[structure.regions.starts]
    edges = np.searchsorted(first_colors, np.linspace(0, first_colors[-1], n_parts + 1))
    distinct = dict.fromkeys(edges.tolist())  # np.unique would import masked arrays first
    return list(itertools.pairwise(distinct))
