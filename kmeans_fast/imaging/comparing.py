"""Two pictures compared: `compare`.

Pairs of colours at the same place are counted, as the colours of a picture are: what a measure adds over the pixels it
takes from each distinct pair once. That needs no memory for each pixel but that of a block. With 16 bits nearly all
pairs differ, and are taken as they come.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import validation
from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.imaging.channels import with_channels, without_idle_alpha
from kmeans_fast.imaging.delta_e import shown, visible_difference
from kmeans_fast.imaging.given import of_depth
from kmeans_fast.imaging.metrics import psnr
from kmeans_fast.imaging.palettes import QuantizedImage
from kmeans_fast.imaging.pixels import checked_image
from kmeans_fast.imaging.spaces import plain, with_transparency

# Pixels whose pairs are counted at a time, and pairs that are measured at a time.
BLOCK, PAIRS = 1 << 22, 1 << 16
# Of SSIM: the window's standard deviation, and how far it reaches, as in the paper.
SIGMA, REACH = 1.5, 5
ROWS = 256


@dataclass(frozen=True)
class Comparison:
    """How far a picture is from another.

    Attributes
    ----------
    mse : float
        Mean squared distance of a pixel, summed over its channels, as in `QuantizedImage`.
    psnr : float
        Peak signal-to-noise ratio in dB, as in `QuantizedImage`; infinite if the pictures are the same.
    delta_e_mean, delta_e_max : float
        Mean and largest colour difference of a pixel by CIEDE2000, where about 1 begins to be seen.
    ssim : float or None
        Structural similarity of the luma, at most 1, of frames the mean; None where scikit-image isn't installed,
        or the pictures are smaller than the window of 11 × 11 pixels.

    Examples
    --------
    >>> import numpy as np
    >>> import kmeans_fast as kf
    >>> grey = np.full((8, 8, 3), 100, np.uint8)
    >>> measured = kf.compare(grey, grey + 2)
    >>> measured.mse, round(measured.psnr, 2), measured.ssim
    (12.0, 42.11, None)
    """

    mse: float
    psnr: float
    delta_e_mean: float
    delta_e_max: float
    ssim: float | None


def compare(image: Any, other: Any, *, n_threads: int | None = None) -> Comparison:
    """Measure how far a picture is from another of the same size.

    Parameters
    ----------
    image, other : array_like, or QuantizedImage
        Pictures, or frames, as `quantize` takes them, with straight alpha. Grey is compared with RGB as RGB, an opaque
        picture with a transparent one as RGBA, and 8 bits a channel with 16 as 16, of which nothing is rounded: 255 is
        65535.
    n_threads : int, optional
        The most threads to count with.

    Returns
    -------
    Comparison
        Mean squared error, PSNR, CIEDE2000 and SSIM.

    Raises
    ------
    TypeError
        If one isn't a picture.
    ValueError
        If the sizes differ, or one has no pixels.

    Notes
    -----
    With transparency `mse` and `psnr` are of the four channels of the colours premultiplied with alpha, so that what a
    transparent pixel hides doesn't count; the colour difference is that on black or on white, whichever is larger; and
    SSIM is the lesser of the two.

    With 16 bits a channel `mse` is in squared 8-bit steps as well, of 257 of its own each; premultiplied colours are
    rounded to 16 bits.

    SSIM is made with Gaussian windows of standard deviation 1.5 that lie wholly in the picture, from the luma of
    ITU-R 601.

    References
    ----------
    .. [1] G. Sharma, W. Wu, E. N. Dalal, "The CIEDE2000 color-difference formula: implementation notes, supplementary
       test data, and mathematical observations", Color Research and Application 30(1), 2005.
    .. [2] Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error visibility to
       structural similarity", IEEE Transactions on Image Processing 13(4), 2004.

    Examples
    --------
    >>> import kmeans_fast as kf
    >>> image = kf.read_image(kf.sample_path())
    >>> result = kf.compare(image, kf.quantize(image, 16))
    >>> round(result.psnr, 2), round(result.delta_e_mean, 2), round(result.delta_e_max, 2)
    (31.01, 3.52, 27.34)
    """
    n_threads = validation.thread_count(n_threads)
    first, second = (_pixels(picture, n_threads) for picture in (image, other))
    if first.shape[:-1] != second.shape[:-1]:
        raise ValueError(f"image and other must have the same height and width, got {first.shape} and {second.shape}")
    first, second = _alike(first, second)
    is_wide = first.dtype == np.uint16
    pairs = _each(first, second) if is_wide else _split(_counted(first, second, n_threads), first.shape[-1])
    n_pixels = math.prod(first.shape[:-1])
    squares = differences = largest = 0.0
    n_channels = first.shape[-1]
    for colors, others, counts in pairs:
        squares += float(_squares(colors, others) @ counts)
        visible = visible_difference(colors, others)
        differences += float(visible @ counts)
        largest = max(largest, float(visible.max()))
    mse = squares / n_pixels
    return Comparison(mse, psnr(mse, n_channels), differences / n_pixels, largest, _ssim(first, second))


def _pixels(picture: Any, n_threads: int | None) -> NDArray[Any]:
    pixels = checked_image(picture.to_array() if isinstance(picture, QuantizedImage) else picture, n_threads)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _alike(first: NDArray[Any], second: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Bring two pictures to the same channels and depth: those of the one that has more; idle alpha is none."""
    first, second = without_idle_alpha(first), without_idle_alpha(second)
    n_channels = max(first.shape[-1], second.shape[-1])
    dtype = max(first.dtype, second.dtype)
    first, second = (of_depth("image", with_channels(picture, n_channels), dtype) for picture in (first, second))
    return first, second


