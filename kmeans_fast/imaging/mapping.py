"""A palette for a picture's colours, and the picture in it: each pixel gets its colour's entry, or is dithered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.imaging.channels import without_idle_alpha
from kmeans_fast.imaging.dithering import dither
from kmeans_fast.imaging.metrics import psnr
from kmeans_fast.imaging.palettes import QuantizedImage, QuantizedPalette
from kmeans_fast.imaging.picture_colors import Colors
from kmeans_fast.imaging.pixels import Pixels
from kmeans_fast.imaging.regions import without_specks
from kmeans_fast.imaging.requests import Request
from kmeans_fast.imaging.spaces import plain
from kmeans_fast.points.access import Points

BLOCK = 1 << 16  # pixels that are measured at a time


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
        return replace(self.palette, palette=without_idle_alpha(self.palette.palette))


def picture_in(pixels: Pixels, colors: Colors, found: Found, request: Request) -> QuantizedImage:
    """Give each pixel the label of its colour's entry, without specks, or dither."""
    channels, space, dithering = pixels.channels, pixels.space, request.dithering
    if dithering.is_on and not space.has_alpha:
        labels = np.empty(channels.shape[:-1], found.color_labels.dtype)
    else:
        labels = colors.labels_of(Points(channels), found.color_labels)
        labels = labels.reshape(channels.shape[:-1])
    if dithering.is_on:
        entries = found.palette.palette
        distance = found.palette.mse**0.5
        done = dither(channels, entries, colors.histogram, labels, dithering, distance, colors.machine)
        mse = done.squares / (space.unit**2 if space.has_alpha else 1) / pixels.size
        measured = replace(found.palette, counts=done.counts, mse=mse, psnr=psnr(mse, entries.shape[1]))
        found = found._replace(palette=measured)
    if request.min_region > 1:
        labels = without_specks(labels, found.palette.n_colors, request.min_region, colors.machine.engine)
        found, labels = _measured(pixels, found, labels, may_drop=request.entries is None)
    return QuantizedImage(**vars(found.shown), labels=pixels.selection.labels(labels))


def _measured(pixels: Pixels, found: Found, labels: NDArray[Any], *, may_drop: bool) -> tuple[Found, NDArray[Any]]:
    """Count and measure for labels that aren't those of the colours; drop entries that are not used, if allowed."""
    entries = found.palette.palette
    counts = np.bincount(labels.reshape(-1), minlength=len(entries))
    if may_drop and not counts.all():
        used = np.flatnonzero(counts)
        places = np.cumsum(counts > 0) - 1
        entries, counts = entries[used], counts[used]
        labels = places.astype(np.min_scalar_type(len(used) - 1))[labels]
    mse = _squares(pixels, entries, labels) / pixels.size
    palette = replace(found.palette, palette=entries, counts=counts, mse=mse, psnr=psnr(mse, entries.shape[1]))
    return found._replace(palette=palette), labels


def _squares(pixels: Pixels, entries: NDArray[Any], labels: NDArray[Any]) -> float:
    """Return the sum of squared distances of pixels to their entries in 8-bit steps, exactly."""
    space = pixels.space if pixels.space.has_alpha else plain(pixels.channels.dtype)
    points = space.embed(entries).astype(np.float64)
    colors, flat = pixels.channels.reshape(-1, entries.shape[1]), labels.reshape(-1)
    squares = 0.0
    for start in range(0, len(flat), BLOCK):
        block = slice(start, start + BLOCK)
        apart = space.embed(colors[block]) - points[flat[block]]
        squares += float(np.vdot(apart, apart))
    return squares / space.unit**2
