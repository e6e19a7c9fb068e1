"""Spaces: how distinct colours become the integer points that are clustered, and centroids palette entries again.

An opaque picture is clustered as it is, or in the space that was asked for: in linear light, or in one that is uniform
to the eye (see `uniform`). One with transparency is clustered by premultiplied colour, where a pixel counts the less
the fainter it is. To stay exact, a straight colour (r, g, b, a) becomes the integers (r·a, g·a, b·a, 255·a): its
premultiplied colour, in steps of 1/255. Where hidden colours are to be kept, it is taken as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.imaging import transfer
from kmeans_fast.imaging.uniform import ORIGIN, UniformSpace, cielab, oklab


@dataclass(frozen=True)
class Space:
    """Where colours are compared."""

    embed: Callable[[NDArray[Any]], NDArray[Any]]
    """Turn colours (N, C) into integer points (N, D)."""
    restore: Callable[[NDArray[np.float64]], NDArray[Any]]
    """Turn centroids (K, D) into palette entries (K, C), rounded."""
    unit: int
    """Length of one 8-bit step in the points."""
    origin: tuple[int, ...] = (0,)
    """Where the axes are 0."""
    is_plain: bool = False
    """Whether points are the colours as they are."""
    has_alpha: bool = False
    """Whether it is for pictures with transparency."""
    keeps_hidden: bool = False
    """Whether colours that are fully transparent differ."""


# Length of an 8-bit step in premultiplied points.
UNIT = 255


def premultiplied(colors: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Turn straight colours (..., 4) into premultiplied ones times 255."""
    points = colors.astype(np.uint16)
    for channel in range(3):  # several times as fast as rows of three
        points[..., channel] *= points[..., 3]
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


def _rounded_to_16_bits(centroids: NDArray[np.float64]) -> NDArray[np.uint16]:
    return np.clip(np.rint(centroids), 0, 65535).astype(np.uint16)


def linear(colors: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Turn colours into light, in steps of 1/65,535, rounded to the nearest."""
    points: NDArray[np.uint16] = np.rint(transfer.light() * LINEAR_SCALE).astype(np.uint16)[colors]
    return points


def nearest_in_light(points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Turn light in steps of 1/65,535 into the colours nearest to it; undoes `linear`."""
    steps = linear(np.arange(256, dtype=np.uint8)).astype(np.float64)
    return ((steps[:-1] + steps[1:]) / 2).searchsorted(points).astype(np.uint8)


def _uniform(space: UniformSpace, unit: int) -> Space:
    return Space(space.embed, space.restore, unit, (0, ORIGIN, ORIGIN))


LINEAR_SCALE = 65_535
#: Grey or RGB as they are.
OPAQUE = Space(lambda colors: colors, _rounded, 1, is_plain=True)
#: The same with 16 bits a channel: 65535 is 255 steps of 257.
OPAQUE_16 = Space(lambda colors: colors, _rounded_to_16_bits, 257, is_plain=True)
#: RGBA, premultiplied.
TRANSLUCENT = Space(premultiplied, straight, UNIT, has_alpha=True)
#: RGBA as it is, of textures.
STRAIGHT = Space(lambda colors: colors, _rounded, 1, has_alpha=True, keeps_hidden=True)
#: RGB in linear light.
LINEAR = Space(linear, nearest_in_light, LINEAR_SCALE // 255)

#: The spaces in which an opaque RGB picture can be clustered, for a weight of lightness, and those that know one.
NAMED: dict[str, Callable[[float], Space]] = {
    "srgb": lambda _: OPAQUE,
    "linear": lambda _: LINEAR,
    "oklab": lambda lightness: _uniform(oklab(lightness), unit=256),
    "lab": lambda lightness: _uniform(cielab(lightness), unit=100),
}
WITH_LIGHTNESS = ("oklab", "lab")
