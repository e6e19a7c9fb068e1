"""How far a quantized image is from its source, and how many colours a picture has.

One definition for the whole project: **mse is the mean squared distance of a pixel**, that is, the squared differences
are summed over the channels and averaged over the pixels. `psnr` divides by the number of channels, as is usual.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.histogram import ColorHistogram


def psnr(mse: float, n_channels: int) -> float:
    """Peak signal-to-noise ratio in dB: ``10 log10(255² / (mse / n_channels))``; infinite if `mse` is 0.

    Parameters
    ----------
    mse : float
        Mean over the pixels of the squared difference summed over the channels, in squared 8-bit units.
    n_channels : int
        The number of channels that were summed over.

    Examples
    --------
    >>> round(psnr(75.0, 3), 2)  # 25 a channel
    34.15
    >>> psnr(0.0, 3)
    inf
    """
    return math.inf if mse == 0 else 10 * math.log10(255**2 * n_channels / mse)


def count_colors(image: NDArray[np.uint8], *, engine: str = "auto", n_threads: int | None = None) -> int:
    """Count the distinct colours of a uint8 image of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).

    All fully transparent pixels count as one colour. Parameters and memory as for `ColorHistogram.from_image`; for RGBA
    4 bytes a visible pixel more.

    Examples
    --------
    >>> count_colors(np.array([[[255, 0, 0], [0, 0, 255], [255, 0, 0]]], np.uint8))
    2
    """
    pixels = image[..., np.newaxis] if image.ndim == 2 else image
    n_hidden = 0
    if pixels.shape[2] == 4:
        visible = pixels[..., 3] > 0
        n_hidden = int(not visible.all())
        pixels = pixels[visible]
    if pixels.size == 0:
        return n_hidden
    return n_hidden + len(ColorHistogram.from_image(pixels, engine=engine, n_threads=n_threads))
