"""Colours sorted into cells: the structure that lets a whole part of colour space be decided at once.

A cell is a cube of colour space with at least one colour in it, a region a larger cube of cells. Colours are sorted by
their codes (see `color_codes`), so a cell's colours and a region's cells are each one stretch of the arrays. What a
cell knows is the box around its colours: a centroid that is farther than another one from every point of that box can't
own any of the colours [1]_.

The arrays that this makes are described in `kmeans_fast.engines.layout`.

References
----------
.. [1] T. Kanungo, D. M. Mount, N. S. Netanyahu, C. D. Piatko, R. Silverman and A. Y. Wu, "An efficient k-means
clustering
   algorithm: analysis and implementation", IEEE Transactions on Pattern Analysis and Machine Intelligence 24(7), 2002.
"""

import itertools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines.layout import Bounds, Cells, Closest, Level, Lists
from kmeans_fast.lending import Machine

# Logarithm of the side of a cell, in scaled steps; that of a region is twice as long. A photo of 362,063 colours has
# 7,649 cells and 1,282 regions of these sizes.
CELL_BITS = 3
# The most candidates that are kept for a cell or region; one with more is compared with all centroids each time.
CELL_CANDIDATES = 24
REGION_CANDIDATES = 160
# Colours of which a thread builds the cells at a time.
COLORS_AT_ONCE = 2**17


class Built(NamedTuple):
    """Cells, and the sums over the colours of each, each as often as it counts.

    Attributes
    ----------
    cells : Cells
        What the passes take.
    moments : ndarray of int64, shape (M, 5)
        The sum of the counts, and those of the four channels.
    bits : int
        Logarithm of the side of a cell, in scaled steps.
    """

    cells: Cells
    moments: NDArray[np.int64]
    bits: int


def build(
    colors: NDArray[Any], codes: NDArray[Any], counts: NDArray[np.int64], machine: Machine, bits: int = CELL_BITS
) -> Built:
    """Sort colours (N, C), given in the order of their codes, into cells and regions."""
    n_channels = colors.shape[1]
    excess = excess_bits(codes, n_channels)
    scale = 2.0**-excess
    cell_starts = run_starts(codes >> codes.dtype.type(n_channels * (bits + excess)))
    n_cells = len(cell_starts) - 1
    padded = colors if n_channels == 4 else np.zeros((len(colors), 4), colors.dtype)
    channels = np.zeros((4, len(colors)), colors.dtype)
    low, high = np.zeros((n_cells, 4), colors.dtype), np.zeros((n_cells, 4), colors.dtype)
    moments = np.zeros((n_cells, 5), np.int64)

    def enclose(part: tuple[int, int]) -> None:
        cells, members = slice(*part), slice(cell_starts[part[0]], cell_starts[part[1]])
        machine.engine.cells.enclose(
            colors[members], counts[members], cell_starts[part[0] : part[1] + 1], channels, low[cells], high[cells],
            moments[cells],
        )  # fmt: skip
        if n_channels < 4:
            for channel in range(n_channels):  # seven times as fast as a copy of short rows
                padded[members, channel] = colors[members, channel]

    edges = np.searchsorted(cell_starts, np.arange(0, len(colors), COLORS_AT_ONCE), side="right") - 1
    cuts = [*dict.fromkeys(edges.tolist()), n_cells]
    machine.workers.for_each(enclose, list(itertools.pairwise(cuts)))
    region_starts = run_starts(codes[cell_starts[:-1]] >> codes.dtype.type(n_channels * (bits + 1 + excess)))
    region_low = np.minimum.reduceat(low, region_starts[:-1], axis=0)
    region_high = np.maximum.reduceat(high, region_starts[:-1], axis=0)
    cells = Cells(
        padded,
        channels,
        counts,
        _level(cell_starts, low, high, scale),
        _level(region_starts, region_low, region_high, scale),
        scale,
    )
    return Built(cells, moments, bits)


def excess_bits(codes: NDArray[Any], n_channels: int) -> int:
    """Return how many bits more than 8 the largest value of any channel has, given ascending codes."""
    bits = -(-int(codes[-1]).bit_length() // n_channels)
    return max(0, bits - 8)


def run_starts(keys: NDArray[Any]) -> NDArray[np.int64]:
    """Return where each run of equal keys begins, and where the last one ends."""
    is_edge = np.ones(len(keys) + 1, np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=is_edge[1:-1])
    starts: NDArray[np.int64] = np.flatnonzero(is_edge).astype(np.int64, copy=False)
    return starts


def _level(starts: NDArray[np.int64], low: NDArray[Any], high: NDArray[Any], scale: float) -> Level:
    lower, upper = low.astype(np.float32) * np.float32(scale), high.astype(np.float32) * np.float32(scale)
    half = np.float32(0.5)
    return Level(starts, (lower + upper) * half, (upper - lower) * half)


def no_bounds(cells: Cells, n_clusters: int) -> Bounds:
    """Make the bounds of someone who knows nothing yet."""
    return empty_bounds(len(cells.cells.centers), len(cells.regions.centers), n_clusters)


def empty_bounds(n_cells: int, n_regions: int, n_clusters: int) -> Bounds:
    """Make bounds for so many cells and regions."""
    return Bounds(
        _no_lists(n_cells, min(n_clusters + 1, CELL_CANDIDATES)),
        _no_lists(n_regions, min(n_clusters + 1, REGION_CANDIDATES)),
        np.zeros(n_cells, np.float32),
    )


def _no_lists(n_cubes: int, capacity: int) -> Lists:
    return Lists(
        np.zeros((n_cubes, capacity), np.int32),
        np.zeros(n_cubes, np.int32),
        np.zeros(n_cubes, np.int32),
        np.zeros(n_cubes),
    )


def nothing_closest(cells: Cells) -> Closest:
    """Make the state of k-means++ before the first centroid."""
    n_cells, n_regions = len(cells.cells.starts) - 1, len(cells.regions.starts) - 1
    dtype = np.int32 if cells.colors.dtype == np.uint8 else np.int64
    most = np.iinfo(dtype).max
    return Closest(
        np.full(len(cells.counts), most, dtype),
        np.full(n_cells, most, dtype),
        np.full(n_regions, most, dtype),
        np.zeros(n_cells, np.int64),
    )
