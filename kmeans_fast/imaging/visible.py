"""The colour of a picture that a palette changes most, among those that are seen: what `max_error` bounds.

Colours are seen together with what is like them: a group is all that differ in the lowest 3 bits of their channels
only, and is seen if it has at least a ten-thousandth of the pixels. So the blue of a few links on a page counts, and
the one pixel of a photograph that is farthest from its entry doesn't.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.imaging.channels import in_8_bits
from kmeans_fast.imaging.delta_e import visible_difference

LOW_BITS = 3
LEAST_SHARE = 1e-4


class VisibleColors:
    """The groups of colours that are seen.

    Parameters
    ----------
    histogram : ColorHistogram
        A picture's colours.
    """

    def __init__(self, histogram: ColorHistogram) -> None:
        colors = in_8_bits(histogram.colors)
        codes = np.zeros(len(colors), np.int64)
        for channel in colors.T:
            codes = codes << (8 - LOW_BITS) | channel >> LOW_BITS
        groups, group = np.unique(codes, return_inverse=True)
        n_pixels = np.bincount(group, histogram.counts, len(groups))
        self._is_seen = n_pixels >= LEAST_SHARE * histogram.n_pixels
        self._places = np.flatnonzero(self._is_seen[group])
        self._group = group[self._places]
        self._colors = colors[self._places]
        self._counts = histogram.counts[self._places]
        self._n_pixels = n_pixels

    def largest_error(self, entries: NDArray[Any], color_labels: NDArray[Any]) -> float:
        """Return the largest mean difference of a group's pixels to their entries (K, C), by CIEDE2000."""
        others = in_8_bits(entries)[color_labels[self._places]]
        differences = visible_difference(self._colors, others) * self._counts
        sums = np.bincount(self._group, differences, len(self._n_pixels))
        return float((sums[self._is_seen] / self._n_pixels[self._is_seen]).max(initial=0.0))
