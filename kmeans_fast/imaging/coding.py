"""How colours become the points that are clustered, and centroids become palette entries again.

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
class Coding:
    """A picture as points, and the way back."""

    points: NDArray[Any]
    """Integers of shape (H, W, D), one point a pixel."""
    clustered: NDArray[Any]
    """Those of the points that pull on centroids, (H, W, D) or (N, D)."""
    reserved: NDArray[np.uint8]
    """Palette entries that are given, (0 or 1, D)."""
    scale: int
    """Length of one 8-bit step in `points`."""
    to_palette: Callable[[NDArray[np.float64]], NDArray[np.uint8]]
    """Turn centroids into palette entries, rounded."""
    to_points: Callable[[NDArray[np.uint8]], NDArray[Any]]
    """Turn palette entries into points, without rounding."""


def coding_of(image: NDArray[np.uint8]) -> Coding:
    """Choose the coding for a uint8 image of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)."""
    if image.ndim == 2:
        return _opaque(image[..., np.newaxis])
    if image.shape[2] < 4:
        return _opaque(image)
    return _transparent(image) if (image[..., 3] < 255).any() else _opaque(image[..., :3])


def _opaque(image: NDArray[np.uint8]) -> Coding:
    return Coding(
        points=image,
        clustered=image,
        reserved=np.empty((0, image.shape[2]), np.uint8),
        scale=1,
        # Means lie between 0 and 255, but centroids that were given and never moved need not.
        to_palette=lambda centroids: np.clip(np.rint(centroids), 0, 255).astype(np.uint8),
        to_points=lambda palette: palette,
    )


def _transparent(image: NDArray[np.uint8]) -> Coding:
    points = premultiplied(image)
    visible = image[..., 3] > 0
    mixed = visible.any() and not visible.all()
    return Coding(
        points=points,
        clustered=points[visible] if mixed else points,
        reserved=np.zeros((int(mixed), 4), np.uint8),
        scale=255,
        to_palette=straight,
        to_points=premultiplied,
    )


def premultiplied(colors: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Turn straight colours (..., 4) into premultiplied ones times 255."""
    points = colors.astype(np.uint16)
    points[..., :3] *= points[..., 3:]
    points[..., 3] *= 255
    return points


def straight(points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Turn premultiplied colours times 255, of shape (K, 4), into straight ones, rounded; undoes `premultiplied`."""
    alpha = np.rint(points[:, 3:] / 255)
    colors = np.zeros_like(points)
    np.divide(points[:, :3] * 255, points[:, 3:], out=colors[:, :3], where=alpha > 0)
    colors[:, 3:] = alpha
    return np.rint(colors).astype(np.uint8)
