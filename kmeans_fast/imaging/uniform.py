"""Uniform colour spaces, in which equal distances look alike to people: Oklab [1]_ and CIELAB [2]_.

Both are made of light in three steps: three sums (of red, green and blue), a cube root of each, three sums of those:
lightness and two axes of colour. Points are whole numbers: lightness in so many steps, and the two axes in steps of the
same length from `ORIGIN` on, rounded to the nearest.

**Exactly rounded.** Only +, −, × and tables are used, which IEEE 754 defines to the last bit, and they are done one by
one, in one order; no power or cube root is a machine's own. What is rounded is off by less than 5·10⁻¹⁰ steps: with
u = 2⁻⁵³, light and coefficients are off by u each, sums of three products by 3·u more, the root of these 5·u by 5/3·u,
its own last steps by 5·u, and products and sums of the roots, below 350,000 steps in all, by 5·u again: 13·u·350,000.
None of the 2²⁴ colours comes nearer than 2·10⁻⁹ to the middle between two steps, as a test that tries all of them
finds. So each point is what exact arithmetic would round to, as long as lightness counts as it does by itself.
With another weight, or 16 bits a channel, points are the same on every machine, too, and within half a step and
5·10⁻¹⁰ of the exact ones. Of colours of 16 bits that are next to each other some have the same point.

References
----------
.. [1] B. Ottosson, "A perceptual color space for image processing", 2020 (matrices of 2021-01-25).
.. [2] CIE 15:2018, "Colorimetry", 4th edition (CIE 1976 L*a*b*). Of light of sRGB's primaries, with its white D65, at
   x = 0.3127, y = 0.3290 (IEC 61966-2-1).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines import numpy_uniform
from kmeans_fast.imaging import transfer

Matrix = tuple[tuple[float, float, float], ...]

# Where the axes of colour are 0.
ORIGIN = 32_768
# Below this a cube root is replaced by a straight line in CIELAB, which meets it there: (6/29)³.
FOOT, FOOT_SLOPE, FOOT_HEIGHT = 216 / 24389, 841 / 108, 4 / 29
# Centroids that are restored at a time.
BLOCK = 4096
# A colour, and the 26 that differ by 1 in some channels.
STEPS = np.array(sorted(np.ndindex(3, 3, 3), key=lambda step: step != (1, 1, 1)), np.int16) - 1

LIGHT_TO_CONES: Matrix = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
CONES_TO_OKLAB: Matrix = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
# X/Xn, Y/Yn and Z/Zn: each row is that of XYZ, which follows from the primaries and white, divided by its sum.
LIGHT_TO_XYZ: Matrix = (
    (506752 * 3290 / (1228815 * 3127), 87881 * 3290 / (245763 * 3127), 12673 * 3290 / (70218 * 3127)),
    (87098 / 409605, 175762 / 245763, 12673 / 175545),
    (7918 * 3290 / (409605 * 3583), 87881 * 3290 / (737289 * 3583), 1001167 * 3290 / (1053270 * 3583)),
)
# L* is 116·f(Y) − 16.
XYZ_TO_LAB: Matrix = ((0.0, 116.0, 0.0), (500.0, -500.0, 0.0), (0.0, 200.0, -200.0))
LEAST_LAB = -16.0


@dataclass(frozen=True)
class UniformSpace:
    """Points for colours, and colours for points.

    Attributes
    ----------
    first, second : tuple of tuples of float
        The matrices (3, 3) before and after the cube root.
    has_foot : bool
        Whether small numbers have a straight line instead of a root.
    least : float
        What is added to the first axis.
    scale : int
        Steps to a unit of the axes.
    lightness : float
        How much lightness counts. The axis that counts more has `scale` steps to a unit, the other ones fewer.
    top : int
        The largest value of a channel, 255 or 65535, of the colours that points are restored to.
    """

    first: Matrix
    second: Matrix
    has_foot: bool
    least: float
    scale: int
    lightness: float
    top: int = 255

    @cached_property
    def _scales(self) -> tuple[float, float, float]:
        across = self.scale * min(1.0, 1 / self.lightness)
        return self.scale * min(1.0, self.lightness), across, across

    @cached_property
    def _offsets(self) -> tuple[float, float, float]:
        return self.least * self._scales[0], float(ORIGIN), float(ORIGIN)

    @cached_property
    def _scaled(self) -> Matrix:
        return tuple(_times(row, scale) for row, scale in zip(self.second, self._scales, strict=True))

    @cached_property
    def _inverses(self) -> tuple[Matrix, Matrix]:
        return _inverse(self._scaled), _inverse(self.first)

    @cached_property
    def _arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """The matrices, what is added at last, and the foot, as engines take them."""
        foot = (FOOT, FOOT_SLOPE, FOOT_HEIGHT) if self.has_foot else (-1.0, 0.0, 0.0)
        # what is rounded down then is rounded, as all are positive
        return np.array([self.first, self._scaled]), np.array(self._offsets) + 0.5, np.array(foot)

    def embed(self, colors: NDArray[Any], kernels: Any = numpy_uniform) -> NDArray[np.uint16]:
        """Return the points (N, 3) of colours (N, 3) of 8 or 16 bits, by an engine's kernels if they are many."""
        points = np.empty(colors.shape, np.uint16)
        light = transfer.light(int(np.iinfo(colors.dtype).max))
        kernels.embed(np.ascontiguousarray(colors), light, *self._arrays, points)
        return points

    def restore(self, centroids: NDArray[np.float64]) -> NDArray[Any]:
        """Return colours (K, 3) for centroids (K, 3): such that none that differs by 1 in some channels is nearer."""
        parts = [self._nearest(centroids[start : start + BLOCK]) for start in range(0, len(centroids), BLOCK)]
        return np.concatenate(parts)

    def _cube(self, roots: NDArray[np.float64]) -> NDArray[np.float64]:
        cubes: NDArray[np.float64] = roots * roots * roots
        return np.where(cubes > FOOT, cubes, (roots - FOOT_HEIGHT) / FOOT_SLOPE) if self.has_foot else cubes

    def _nearest(self, centroids: NDArray[np.float64]) -> NDArray[Any]:
        """Go from the colour that a point is converted to from neighbour to neighbour, as long as they are nearer.

        Of 16 bits, at first in steps of 8: a centroid that has no colour may be far from the nearest one.
        """
        colors = self._converted(centroids)
        stride = (self.top + 1) // 256
        while stride:
            colors = self._descended(colors, centroids, stride)
            stride //= 2
        return colors

    def _descended(self, colors: NDArray[Any], centroids: NDArray[np.float64], stride: int) -> NDArray[Any]:
        rows = np.arange(len(colors))
        steps = STEPS * np.int32(stride)
        while True:
            neighbours = np.clip(colors[:, np.newaxis] + steps, 0, self.top).astype(colors.dtype)
            points = self.embed(neighbours.reshape(-1, 3)).reshape(neighbours.shape)
            away = points - centroids[:, np.newaxis]
            away *= away
            best = ((away[..., 0] + away[..., 1]) + away[..., 2]).argmin(axis=1)
            if not best.any():
                return colors
            colors = neighbours[rows, best]

    def _converted(self, centroids: NDArray[np.float64]) -> NDArray[Any]:
        """Return the colours at these places, or near them, where there are none."""
        of_axes, of_cubes = self._inverses
        axes = [centroids[:, axis] - offset for axis, offset in enumerate(self._offsets)]
        cubes = [self._cube(_sum(row, *axes)) for row in of_axes]
        channels = [transfer.between(self.top).searchsorted(_sum(row, *cubes)) for row in of_cubes]
        return np.stack(channels, axis=1).astype(np.min_scalar_type(self.top))


