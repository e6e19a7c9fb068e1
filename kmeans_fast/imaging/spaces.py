"""Spaces: how distinct colours become the integer points that are clustered, and centroids palette entries again.

An opaque picture is clustered as it is. One with transparency is clustered by premultiplied colour, where a pixel
counts the less the fainter it is. To stay exact, a straight colour (r, g, b, a) becomes the integers (r·a, g·a, b·a,
255·a): its premultiplied colour, in steps of 1/255.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Space:
    """Where colours are compared."""

    embed: Callable[[NDArray[np.uint8]], NDArray[Any]]
    """Turn colours (N, C) into integer points (N, D), without rounding."""
    restore: Callable[[NDArray[np.float64]], NDArray[np.uint8]]
    """Turn centroids (K, D) into palette entries (K, C), rounded."""
    unit: int
    """Length of one 8-bit step in the points."""


# Length of an 8-bit step in premultiplied points.
UNIT = 255


def premultiplied(colors: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Turn straight colours (..., 4) into premultiplied ones times 255."""
    points = colors.astype(np.uint16)
    points[..., :3] *= points[..., 3:]
    points[..., 3] *= UNIT
    return points


def straight(points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Turn premultiplied colours times 255, of shape (K, 4), into straight ones, rounded; undoes `premultiplied`."""
    alpha = np.rint(points[:, 3:] / 255)
    colors = np.zeros_like(points)
    np.divide(points[:, :3] * 255, points[:, 3:], out=colors[:, :3], where=alpha > 0)
    colors[:, 3:] = alpha
    return np.rint(colors).astype(np.uint8)


def _rounded(centroids: NDArray[np.float64]) -> NDArray[np.uint8]:
    # Means lie between 0 and 255, but centroids that were given and never moved need not.
    return np.clip(np.rint(centroids), 0, 255).astype(np.uint8)


#: Grey or RGB as they are.
OPAQUE = Space(lambda colors: colors, _rounded, 1)
#: RGBA, premultiplied.
TRANSLUCENT = Space(premultiplied, straight, UNIT)
