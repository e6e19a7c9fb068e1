"""How far each pixel is from what became of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.imaging.channels import with_channels
from kmeans_fast.imaging.palettes import QuantizedImage

_PIXELS_AT_ONCE = 2**16  # in the cache


class Errors(NamedTuple):
    """Distances of colours in 8-bit steps; with transparency, of premultiplied ones."""

    levels: NDArray[np.uint8]
    """Of each pixel, (H, W), rounded; 255 for all beyond."""
    largest: float
    median: int
    """Half of the pixels have no larger level."""


def measured(pixels: NDArray[Any], quantized: QuantizedImage) -> Errors:
    """Measure the errors of an image (H, W, C)."""
    has_alpha = 4 in (pixels.shape[2], quantized.palette.shape[1])
    entries = _levels(quantized.palette, has_alpha)
    height, width = quantized.labels.shape
    levels = np.empty((height, width), np.uint8)
    largest = 0.0
    n_rows = max(1, _PIXELS_AT_ONCE // width)
    for start in range(0, height, n_rows):
        rows = slice(start, start + n_rows)
        moves = _levels(pixels[rows], has_alpha) - entries[quantized.labels[rows]]
        distances = np.sqrt(np.einsum("...i,...i", moves, moves))
        largest = max(largest, float(distances.max()))
        levels[rows] = np.minimum(distances + np.float32(0.5), 255)
    totals = np.bincount(levels.reshape(-1), minlength=256).cumsum()
    return Errors(levels, largest, int(np.searchsorted(totals, (totals[-1] + 1) // 2)))


def _levels(colors: NDArray[Any], has_alpha: bool) -> NDArray[np.float32]:
    """Turn colours (..., C) into float32 8-bit steps (..., 1, 3 or 4), premultiplied; float32 holds them exactly."""
    levels = (with_channels(colors, 4) if has_alpha else colors).astype(np.float32)
    if colors.dtype != np.uint8:
        levels /= np.float32(257)
    if has_alpha:
        levels[..., :3] *= levels[..., 3:] / 255
    return levels
