"""What may be drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from kmeans_fast import arrays
from kmeans_fast.imaging.palettes import QuantizedImage


def checked_numbers(name: str, values: ArrayLike) -> NDArray[Any]:
    """Return an array of real numbers."""
    array = arrays.unmasked_numbers(name, values)
    if array.dtype.kind not in "uif":
        raise TypeError(f"{name} must be real numbers, got dtype {array.dtype}")
    return array


def checked_palette(values: ArrayLike) -> NDArray[Any]:
    """Return colours (K, C)."""
    array = checked_numbers("palette", values)
    if array.ndim != 2 or array.shape[1] not in (1, 3, 4) or len(array) == 0:
        raise ValueError(f"palette must have shape (K, 3), (K, 1) or (K, 4) with K at least 1, got {array.shape}")
    return array


def checked_shifts(values: ArrayLike) -> NDArray[np.float64]:
    """Return the shift of each iteration."""
    array = checked_numbers("shifts", values).astype(np.float64)
    if array.ndim != 1:
        raise ValueError(f"shifts must have shape (n_iter,), got {array.shape}")
    wrong = array[~((array >= 0) & np.isfinite(array))]
    if wrong.size:
        raise ValueError(f"shifts must be finite and not negative, got {wrong[0]}")
    return array


def checked_image(name: str, values: ArrayLike | QuantizedImage) -> NDArray[Any]:
    """Return an image (H, W) or (H, W, C)."""
    array = checked_numbers(name, values.to_array() if isinstance(values, QuantizedImage) else values)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)) or array.size == 0:
        raise ValueError(f"{name} must be an image (H, W), (H, W, 3) or (H, W, 4) with pixels, got shape {array.shape}")
    return array[..., 0] if array.shape[2:] == (1,) else array


def checked_shares(counts: ArrayLike | None, n_colors: int) -> NDArray[np.float64]:
    """Return each colour's part of all pixels; equal parts without counts."""
    if counts is None:
        return np.full(n_colors, 1 / n_colors)
    array = checked_numbers("counts", counts).astype(np.float64)
    if array.shape != (n_colors,):
        raise ValueError(f"counts must have one count a colour, shape ({n_colors},), got {array.shape}")
    if not np.isfinite(array).all() or (array < 0).any() or not array.any():
        raise ValueError(f"counts must be finite, not negative and not all zero, got {array.tolist()}")
    shares: NDArray[np.float64] = array / array.sum()
    return shares


def checked_axes(ax: Axes, name: str | None = None) -> Axes:
    """Return axes, of the projection that is needed."""
    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be matplotlib Axes, got {type(ax).__name__}")
    if name is not None and ax.name != name:
        raise TypeError(f"ax must be made with projection={name!r}, got projection={ax.name!r}")
    return ax
