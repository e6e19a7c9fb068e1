"""A part of the pixels for all of them: every so-manieth in the order of their colours, to find a start on."""

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.cells import run_starts
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
    places = _places(histogram.counts, step, machine)
    starts = run_starts(places)
    chosen = places[starts[:-1]]
    if not LEAST * n_pixels <= len(chosen) < len(histogram):
        return histogram
    n_channels, codes = histogram.n_channels, histogram.codes[chosen]
    return ColorHistogram(n_channels, codes, np.diff(starts) * step, decoded(codes, n_channels, machine))


def _places(counts: NDArray[np.int64], step: int, machine: Machine) -> NDArray[np.intp]:
    """Return where the colours of every `step`-th pixel are."""
    bounds = chunk_bounds(len(counts))
    places = [np.empty(0, np.intp)] * len(bounds)
    ends = np.zeros(len(bounds) + 1, np.int64)

    def add(i: int) -> None:
        ends[i + 1] = counts[slice(*bounds[i])].sum()

    machine.workers.for_each(add, range(len(bounds)))
    np.cumsum(ends, out=ends)

    def find(i: int) -> None:
        first = -(-(ends[i] - step // 2) // step) * step + step // 2
        wanted = np.arange(max(first, step // 2), ends[i + 1], step) - ends[i]
        places[i] = np.searchsorted(np.cumsum(counts[slice(*bounds[i])]), wanted, side="right") + bounds[i][0]

    machine.workers.for_each(find, range(len(bounds)))
    return np.concatenate(places)
