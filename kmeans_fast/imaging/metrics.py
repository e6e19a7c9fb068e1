"""How far a quantized image is from its source, and how many colours a picture has.

One definition for the whole project: **mse is the mean squared distance of a pixel**, that is, the squared differences
are summed over the channels and averaged over the pixels. `psnr` divides by the number of channels, as is usual.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# Pixels turned into table indices at a time: 1 MB of indices, whatever the size of the picture.
_BLOCK = 2**18


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


def count_colors(image: NDArray[np.uint8]) -> int:
    """Count the distinct colours of a uint8 image of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).

    All fully transparent pixels count as one colour. Extra memory is 17 MB at most; for RGBA 4 bytes a pixel and more,
    as those are sorted.

    Examples
    --------
    >>> count_colors(np.array([[[255, 0, 0], [0, 0, 255], [255, 0, 0]]], np.uint8))
    2
    """
    if image.ndim == 2 or image.shape[2] == 1:
        return int(np.count_nonzero(np.bincount(image.reshape(-1), minlength=256)))
    if image.shape[2] == 4:
        return _count_rgba(image)
    seen = np.zeros(2**24, np.bool_)
    n_rows = max(1, _BLOCK // image.shape[1])
    for start in range(0, image.shape[0], n_rows):
        rows = image[start : start + n_rows].astype(np.uint32)
        seen[rows[..., 0] << 16 | rows[..., 1] << 8 | rows[..., 2]] = True
    return int(np.count_nonzero(seen))


def _count_rgba(image: NDArray[np.uint8]) -> int:
    codes = np.ascontiguousarray(image).view(np.uint32)[..., 0]
    visible = image[..., 3] > 0
    return len(np.unique(codes[visible])) + int(not visible.all())
