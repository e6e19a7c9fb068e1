"""Colours sorted into cells: the structure that lets a whole part of colour space be decided at once.

A cell is a cube of colour space with at least one colour in it, a region a larger cube of cells. A cube that is full of
colours is cut into smaller cells. Colours are sorted by their codes (see `color_codes`), so a cell's colours and a
region's cells are each one stretch of the arrays. What a cell knows is the box around its colours: a centroid that is
farther than another one from every point of that box can't own any of the colours [1]_.

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
from kmeans_fast.machine.chunks import chunk_bounds

# Logarithm of the side of the cubes, in scaled steps: the smallest, cells, and regions. A cell of more colours than
# these is cut into the smallest cubes. A photo of 362,063 colours has 7,649 of those, 3,613 cells and 225 regions: most
# of a pass is spent on cells, not on their colours, but with smaller ones late iterations look at fewer.
CUBE_BITS = 3
CELL_BITS = 4
CELL_COLORS = 512
REGION_BITS = 5
# The most candidates that are kept for a cell or region; one with more is compared with all centroids each time.
CELL_CANDIDATES = 24
REGION_CANDIDATES = 512
# Colours of which a thread builds the cells at a time.
COLORS_AT_ONCE = 2**17


class Built(NamedTuple):
    """Cells, and the sums over the colours of each of the smallest cubes, each as often as it counts.

    Attributes
    ----------
    cells : Cells
        What the passes take.
    cube_starts : ndarray of int64, shape (M + 1,)
        Where each cube's colours begin, and where the last one's end.
    moments : ndarray of int64, shape (M, 6)
        The sum of the counts, those of the four channels, and that of all squares, modulo 2⁶⁴.
    """

    cells: Cells
    cube_starts: NDArray[np.int64]
    moments: NDArray[np.int64]


def build(colors: NDArray[Any], codes: NDArray[Any], counts: NDArray[np.int64], machine: Machine) -> Built:
    """Sort colours (N, C), given in the order of their codes, into cells and regions."""
    n_channels = colors.shape[1]
    excess = excess_bits(codes, n_channels)
    scale = 2.0**-excess
    cube_starts = _starts_of_cubes(codes, n_channels * (CUBE_BITS + excess), machine)
    n_cubes = len(cube_starts) - 1
    padded = colors if n_channels == 4 else np.zeros((len(colors), 4), colors.dtype)
    channels = np.zeros((4, len(colors)), colors.dtype)
    low, high = np.zeros((n_cubes, 4), colors.dtype), np.zeros((n_cubes, 4), colors.dtype)
    moments = np.zeros((n_cubes, 6), np.int64)

    def enclose(part: tuple[int, int]) -> None:
        cubes, members = slice(*part), slice(cube_starts[part[0]], cube_starts[part[1]])
        machine.engine.cells.enclose(
            colors[members], counts[members], cube_starts[part[0] : part[1] + 1], channels, low[cubes], high[cubes],
            moments[cubes],
        )  # fmt: skip
        if n_channels < 4:
            for channel in range(n_channels):  # seven times as fast as a copy of short rows
                padded[members, channel] = colors[members, channel]

    edges = np.searchsorted(cube_starts, np.arange(0, len(colors), COLORS_AT_ONCE), side="right") - 1
    cuts = [*dict.fromkeys(edges.tolist()), n_cubes]
    machine.workers.for_each(enclose, list(itertools.pairwise(cuts)))
    first_codes = codes[cube_starts[:-1]]
    cells = _cut_where_full(run_starts(first_codes >> codes.dtype.type(n_channels * (CELL_BITS + excess))), cube_starts)
    regions = run_starts(first_codes[cells[:-1]] >> codes.dtype.type(n_channels * (REGION_BITS + excess)))
    low, high = _boxes(low, high, cells)
    built = Cells(
        padded,
        channels,
        counts,
        _level(cube_starts[cells], low, high, scale),
        _level(regions, *_boxes(low, high, regions), scale),
        scale,
    )
    return Built(built, cube_starts, moments)


def _starts_of_cubes(codes: NDArray[Any], n_bits: int, machine: Machine) -> NDArray[np.int64]:
    """Do as `run_starts` with what codes are but for their lowest bits."""
    shift, bounds = codes.dtype.type(n_bits), chunk_bounds(len(codes))
    found = [np.empty(0, np.int64)] * len(bounds)

    def find(i: int) -> None:
        first, last = bounds[i]
        before = max(0, first - 1)
        found[i] = run_starts(codes[before:last] >> shift)[1:-1] + before

    machine.workers.for_each(find, range(len(bounds)))
    return np.concatenate([[0], *found, [len(codes)]])


def _cut_where_full(starts: NDArray[np.int64], cube_starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return at which of the smallest cubes cells begin, and where the last ends, given that of cubes of their size."""
    is_full = np.diff(cube_starts[starts]) > CELL_COLORS
    is_start = np.repeat(np.append(is_full, True), np.append(np.diff(starts), 1))
    is_start[starts] = True
    return np.flatnonzero(is_start).astype(np.int64, copy=False)


def _boxes(low: NDArray[Any], high: NDArray[Any], starts: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the boxes around runs of boxes."""
    return np.minimum.reduceat(low, starts[:-1], axis=0), np.maximum.reduceat(high, starts[:-1], axis=0)


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
