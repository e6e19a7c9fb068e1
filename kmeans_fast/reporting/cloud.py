"""The colours of a picture and its centroids as points in the space that they were clustered in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.imaging.channels import in_8_bits
from kmeans_fast.imaging.spaces import Space
from kmeans_fast.sampling import spread_places

MOST_COLORS = 4000
AXES = {
    "srgb": ("red", "green", "blue"),
    "linear": ("red light", "green light", "blue light"),
    "oklab": ("L", "a", "b"),
    "lab": ("L*", "a*", "b*"),
}


@dataclass(frozen=True)
class Cloud:
    """Colours of a picture, sampled from its distinct ones, as points (n, D) in 8-bit steps.

    Attributes
    ----------
    axes : tuple of str
        Names of three axes. Where D is 1, all three are of it; where it is 4, alpha is a fourth that isn't drawn.
    low, high : ndarray of float64, shape (D,)
        Ends of the axes, which are equally long.
    points : ndarray of float64, shape (n, D)
    colors : ndarray of uint8, shape (n, 3 or 4)
        The colours, straight.
    counts : ndarray of int64, shape (n,)
        How many pixels each has.
    """

    axes: tuple[str, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    points: NDArray[np.float64]
    colors: NDArray[np.uint8]
    counts: NDArray[np.int64]


def is_visible(colors: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which colours (n, C) are not fully transparent."""
    return colors[:, 3] > 0 if colors.shape[1] == 4 else np.ones(len(colors), bool)


def points_in(space: Space, colors: NDArray[Any]) -> NDArray[np.float64]:
    """Return colours (n, C) as points (n, D), in the steps that a callback sees."""
    points: NDArray[np.float64] = (space.embed(colors).astype(np.float64) - np.array(space.origin)) / space.unit
    return points


def cloud_of(histogram: ColorHistogram, space: Space, name: str) -> Cloud:
    """Sample the colours of a picture."""
    visible = np.flatnonzero(is_visible(histogram.colors))
    places = visible[spread_places(len(visible), MOST_COLORS)]
    colors = histogram.colors[places]
    points = points_in(space, colors)
    low, high = np.zeros(points.shape[1]), np.full(points.shape[1], 255.0)
    if not (space.is_plain or space.has_alpha):
        low, high = _around(points)
    axes = ("grey",) * 3 if points.shape[1] == 1 else AXES[name]
    return Cloud(axes, low, high, points, _displayed(colors), histogram.counts[places])


def _around(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of equally long axes, in whole tens, that all points are between."""
    ends = points.min(axis=0), points.max(axis=0)
    middle = (ends[0] + ends[1]) / 2
    half = 10 * np.ceil((ends[1] - ends[0]).max() / 20 + 0.5)
    return np.rint(middle / 10) * 10 - half, np.rint(middle / 10) * 10 + half


def _displayed(colors: NDArray[Any]) -> NDArray[np.uint8]:
    eight = in_8_bits(colors)
    return np.broadcast_to(eight, (len(eight), max(3, eight.shape[1])))
