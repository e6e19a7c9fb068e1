"""A palette for a picture's colours, and the picture in it: each pixel gets its colour's entry, or is dithered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.histogram import label_pixels
from kmeans_fast.imaging.dithering import Dithering, dither
from kmeans_fast.imaging.metrics import psnr
from kmeans_fast.imaging.palettes import QuantizedImage, QuantizedPalette
from kmeans_fast.imaging.picture_colors import Colors
from kmeans_fast.imaging.pixels import Pixels
from kmeans_fast.points.access import Points


class Found(NamedTuple):
    """A palette, and what was learnt about the colours on the way to it."""

    palette: QuantizedPalette
    """With as many channels as the picture has."""
    color_labels: NDArray[Any]
    """The entry of each colour of the histogram."""
    error: float
    """The sum over the pixels of squared distances to their entries, in the steps of the space."""

    @classmethod
    def of(
        cls,
        colors: Colors,
        entries: NDArray[Any],
        labels: NDArray[Any],
        counts: NDArray[np.int64],
        inertia: float,
        run: tuple[int, bool] = (0, True),
    ) -> Found:
        """Describe entries (K, C) that colours are assigned to; the run is its iterations, and whether it converged."""
        mse = colors.mse(entries, labels, inertia)
        return cls(QuantizedPalette(entries, counts, mse, psnr(mse, entries.shape[1]), *run, True), labels, inertia)

    @property
    def shown(self) -> QuantizedPalette:
        """The palette without an alpha channel in which all entries are opaque."""
        entries = self.palette.palette
        has_idle_alpha = entries.shape[1] == 4 and (entries[:, 3] == 255).all()
        return replace(self.palette, palette=entries[:, :3]) if has_idle_alpha else self.palette


def picture_in(pixels: Pixels, colors: Colors, found: Found, dithering: Dithering) -> QuantizedImage:
    """Give each pixel the label of its colour's entry, or dither."""
    channels, space = pixels.channels, pixels.space
    if dithering.is_on and not space.has_alpha:
        labels = np.empty(channels.shape[:-1], found.color_labels.dtype)
    else:
        labels = label_pixels(colors.histogram, Points(channels), found.color_labels, colors.machine)
        labels = labels.reshape(channels.shape[:-1])
    if dithering.is_on:
        entries = found.palette.palette
        done = dither(channels, entries, colors.histogram.colors, labels, dithering, colors.machine)
        mse = done.squares / (space.unit**2 if space.has_alpha else 1) / pixels.size
        measured = replace(found.palette, counts=done.counts, mse=mse, psnr=psnr(mse, entries.shape[1]))
        found = found._replace(palette=measured)
    return QuantizedImage(**vars(found.shown), labels=labels)
