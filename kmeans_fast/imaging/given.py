"""A palette that is given: `apply_palette`."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import arrays, validation
from kmeans_fast.engines import NAMES as ENGINES
from kmeans_fast.imaging.dithering import check_size, checked_dithering
from kmeans_fast.imaging.mapping import Found, picture_in
from kmeans_fast.imaging.metrics import psnr
from kmeans_fast.imaging.palettes import QuantizedImage, QuantizedPalette
from kmeans_fast.imaging.picture_colors import Colors, count_colors
from kmeans_fast.imaging.pixels import Pixels, checked_image
from kmeans_fast.imaging.spaces import OPAQUE, TRANSLUCENT
from kmeans_fast.lending import machine_for
from kmeans_fast.points.access import Points
from kmeans_fast.points.dense import DenseAlgorithm

_HEX = re.compile(r"#?(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")


def apply_palette(
    image: Any,
    palette: Any,
    *,
    dither: str = "none",
    strength: float = 1.0,
    engine: str = "auto",
    n_threads: int | None = None,
) -> QuantizedImage:
    """Give each pixel of an image its nearest entry of a palette, or dither with it.

    Parameters
    ----------
    image : array_like of uint8
        As for `quantize`.
    palette : array_like of uint8, shape (K, 1), (K, 3), (K, 4) or (K,), or sequence of str
        Grey, RGB or RGBA with straight alpha; or hex strings, ``"#rrggbb"`` or ``"#rrggbbaa"``. Kept as it is: in its
        order, with entries that are not used or are there twice, of which the first is taken.
    dither, strength
        As for `quantize`.
    engine, n_threads
        As for `kmeans_fast.kmeans`.

    Returns
    -------
    QuantizedImage
        With this palette, as RGB if the image or the palette is, and with alpha if an entry isn't opaque. Entries that
        are not used have a count of 0.

    Raises
    ------
    TypeError
        If `image` or `palette` is of another type.
    ValueError
        If either is of another shape or empty, a string is no colour, or an option isn't allowed.

    Examples
    --------
    >>> import numpy as np
    >>> import kmeans_fast as kf
    >>> grey = np.full((4, 4), 127, np.uint8)
    >>> kf.apply_palette(grey, [0, 255], dither="bayer").labels
    array([[0, 1, 0, 1],
           [1, 0, 1, 0],
           [0, 1, 0, 1],
           [1, 0, 1, 0]], dtype=uint8)
    """
    dithering = checked_dithering(dither, strength)
    validation.choice("engine", engine, ENGINES)
    n_threads = validation.thread_count(n_threads)
    entries = checked_palette("palette", palette)
    check_size(len(entries), dithering)
    array = checked_image(image, n_threads)
    if array.dtype != np.uint8:
        raise ValueError("image must have 8 bits a channel for a given palette, got 16")
    array, entries = _alike(array, entries)
    pixels = Pixels(array, OPAQUE if array.shape[2] < 4 else TRANSLUCENT)
    with machine_for(engine, n_threads, pixels.size, pixels.size * len(entries)) as machine:
        colors = count_colors(pixels, machine)
        return picture_in(pixels, colors, _nearest(colors, entries), dithering)


def checked_palette(name: str, palette: Any) -> NDArray[np.uint8]:
    """Return a palette as an array (K, C) of its own."""
    if isinstance(palette, (list, tuple)) and any(isinstance(entry, str) for entry in palette):
        return _from_hex(name, palette)
    array = arrays.unmasked_numbers(name, palette, "")
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2 or array.shape[1] not in (1, 3, 4) or not len(array):
        raise ValueError(f"{name} must have shape (K,), (K, 1), (K, 3) or (K, 4) with K > 0, got {array.shape}")
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be of integers from 0 to 255, got {array.dtype}")
    if array.min() < 0 or array.max() > 255:
        raise ValueError(f"{name} must be from 0 to 255, got values from {array.min()} to {array.max()}")
    return np.array(array, np.uint8, order="C")


def _from_hex(name: str, colors: list[Any] | tuple[Any, ...]) -> NDArray[np.uint8]:
    for color in colors:
        if not isinstance(color, str) or not _HEX.fullmatch(color):
            raise ValueError(f"{name} must be of colours such as '#ff8000' or '#ff800080', got {color!r}")
    entries = np.array([list(bytes.fromhex(color.removeprefix("#") + "ff")[:4]) for color in colors], np.uint8)
    return entries if _is_translucent(entries) else entries[:, :3].copy()


def _alike(pixels: NDArray[np.uint8], entries: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Bring pixels and entries to the same channels: alpha if any is not opaque, and else grey if both are."""
    n_channels = 4 if _is_translucent(pixels) or _is_translucent(entries) else 3
    if pixels.shape[-1] == entries.shape[-1] == 1:
        n_channels = 1
    return _with_channels(pixels, n_channels), _with_channels(entries, n_channels)


def _is_translucent(colors: NDArray[np.uint8]) -> bool:
    return colors.shape[-1] == 4 and bool((colors[..., 3] < 255).any())


def _with_channels(colors: NDArray[np.uint8], n_channels: int) -> NDArray[np.uint8]:
    if colors.shape[-1] == n_channels:
        return colors
    result = np.full((*colors.shape[:-1], n_channels), 255, np.uint8)
    result[..., :3] = colors[..., :3]
    return result


def _nearest(colors: Colors, entries: NDArray[np.uint8]) -> Found:
    """Assign the colours to the entries as they are."""
    points = colors.space.embed(entries).astype(np.float64)
    histogram = colors.histogram
    counts = histogram.counts.astype(np.float64)
    algorithm = DenseAlgorithm(Points(colors.space.embed(histogram.colors)), counts, len(points), *colors.machine)
    algorithm.assign(points)
    measure = algorithm.measure(points)
    mse = measure.inertia / colors.space.unit**2 / histogram.n_pixels
    palette = QuantizedPalette(
        entries, measure.totals.astype(np.int64), mse, psnr(mse, entries.shape[1]), 0, True, True
    )
    return Found(palette, algorithm.labels, measure.inertia)
