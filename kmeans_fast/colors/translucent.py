"""Pixels of RGBA counted as what they become with alpha: opaque ones as RGB, the others multiplied by it, of 16 bits.

The others are sorted: once they have been counted by the highest bits of their codes, each is written as a key of 8
bytes to where these belong, in a second look at the picture. What is left to do is done in a cache.
"""

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.counts import Counts
from kmeans_fast.colors.sorting import Task, sort_in_parts, tasks_of
from kmeans_fast.colors.tables import ColorTables
from kmeans_fast.engines.codes import BUCKETS, NUMBER_BITS
from kmeans_fast.lending import Machine
from kmeans_fast.points.access import Points

# Each thread at work takes 16 MB for opaque colours, see `counting`.
MAX_THREADS = 3
# Parts of the picture for each thread, one of which it may leave to the others.
PARTS_EACH = 2
# Numbers of more don't fit into a key.
MOST_PIXELS = 2**NUMBER_BITS
KEY_BITS = 64


class Products(NamedTuple):
    """What isn't opaque.

    Attributes
    ----------
    points : ndarray of uint16, shape (N, 4)
        Distinct (r·a, g·a, b·a, 255·a).
    codes : ndarray of uint64, shape (N,)
        Theirs, ascending.
    counts : ndarray of int64, shape (N,)
        How many pixels each has.
    order : ndarray of uint32, shape (M,)
        The numbers of these pixels, in the order of their points.
    """

    points: NDArray[np.uint16]
    codes: NDArray[np.uint64]
    counts: NDArray[np.int64]
    order: NDArray[np.uint32]


def count_products(pixels: Points, machine: Machine) -> tuple[Counts, Products]:
    """Count opaque pixels of RGBA of 8 bits as RGB, and the others, of which there may be `MOST_PIXELS` at most."""
    opaque, keys, ends = _keys(pixels, machine)
    return opaque, _sorted(keys, ends, machine)


def _keys(pixels: Points, machine: Machine) -> tuple[Counts, NDArray[np.uint64], NDArray[np.int64]]:
    """Count opaque colours; return the others' keys, in buckets, and where each of these ends."""
    kernels, lent = machine.engine.translucent, machine.workers.at_most(MAX_THREADS)
    tables = ColorTables(3, pixels.size, machine.engine.histogram, lent)
    n_parts = PARTS_EACH * lent.n_threads
    parts = list(itertools.pairwise(pixels.size * i // n_parts for i in range(n_parts + 1)))
    counts = np.zeros((n_parts, BUCKETS), np.uint32)

    def count(i: int) -> None:
        with tables.one() as table:
            kernels.count(pixels.chunk(*parts[i]), *table, counts[i])

    lent.for_each(count, range(n_parts))
    places = np.cumsum(counts, axis=0, dtype=np.uint32)
    ends = np.cumsum(places[-1], dtype=np.int64)
    places += (ends - places[-1]).astype(np.uint32) - counts
    keys = np.empty(ends[-1], np.uint64)
    machine.workers.for_each(
        lambda i: kernels.place(pixels.chunk(*parts[i]), parts[i][0], places[i], keys), range(n_parts)
    )
    return tables.collect(), keys, ends


def _sorted(keys: NDArray[np.uint64], ends: NDArray[np.int64], machine: Machine) -> Products:
    """Sort the keys in each bucket but the first, where all are equal, and list their points."""
    kernels = machine.engine.translucent
    tasks = [task for task in tasks_of(ends) if task[1].start < task[1].stop] if len(keys) else []

    def arguments(task: Task) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        buckets, place = task
        return keys[place], ends[buckets] - place.start

    firsts = sort_in_parts(keys, ends, KEY_BITS, tasks, machine, lambda task: kernels.count_points(*arguments(task)))
    n = firsts[-1]
    found = Products(
        np.empty((n, 4), np.uint16), np.empty(n, np.uint64), np.empty(n, np.int64), np.empty(len(keys), np.uint32)
    )

    def list_some(i: int) -> None:
        (buckets, place), own = tasks[i], slice(firsts[i], firsts[i + 1])
        kernels.list_points(
            *arguments(tasks[i]), buckets.start,
            found.points[own], found.codes[own], found.counts[own], found.order[place],
        )  # fmt: skip

    machine.workers.for_each(list_some, range(len(tasks)))
    return found
