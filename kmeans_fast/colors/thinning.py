"""A part of the pixels for all of them: every so-manieth in the order of their colours, to find a start on."""

import numpy as np

from kmeans_fast.colors.cells import CELL_BITS, run_starts
from kmeans_fast.colors.histogram import ColorHistogram

# Of so few colours most cells have some each: larger ones took half the time.
THIN_CELL_BITS = CELL_BITS + 1
# A histogram is kept whole rather than that fewer than this part of the pixels' number are left of its colours.
LEAST = 1 / 16
# How many times fewer colours there have to be of a part of the pixels, for it to be worth its while.
FEWER = 4


def step_for(n_all: int, n_pixels: int) -> int:
    """Return every how manieth pixel is to be taken for about `n_pixels` of all."""
    return max(1, n_all // n_pixels)


def thinned(histogram: ColorHistogram, step: int, n_pixels: int) -> ColorHistogram:
    """Return every `step`-th pixel, each counting as so many, or the histogram itself if that has few colours.

    As neighbours in this order are alike, such a sample is closer to all than one drawn by chance. `n_pixels` are all
    that are wanted, of this and other histograms.
    """
    ends = np.cumsum(histogram.counts)
    places = np.searchsorted(ends, np.arange(step // 2, ends[-1], step), side="right")
    starts = run_starts(places)
    chosen = places[starts[:-1]]
    if not LEAST * n_pixels <= len(chosen) < len(histogram):
        return histogram
    thin = ColorHistogram(
        histogram.n_channels, histogram.codes[chosen], np.diff(starts) * step, histogram.colors[chosen]
    )
    thin.cell_bits = THIN_CELL_BITS
    return thin
