"""Labels of pixels that were sorted by colour when they were counted, without looking each of them up."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.counts import Counts
from kmeans_fast.colors.lookup import look_up_opaque
from kmeans_fast.engines.codes import OPAQUE, without_alpha
from kmeans_fast.lending import Machine
from kmeans_fast.machine.chunks import chunk_bounds
from kmeans_fast.points.access import Points


class Placed(NamedTuple):
    """Where pixels that were counted are.

    Attributes
    ----------
    memory : tuple
        What tells the pixels' array from others while it is there.
    order : ndarray of uint32, shape (N,)
        The pixels' numbers in the order of their colours; without those that are opaque where these were counted apart.
    """

    memory: tuple[Any, ...]
    order: NDArray[np.uint32]

    @classmethod
    def of(cls, pixels: Points, order: NDArray[np.uint32]) -> Placed:
        """Remember pixels, in this order."""
        return cls(_memory_of(pixels), order)

    def knows(self, pixels: Points) -> bool:
        """Say whether these are the pixels."""
        return self.memory == _memory_of(pixels)

    def labels_of(
        self, pixels: Points, colors: NDArray[Any], counts: Counts, color_labels: NDArray[Any], machine: Machine
    ) -> NDArray[Any]:
        """Return the label of each pixel's colour, flat; `colors` (N, C) are those of the counts."""
        if self.order.size == pixels.size:
            labels = np.empty(pixels.size, color_labels.dtype)
            put(self.order, counts.counts, color_labels, labels, machine)
            return labels
        is_opaque = colors[:, 3] == OPAQUE
        opaque = without_alpha(counts.codes[is_opaque]), color_labels[is_opaque]
        others = counts.counts[~is_opaque], color_labels[~is_opaque]
        return labels_apart(pixels, opaque, self.order, others, machine)


def labels_apart(
    pixels: Points,
    opaque: tuple[NDArray[np.uint32], NDArray[Any]],
    order: NDArray[np.uint32],
    others: tuple[NDArray[np.int64], NDArray[Any]],
    machine: Machine,
) -> NDArray[Any]:
    """Return the label of each pixel of RGBA, flat, where opaque ones were counted apart from the others.

    Given are the codes of opaque colours' RGB and their labels, and of the other colours how many pixels each has and
    their labels; the numbers of these pixels are in `order`.
    """
    labels = np.empty(pixels.size, others[1].dtype)
    if opaque[0].size:
        look_up_opaque(pixels, *opaque, labels, machine)
    put(order, *others, labels, machine)
    return labels


def put(
    order: NDArray[np.uint32],
    counts: NDArray[np.int64],
    color_labels: NDArray[Any],
    labels: NDArray[Any],
    machine: Machine,
) -> None:
    """Write the label of each colour to as many of the pixels, in their order, as it has."""
    places = [slice(*bounds) for bounds in chunk_bounds(len(counts))]
    ends = machine.workers.running_totals(lambda i: int(counts[places[i]].sum()), len(places))

    def put_some(i: int) -> None:
        place = places[i]
        machine.engine.sorting.put(order[ends[i] : ends[i + 1]], counts[place], color_labels[place], labels)

    machine.workers.for_each(put_some, range(len(places)))


def _memory_of(pixels: Points) -> tuple[Any, ...]:
    array = pixels.array
    return array.ctypes.data, array.shape, array.strides, array.dtype
