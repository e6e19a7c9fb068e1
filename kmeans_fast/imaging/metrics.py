"""How far a quantized image is from its source.

One definition for the whole project: **mse is the mean squared distance of a pixel**, that is, the squared differences
are summed over the channels and averaged over the pixels. `psnr` divides by the number of channels, as is usual.
"""

from __future__ import annotations

import math


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


def quality_missed(reached: float, asked: float | None) -> str:
    """Say that a PSNR in dB is below what was asked for, or that a colour differs more than it was to."""
    if asked is None or reached >= asked:
        return "a colour that is seen differs by more than the error asked for"
    return f"the quality asked for was not reached: {reached:.2f} dB instead of {asked:g}"
