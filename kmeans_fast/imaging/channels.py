"""Colours in another form: with more or fewer channels, or in 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def with_channels(colors: NDArray[Any], n_channels: int) -> NDArray[Any]:
    """Return colours (..., C) with so many channels: grey as RGB, opaque alpha added or left out."""
    if colors.shape[-1] >= n_channels:
        return colors[..., :n_channels]
    result = np.full((*colors.shape[:-1], n_channels), np.iinfo(colors.dtype).max, colors.dtype)
    result[..., :3] = colors[..., :3]
    return result


def is_translucent(colors: NDArray[Any]) -> bool:
    """Say whether one of the colours (..., C) isn't opaque."""
    return colors.shape[-1] == 4 and bool((colors[..., 3] < np.iinfo(colors.dtype).max).any())


def without_idle_alpha(colors: NDArray[Any]) -> NDArray[Any]:
    """Return colours (..., C) without an alpha channel in which all are opaque."""
    return colors if colors.shape[-1] < 4 or is_translucent(colors) else colors[..., :3]


def in_8_bits(colors: NDArray[Any]) -> NDArray[np.uint8]:
    """Round colours of 16 bits to 8: 65535 is 255 steps of 257."""
    rounded: NDArray[np.uint8] = colors if colors.dtype == np.uint8 else np.rint(colors / 257).astype(np.uint8)
    return rounded