def _each(first: NDArray[Any], second: NDArray[Any]) -> Iterator[tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]]:
    """Yield the pixels of one picture, those of the other, and that each is met once, some at a time."""
    n_channels = first.shape[-1]
    first, second = first.reshape(-1, n_channels), second.reshape(-1, n_channels)
    for start in range(0, len(first), PAIRS):
        colors = first[start : start + PAIRS]
        yield colors, second[start : start + PAIRS], np.ones(len(colors), np.int64)


def _counted(first: NDArray[np.uint8], second: NDArray[np.uint8], n_threads: int | None) -> ColorHistogram:
    """Count pairs, as colours of as many 16-bit channels as each has of 8 bits."""
    width, n_channels = first.shape[-2:]
    first, second = (pixels.reshape(-1, width, n_channels) for pixels in (first, second))
    rows = max(1, BLOCK // width)
    histogram: ColorHistogram | None = None
    for start in range(0, len(first), rows):
        pair = np.concatenate([first[start : start + rows], second[start : start + rows]], axis=2)
        pair = pair.view(np.uint16).reshape(-1, n_channels)
        if histogram is None:
            histogram = ColorHistogram.from_image(pair, n_threads=n_threads)
        else:
            histogram.update(pair, n_threads=n_threads)
    assert histogram is not None  # noqa: S101 - a picture has rows
    return histogram


def _split(pairs: ColorHistogram, n_channels: int) -> Iterator[tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]]:
    """Yield colours, the others and how often they meet, some at a time."""
    for start in range(0, len(pairs), PAIRS):
        both = np.ascontiguousarray(pairs.colors[start : start + PAIRS]).view(np.uint8)
        yield both[:, :n_channels], both[:, n_channels:], pairs.counts[start : start + PAIRS]


def _squares(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    """Return squared distances (N,) in 8-bit steps, premultiplied if there is alpha."""
    space = plain(first.dtype) if first.shape[1] < 4 else with_transparency(first.dtype)
    squares: NDArray[np.float64] = ((space.embed(first).astype(np.float64) - space.embed(second)) ** 2).sum(axis=1)
    return squares / space.unit**2


def _ssim(first: NDArray[Any], second: NDArray[Any]) -> float | None:
    if find_spec("skimage") is None or min(first.shape[-3:-1]) <= 2 * REACH:
        return None
    frames = [pixels.reshape(-1, *pixels.shape[-3:]) for pixels in (first, second)]
    backgrounds = range(1 if first.shape[-1] < 4 else 2)
    pairs = zip(*frames, strict=True)
    of_each = [min(_ssim_on(frame, other, background) for background in backgrounds) for frame, other in pairs]
    return float(np.mean(of_each))


def _ssim_on(first: NDArray[Any], second: NDArray[Any], background: int) -> float:
    """Return SSIM on black or white: the mean over all windows within the picture, some rows of them at a time."""
    from skimage import metrics

    similarity_of: Any = metrics.structural_similarity  # typed in part
    height, width = first.shape[:2]
    total, top = 0.0, np.iinfo(first.dtype).max
    for start in range(0, height - 2 * REACH, ROWS):
        rows = slice(start, start + ROWS + 2 * REACH)
        lumas = [_luma(shown(pixels[rows], background)) for pixels in (first, second)]
        _, similarity = similarity_of(
            *lumas,
            data_range=top,
            gaussian_weights=True,
            sigma=SIGMA,
            use_sample_covariance=False,
            full=True,
        )
        total += float(similarity[REACH:-REACH, REACH:-REACH].sum())
    mean: float = total / ((height - 2 * REACH) * (width - 2 * REACH))
    return mean


def _luma(colors: NDArray[Any]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = colors @ np.array([0.299, 0.587, 0.114])
    return result