def oklab(lightness: float, top: int = 255) -> UniformSpace:
    """Return Oklab in steps of 1/65,280."""
    return UniformSpace(LIGHT_TO_CONES, CONES_TO_OKLAB, False, 0.0, 65_280, lightness, top)


def cielab(lightness: float, top: int = 255) -> UniformSpace:
    """Return CIELAB in steps of 1/255."""
    return UniformSpace(LIGHT_TO_XYZ, XYZ_TO_LAB, True, LEAST_LAB, 255, lightness, top)


def _sum(
    row: tuple[float, float, float], x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]
) -> NDArray[np.float64]:
    total: NDArray[np.float64] = row[0] * x
    total += row[1] * y
    total += row[2] * z
    return total


def _times(row: tuple[float, float, float], factor: float) -> tuple[float, float, float]:
    return row[0] * factor, row[1] * factor, row[2] * factor


def _inverse(matrix: Matrix) -> Matrix:
    """Return the inverse of a matrix (3, 3), by its cofactors: in plain arithmetic, the same everywhere."""
    a, b, c = matrix
    cofactors = _cross(b, c), _cross(c, a), _cross(a, b)
    determinant = a[0] * cofactors[0][0] + a[1] * cofactors[0][1] + a[2] * cofactors[0][2]
    return tuple(_times(row, 1 / determinant) for row in zip(*cofactors, strict=True))


def _cross(a: tuple[float, float, float], b: tuple[float, float, float]) -> tuple[float, float, float]:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
