"""Colours that a palette is to be found without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.engines.codes import encode
from kmeans_fast.imaging.notation import color_of


@dataclass(frozen=True)
class Ignored:
    """Colours to be left out.

    Attributes
    ----------
    colors : tuple of tuples of int
        Red, green, blue and alpha of each, of 8 bits.
    transparent : bool
        Whether all that is fully transparent is left out. Then alpha says nothing about other pixels.
    """

    colors: tuple[tuple[int, int, int, int], ...]
    transparent: bool

    def left_of(self, histogram: ColorHistogram, *, keeps_alpha: bool) -> ColorHistogram:
        """Return the colours that are left, unless alpha is kept as RGB if they all are opaque or it says nothing."""
        colors = histogram.colors
        top = np.iinfo(colors.dtype).max
        n_channels = colors.shape[1]
        kept = np.ones(len(colors), np.bool_)
        for color in self.colors:
            if (n_channels == 4 or color[3] == 255) and (n_channels > 1 or len(set(color[:3])) == 1):
                kept &= (colors != np.array(color[:n_channels], colors.dtype) * (top // 255)).any(axis=1)
        if self.transparent and n_channels == 4:
            kept &= colors[:, 3] > 0
        if not kept.any():
            raise ValueError("ignore leaves nothing of the picture")
        colors, counts = colors[kept], histogram.counts[kept]
        if n_channels == 4 and not keeps_alpha and (self.transparent or (colors[:, 3] == top).all()):
            colors = colors[:, :3]
        codes, places = np.unique(encode(colors), return_inverse=True)
        summed: NDArray[np.int64] = np.zeros(len(codes), np.int64)
        np.add.at(summed, places.reshape(-1), counts)
        return ColorHistogram(colors.shape[1], codes, summed)


def checked_ignore(ignore: str | Sequence[Any] | None) -> Ignored | None:
    """Return what is to be left out, or None if nothing is."""
    names = [ignore] if isinstance(ignore, str) else list(ignore or ())
    colors = tuple(color_of("ignore", name) for name in names if name != "transparent")
    return Ignored(colors, "transparent" in names) if names else None
