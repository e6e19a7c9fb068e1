"""Colours in another form: with more or fewer channels, or in 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Colours that are looked at before asking whether one of them isn't opaque.
COLORS_AT_ONCE = 2**16


def with_channels(colors: NDArray[Any], n_channels: int) -> NDArray[Any]:
    """Return colours (..., C) with so many channels: grey as RGB, opaque alpha added or left out."""
    if colors.shape[-1] >= n_channels:
        return colors[..., :n_channels]
    result = np.full((*colors.shape[:-1], n_channels), np.iinfo(colors.dtype).max, colors.dtype)
    result[..., :3] = colors[..., :3]
    return result


def is_translucent(colors: NDArray[Any]) -> bool:
    """Say whether one of the colours (..., C) isn't opaque: some rows at a time, as one is mostly found soon."""
    if colors.shape[-1] < 4:
        return False
    alpha, top = np.atleast_1d(colors[..., 3]), np.iinfo(colors.dtype).max
    step = max(1, COLORS_AT_ONCE * len(alpha) // max(1, alpha.size))
    return any(bool((alpha[row : row + step] < top).any()) for row in range(0, len(alpha), step))


def without_idle_alpha(colors: NDArray[Any]) -> NDArray[Any]:
    """Return colours (..., C) without an alpha channel in which all are opaque."""
    return colors if colors.shape[-1] < 4 or is_translucent(colors) else colors[..., :3]


def in_8_bits(colors: NDArray[Any]) -> NDArray[np.uint8]:
    """Round colours of 16 bits to 8: 65535 is 255 steps of 257."""
    rounded: NDArray[np.uint8] = colors if colors.dtype == np.uint8 else np.rint(colors / 257).astype(np.uint8)
    return rounded
