"""A part of the pixels for all of them: every so-manieth in the order of their colours, to find a start on."""

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.colors.sorting import decoded
from kmeans_fast.lending import Machine
from kmeans_fast.machine.chunks import chunk_bounds

# A histogram is kept whole rather than that fewer than this part of the pixels' number are left of its colours.
LEAST = 1 / 16
# How many times fewer colours there have to be of a part of the pixels, for it to be worth its while.
FEWER = 4


def step_for(n_all: int, n_pixels: int) -> int:
    """Return every how manieth pixel is to be taken for about `n_pixels` of all."""
    return max(1, n_all // n_pixels)


def thinned(histogram: ColorHistogram, step: int, n_pixels: int, machine: Machine) -> ColorHistogram:
    """Return every `step`-th pixel, each counting as so many, or the histogram itself if that has few colours.

    As neighbours in this order are alike, such a sample is closer to all than one drawn by chance. `n_pixels` are all
    that are wanted, of this and other histograms.
    """
    chosen, times = _chosen(histogram.counts, step, machine)
    if not LEAST * n_pixels <= len(chosen) < len(histogram):
        return histogram
    n_channels, codes = histogram.n_channels, histogram.codes[chosen]
    return ColorHistogram(n_channels, codes, times * step, decoded(codes, n_channels, machine))


def _chosen(counts: NDArray[np.int64], step: int, machine: Machine) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the colours of every `step`-th pixel are, and how many of these pixels each has."""
    bounds = chunk_bounds(len(counts))
    found = [(np.empty(0, np.int64), np.empty(0, np.int64))] * len(bounds)
    ends = machine.workers.running_totals(lambda i: int(counts[slice(*bounds[i])].sum()), len(bounds))

    def find(i: int) -> None:
        before = (step // 2 - int(ends[i])) % step
        places, times = np.empty((2, int(ends[i + 1] - ends[i]) // step + 1), np.int64)
        n = machine.engine.sorting.pick(counts[slice(*bounds[i])], before, step, places, times)
        found[i] = places[:n] + bounds[i][0], times[:n]

    machine.workers.for_each(find, range(len(bounds)))
    chosen, times = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return chosen, times
