"""The arrays of kernels on cells: `Level` holds the boxes of one size of cube, `Bounds` what is remembered of them.

How they are made is in `kmeans_fast.colors.cells`, and `Nearest` in `kmeans_fast.colors.nearest`.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Level(NamedTuple):
    """The occupied cubes of one size, in the order of their codes.

    Attributes
    ----------
    starts : ndarray of int64, shape (M + 1,)
        Where each cube's members (colours of a cell, cells of a region) begin, and where the last one's end.
    centers, halves : ndarray of float32, shape (M, 4)
        The middle and half the size of the box around each cube's colours, scaled as `Cells.scale` says; 0 for
        channels that there aren't. Multiples of half a scaled step below 256, so that they are exact.
    """

    starts: NDArray[np.int64]
    centers: NDArray[np.float32]
    halves: NDArray[np.float32]


class Lists(NamedTuple):
    """For each cube the centroids that may own a colour in it: its candidates.

    Attributes
    ----------
    candidates : ndarray of int32, shape (M, L)
        Their indices in ascending order.
    sizes : ndarray of int32, shape (M,)
        How many there are; 0 where there were too many to keep.
    reference : ndarray of int32, shape (M,)
        The candidate that is nearest to the center of the box.
    reserve : ndarray of float64, shape (M,)
        By how much every centroid that is no candidate is farther than the reference from each point of the box, at
        least, less the moves of both since that was found. The list holds as long as this is positive.
    """

    candidates: NDArray[np.int32]
    sizes: NDArray[np.int32]
    reference: NDArray[np.int32]
    reserve: NDArray[np.float64]


class Bounds(NamedTuple):
    """What is known from earlier iterations.

    Attributes
    ----------
    cells, regions : Lists
        Candidates of each cell, taken from those of its region, and of each region.
    lead : ndarray of float32, shape (M,)
        By how much, at least, every colour of a cell is nearer to its owner than to any other centroid, in squared
        scaled distances. Labels hold as long as this is positive.
    """

    cells: Lists
    regions: Lists
    lead: NDArray[np.float32]


class Closest(NamedTuple):
    """What k-means++ knows of the colours so far.

    Attributes
    ----------
    closest : ndarray of int32 or, for 16-bit colours, int64, shape (N,)
        Squared distance of each colour to the closest centroid.
    farthest, region_farthest : ndarray of the same dtype, shape (M,) and (R,)
        The largest of those in each cell and region.
    potentials : ndarray of int64, shape (M,)
        The sum over each cell of count times squared distance.
    """

    closest: NDArray[Any]
    farthest: NDArray[Any]
    region_farthest: NDArray[Any]
    potentials: NDArray[np.int64]


class Cells(NamedTuple):
    """Colours with their counts, sorted into cells and regions.

    Attributes
    ----------
    colors : ndarray of uint8 or uint16, shape (N, 4)
        Missing channels are 0, which adds exactly nothing to a squared distance.
    channels : ndarray of the same dtype, shape (4, N)
        The same, channel by channel.
    counts : ndarray of int64, shape (N,)
        The number of pixels of each colour.
    cells, regions : Level
        Of colours, and of cells.
    scale : float
        The power of two, at most 1, that brings all values below 256. Whatever is bounded in float32 is bounded for
        scaled colours and centroids: multiplying by a power of two changes no rounding, so that what holds for 8 bits
        holds for 16. What is decided and summed exactly isn't scaled.
    """

    colors: NDArray[Any]
    channels: NDArray[Any]
    counts: NDArray[np.int64]
    cells: Level
    regions: Level
    scale: float


class PointCells(NamedTuple):
    """Points of any numbers, sorted into cells and regions.

    Attributes
    ----------
    order : ndarray of int32, shape (N,)
        The number of each point, in the order of the cells.
    local : ndarray of float32, shape (4, N)
        Each point, in that order, relative to its cell's center, feature by feature, in steps; 0 for
        features that there aren't.
    cells, regions : Level
        Of points, and of cells; the boxes are in steps.
    """

    order: NDArray[np.int32]
    local: NDArray[np.float32]
    cells: Level
    regions: Level


def whole_steps(steps: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return which of the 256 steps from −128 to 128 each coordinate is in; what is beyond them is in the last one."""
    whole: NDArray[np.int64] = np.clip((steps + 128.0).astype(np.int64), 0, 255)
    return whole


def cube_centers(steps: NDArray[np.float64], bits: int) -> NDArray[np.float64]:
    """Return the middles, in steps, of the cubes that coordinates are in, which are 2 to the `bits` steps wide."""
    corners = (whole_steps(steps) >> bits << bits).astype(np.float64)
    return corners + (2.0**bits / 2 - 128.0)


class Nearest(NamedTuple):
    """For each cube of a grid in colour space the entries of a palette that may be nearest in it: its candidates.

    Colours are packed: one number holds the three channels c in fields of 20 bits, c₀ + 2²⁰ c₁ + 2⁴⁰ c₂. Its product
    with an entry whose channels are in reverse has c·e in bits 40 to 59, as no field overflows. For each candidate
    there is that reversed entry and, in another place, 2²⁰ ‖e‖² + k with its index k: less twice c·e, times 2²⁰, the
    least of those is the nearest entry's, and the first one's of equals.

    Attributes
    ----------
    bits : int
        Logarithm of the number of cubes along each channel.
    first : ndarray of int64, shape (M, 8)
        Four candidates of each cube: reversed entries, then norms with indices; fillers are never nearest.
    starts : ndarray of int64, shape (M + 1,)
        Where further candidates of each cube begin in `more`, and where the last one's end.
    more : ndarray of int64, shape (G, 8)
        Like `first`.
    """

    bits: int
    first: NDArray[np.int64]
    starts: NDArray[np.int64]
    more: NDArray[np.int64]
