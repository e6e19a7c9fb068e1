"""The Lloyd iteration on cells of colours in plain NumPy: the same labels and sums as `numba_cells`.

Finds each cell's candidates anew in every iteration, for many cells at once, and compares each colour with its cell's
candidates, for all colours at once; it keeps no bounds. Shapes as in `numba_cells`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines.layout import Bounds, Cells

# Cells and centroids compared at a time: 8 MB for each array of work space.
PAIRS = 2**20
# What rounding may hide in float64, relative to the squares involved; 2⁻⁵³ times a generous number of operations.
RELATIVE_ROUNDING = 1e-12
# NumPy sums by cluster in float64, which is exact up to 2⁵³: for 2²⁶ colours, if their values have half as many bits.
HALF_BITS = 26


def relabel(
    cells: Cells,  # in
    bounds: Bounds,  # noqa: ARG001 - in/out, the compiled engine's
    before: NDArray[np.float64],  # noqa: ARG001 - in, the compiled engine's
    centroids: NDArray[np.float64],  # in
    first_region: int,
    last_region: int,
    labels: NDArray[Any],  # in/out
    sums: NDArray[np.int64],  # in/out
    kept: list[Any],  # noqa: ARG001 - in/out, the compiled engine's
) -> int:
    """Label the colours of some regions; return how many were looked at."""
    first_cell, last_cell = cells.regions.starts[[first_region, last_region]]
    step = max(1, PAIRS // len(centroids))
    scaled = centroids * cells.scale
    for first in range(first_cell, last_cell, step):
        stop = min(first + step, last_cell)
        candidates = _candidates(cells.cells.centers[first:stop], cells.cells.halves[first:stop], scaled)
        part = slice(cells.cells.starts[first], cells.cells.starts[stop])
        members = np.diff(cells.cells.starts[first : stop + 1])
        sums -= _sums(cells, part, labels, len(centroids))
        owners = np.repeat(np.arange(stop - first), members)
        labels[part] = _nearest(cells.colors[part], owners, *candidates, centroids)
        sums += _sums(cells, part, labels, len(centroids))
    return int(cells.cells.starts[last_cell] - cells.cells.starts[first_cell])


def _candidates(
    centers: NDArray[np.float32], halves: NDArray[np.float32], centroids: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the candidates of all cells in one row, and where each cell's begin (and the last one's end).

    A centroid is none if another one, the nearest to the center of the box, is nearer to every corner of it.
    """
    squares = np.zeros((len(centers), len(centroids)))
    for f in range(4):
        squares += (centroids[:, f] - centers[:, f, np.newaxis].astype(np.float64)) ** 2
    nearest = squares.argmin(axis=1)
    least = squares[np.arange(len(centers)), nearest]
    lead = squares * (1 - RELATIVE_ROUNDING) - least[:, np.newaxis] * (1 + RELATIVE_ROUNDING)
    for f in range(4):
        lead -= 2 * halves[:, f, np.newaxis] * np.abs(centroids[:, f] - centroids[nearest, f, np.newaxis])
    is_candidate = lead <= RELATIVE_ROUNDING * 255**2
    is_candidate[np.arange(len(centers)), nearest] = True
    starts = np.concatenate([[0], np.cumsum(is_candidate.sum(axis=1))])
    return np.nonzero(is_candidate)[1], starts


def _nearest(
    colors: NDArray[Any],
    owners: NDArray[np.intp],
    candidates: NDArray[np.intp],
    starts: NDArray[np.intp],
    centroids: NDArray[np.float64],
) -> NDArray[np.intp]:
    """Compare each colour with its cell's first candidate, then all that have one with their second, and so on."""
    points = colors.astype(np.float64)
    best = np.full(len(points), np.inf)
    labels = np.zeros(len(points), np.intp)
    sizes = np.diff(starts)[owners]
    places = starts[:-1][owners]
    for j in range(int(sizes.max())):
        some = np.flatnonzero(sizes > j)
        compared = candidates[places[some] + j]
        distances = np.zeros(len(some))
        for f in range(4):
            distances += (points[some, f] - centroids[compared, f]) ** 2
        nearer = distances < best[some]
        best[some[nearer]] = distances[nearer]
        labels[some[nearer]] = compared[nearer]
    return labels


def _sums(cells: Cells, part: slice, labels: NDArray[Any], n_clusters: int) -> NDArray[np.int64]:
    """Sum channels and counts of some colours by cluster, exactly."""
    sums = np.zeros((n_clusters, 5), np.int64)
    counts = cells.counts[part]
    for f in range(5):
        weights = counts * cells.colors[part, f] if f < 4 else counts
        for bits, half in ((0, weights & (2**HALF_BITS - 1)), (HALF_BITS, weights >> HALF_BITS)):
            if half.any():
                total = np.bincount(labels[part], weights=half, minlength=n_clusters)
                sums[:, f] += total.astype(np.int64) << bits
    return sums


def enclose(
    colors: NDArray[Any],  # in
    counts: NDArray[np.int64],  # in
    starts: NDArray[np.int64],  # in
    channels: NDArray[Any],  # out
    low: NDArray[Any],  # out
    high: NDArray[Any],  # out
    moments: NDArray[np.int64],  # out
) -> None:
    """Write of colours (n, C), those of some cells, the channels, each cell's box, and its sums."""
    cells = starts[:-1] - starts[0]
    moments[:, 0], moments[:, 5] = np.add.reduceat(counts, cells), 0
    for f in range(colors.shape[1]):
        values = channels[f, starts[0] : starts[-1]]
        values[:] = colors[:, f]
        low[:, f] = np.minimum.reduceat(values, cells)
        high[:, f] = np.maximum.reduceat(values, cells)
        products = counts * values
        moments[:, f + 1] = np.add.reduceat(products, cells)
        moments[:, 5] += np.add.reduceat(products * values, cells)
