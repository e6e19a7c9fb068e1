"""Spaces: how distinct colours become the integer points that are clustered, and centroids palette entries again.

An opaque picture is clustered as it is, or in the space that was asked for: in linear light, or in one that is uniform
to the eye (see `uniform`). One with transparency is clustered by premultiplied colour, where a pixel counts the less
the fainter it is. To stay exact, a straight colour (r, g, b, a) of 8 bits becomes the integers (r·a, g·a, b·a, 255·a):
its premultiplied colour, in steps of 1/255. One of 16 bits becomes (r·a/65535, g·a/65535, b·a/65535, a), rounded to the
nearest: half a step of 16 bits, 1/514 of one of 8, is what that changes at most, and faint colours that it makes the
same are one. Where hidden colours are to be kept, colours are taken as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal

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
    top: int = 255
    """Largest value of a channel of the colours."""
    embed_many: Callable[[NDArray[Any], Any], NDArray[Any]] | None = None
    """The same as `embed` by an engine's kernels (`Engine.uniform`), where those are quicker."""

    @property
    def step(self) -> int:
        """Length of a step of an opaque colour's channels in the points, of a space for transparency."""
        return 255 * self.unit // self.top

    @property
    def merges(self) -> bool:
        """Whether different colours that aren't fully transparent may have the same point."""
        return not (self.is_plain or self.keeps_hidden or self.step > 1)


# Length of an 8-bit step in premultiplied points of 8-bit colours.
UNIT = 255
TOP_16 = 65_535


def premultiplied(colors: NDArray[Any]) -> NDArray[np.uint16]:
    """Turn straight colours (..., 4) into premultiplied ones: of 8 bits times 255, of 16 rounded."""
    if colors.dtype.itemsize > 1:
        return _premultiplied_16(colors)
    points = colors.astype(np.uint16)
    for channel in range(3):  # several times as fast as rows of three
        points[..., channel] *= points[..., 3]
    points[..., 3] *= UNIT
    return points


def _premultiplied_16(colors: NDArray[np.uint16]) -> NDArray[np.uint16]:
    points = colors.astype(np.uint16)
    alpha = colors[..., 3].astype(np.uint32)
    for channel in range(3):
        product = alpha * colors[..., channel]
        product += np.uint32(TOP_16 // 2)
        points[..., channel] = product // np.uint32(TOP_16)
    return points


def straight(points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Turn premultiplied colours times 255, of shape (K, 4), into straight ones, rounded; undoes `premultiplied`."""
    return _divided(points, np.rint(points[:, 3:] / UNIT), 255).astype(np.uint8)


def straight_16(points: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Turn premultiplied colours of 16 bits (K, 4) into straight ones, which have those points."""
    return _divided(points, np.rint(points[:, 3:]), TOP_16).astype(np.uint16)


def _divided(points: NDArray[np.float64], alpha: NDArray[np.float64], top: int) -> NDArray[np.float64]:
    colors = np.zeros_like(points)
    np.divide(points[:, :3] * top, points[:, 3:], out=colors[:, :3], where=alpha > 0)
    colors[:, 3:] = alpha
    return np.rint(colors)


def _rounded(centroids: NDArray[np.float64]) -> NDArray[np.uint8]:
    # Means lie between 0 and 255, but centroids that were given and never moved need not.
    return np.clip(np.rint(centroids), 0, 255).astype(np.uint8)


def _rounded_to_16_bits(centroids: NDArray[np.float64]) -> NDArray[np.uint16]:
    return np.clip(np.rint(centroids), 0, 65535).astype(np.uint16)


def linear(colors: NDArray[Any]) -> NDArray[np.uint16]:
    """Turn colours into light, in steps of 1/65,535, rounded to the nearest."""
    points: NDArray[np.uint16] = _steps_of_light(int(np.iinfo(colors.dtype).max))[colors]
    return points


@cache
def _steps_of_light(top: int) -> NDArray[np.uint16]:
    return np.rint(transfer.light(top) * LINEAR_SCALE).astype(np.uint16)


def nearest_in_light(points: NDArray[np.float64], top: int = 255) -> NDArray[Any]:
    """Turn light in steps of 1/65,535 into the colours nearest to it; undoes `linear`.

    Dark values of 16 bits have a step with others: the one in their middle is taken.
    """
    steps = _steps_of_light(top).astype(np.float64)
    nearest = steps[((steps[:-1] + steps[1:]) / 2).searchsorted(points)]
    firsts, ends = (steps.searchsorted(nearest, side) for side in SIDES)
    return ((firsts + ends - 1) // 2).astype(np.min_scalar_type(top))


def _linear(top: int) -> Space:
    return Space(linear, partial(nearest_in_light, top=top), LINEAR_SCALE // 255, top=top)


def _uniform(space: UniformSpace, unit: int) -> Space:
    return Space(space.embed, space.restore, unit, (0, ORIGIN, ORIGIN), top=space.top, embed_many=space.embed)


LINEAR_SCALE = 65_535
SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")
#: Grey or RGB as they are.
OPAQUE = Space(lambda colors: colors, _rounded, 1, is_plain=True)
#: The same with 16 bits a channel: 65535 is 255 steps of 257.
OPAQUE_16 = Space(lambda colors: colors, _rounded_to_16_bits, 257, is_plain=True, top=TOP_16)
#: RGBA, premultiplied.
TRANSLUCENT = Space(premultiplied, straight, UNIT, has_alpha=True)
TRANSLUCENT_16 = Space(premultiplied, straight_16, 257, has_alpha=True, top=TOP_16)
#: RGBA as it is, of textures.
STRAIGHT = Space(lambda colors: colors, _rounded, 1, has_alpha=True, keeps_hidden=True)
STRAIGHT_16 = Space(lambda colors: colors, _rounded_to_16_bits, 257, has_alpha=True, keeps_hidden=True, top=TOP_16)
#: RGB in linear light.
LINEAR, LINEAR_16 = _linear(255), _linear(TOP_16)

#: The spaces in which an opaque RGB picture can be clustered, for a weight of lightness and the largest value of a
#: channel, and those that know such a weight.
NAMED: dict[str, Callable[..., Space]] = {
    "srgb": lambda _, top=255: OPAQUE if top == OPAQUE.top else OPAQUE_16,
    "linear": lambda _, top=255: LINEAR if top == LINEAR.top else LINEAR_16,
    "oklab": lambda lightness, top=255: _uniform(oklab(lightness, top), unit=256),
    "lab": lambda lightness, top=255: _uniform(cielab(lightness, top), unit=100),
}
WITH_LIGHTNESS = ("oklab", "lab")


def plain(dtype: np.dtype[Any]) -> Space:
    """Return the space for grey or RGB of a depth, as it is."""
    return OPAQUE if dtype.itemsize == 1 else OPAQUE_16


def with_transparency(dtype: np.dtype[Any], *, keeps_hidden: bool = False) -> Space:
    """Return the space for RGBA of a depth."""
    of_8_bits, of_16_bits = (STRAIGHT, STRAIGHT_16) if keeps_hidden else (TRANSLUCENT, TRANSLUCENT_16)
    return of_8_bits if dtype.itemsize == 1 else of_16_bits
