"""The seeding on colours in plain NumPy: the same functions as `numba_color_seeding`, the same bytes."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines import numpy_dense
from kmeans_fast.engines.layout import Cells, Closest

VALUES = 256
# As in `numba_color_seeding`: what float32 can't lose in a squared distance of scaled colours.
BELOW_ROUNDING = 1 - 2.0**-20


def lower(
    cells: Cells,  # in
    state: Closest,  # in/out
    centroid: NDArray[np.int32],  # in
    first_region: int,
    last_region: int,
    kept: list[Any],  # noqa: ARG001 - in/out, the compiled engine's
) -> int:
    """Take a centroid (4,) int32 into account in what is closest to the colours of some regions."""
    near, members = _near_cells(cells, state, centroid, first_region, last_region)
    if near.size == 0:
        return 0
    distances = _squared_distances(cells.colors[members], centroid)
    state.closest[members] = np.minimum(state.closest[members], distances)
    sizes = np.diff(cells.cells.starts)[near]
    firsts = np.cumsum(sizes) - sizes
    state.farthest[near] = np.maximum.reduceat(state.closest[members], firsts)
    state.potentials[near] = np.add.reduceat(cells.counts[members] * state.closest[members], firsts)
    return int(members.size)


def add_gains(
    cells: Cells,  # in
    state: Closest,  # in
    candidates: NDArray[np.int32],  # in
    first_region: int,
    last_region: int,
    gains: NDArray[np.int64],  # in/out
    kept: list[Any],  # noqa: ARG001 - in/out, the compiled engine's
) -> int:
    """Add to `gains` (T,) int64 by how much each of the candidates (T, 4) int32 would lower the potential."""
    n_looked = 0
    for t, candidate in enumerate(candidates):
        _, members = _near_cells(cells, state, candidate, first_region, last_region)
        lowered = state.closest[members] - _squared_distances(cells.colors[members], candidate)
        gains[t] += np.dot(cells.counts[members], np.maximum(lowered, 0))
        n_looked += members.size
    return int(n_looked)


def locate(
    cells: Cells,  # in
    state: Closest,  # in
    targets: NDArray[np.float64],  # in
    places: NDArray[np.int64],  # out
    kept: list[Any],  # noqa: ARG001 - in/out, the compiled engine's
) -> None:
    """Write to `places` (T,) the first colour at which the running potential exceeds each target (T,) float64."""
    running = np.cumsum(state.potentials)
    last = int(np.flatnonzero(state.potentials)[-1]) if running[-1] else 0
    for t, target in enumerate(targets):
        cell = min(int(np.searchsorted(running, target, side="right")), last)
        start, stop = cells.cells.starts[cell : cell + 2]
        parts = cells.counts[start:stop] * state.closest[start:stop]
        inside = np.cumsum(parts) + (running[cell] - state.potentials[cell])
        place = int(np.searchsorted(inside, target, side="right"))
        adding = np.flatnonzero(parts)
        places[t] = start + min(place, int(adding[-1]) if adding.size else 0)


def choose(
    channels: NDArray[np.int32],  # in
    weights: NDArray[np.int64],  # in
    draws: NDArray[np.float64],  # in
    closest: NDArray[Any],  # work space
    places: NDArray[np.int64],  # in/out
) -> None:
    """Choose colours as greedy k-means++ does; the first of `places` (K,) int64 is there, the others are written."""
    closest[:] = _all_squared_distances(channels, places[:1], closest.dtype)[0]
    for n, of_candidates in enumerate(draws, 1):
        ends = np.cumsum(weights * closest)
        # the last that adds to it, should rounding have put a draw at the very end
        found = ends.searchsorted(of_candidates * float(ends[-1]), side="right")
        candidates = np.minimum(found, ends.searchsorted(ends[-1]))
        left = np.minimum(_all_squared_distances(channels, candidates, closest.dtype), closest)
        best = int((left * weights).sum(axis=1).argmin())
        places[n], closest[:] = candidates[best], left[best]


def sum_runs(
    rows: NDArray[np.float64],  # in
    weights: NDArray[np.float64],  # in
    centroids: NDArray[np.float64],  # in
    sums: NDArray[np.float64],  # in/out
) -> None:
    """Add each colour to its nearest centroid's row of `sums` (R, K, 5) in each of several runs."""
    points, labels = np.ascontiguousarray(rows.T), np.empty(rows.shape[1], np.intp)
    for of_run, sums_of_run in zip(centroids, sums, strict=True):
        numpy_dense.assign(points, of_run, labels)
        numpy_dense.add(points, weights, labels, sums_of_run[:, np.newaxis], [])


def split(
    coordinates: NDArray[np.uint8],  # in
    moments: NDArray[np.int64],  # in
    starts: NDArray[np.int64],  # in
    n_clusters: int,
) -> NDArray[np.int64]:
    """Split items into K boxes, each time the box and where it lowers the squared error most; return their moments."""
    boxes = [np.arange(*edges) for edges in pairwise(starts.tolist())]
    totals = [moments[box].sum(axis=0) for box in boxes]
    cuts = [_best_cut(coordinates[box], moments[box], total) for box, total in zip(boxes, totals, strict=True)]
    while len(boxes) < n_clusters:
        old = int(np.argmax([gain for gain, _, _ in cuts]))
        members = boxes[old]
        _, axis, value = cuts[old]
        is_low = coordinates[members, axis] <= value
        boxes[old], high = members[is_low], members[~is_low]
        boxes.append(high)
        totals.append(moments[high].sum(axis=0))
        totals[old] = totals[old] - totals[-1]
        cuts.append(_best_cut(coordinates[high], moments[high], totals[-1]))
        cuts[old] = _best_cut(coordinates[boxes[old]], moments[boxes[old]], totals[old])
    return np.array(totals)


def _near_cells(
    cells: Cells, state: Closest, centroid: NDArray[np.int32], first_region: int, last_region: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the cells in which a centroid may be nearer than what is closest so far, and their colours."""
    first, last = cells.regions.starts[[first_region, last_region]]
    near = first + np.flatnonzero(_least_distances(cells, centroid)[first:last] < state.farthest[first:last])
    starts, sizes = cells.cells.starts[near], np.diff(cells.cells.starts)[near]
    members = np.repeat(starts - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
    return near, members


def _least_distances(cells: Cells, centroid: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return how far, in squared steps, a colour is from the box of each cell, at least."""
    scaled = centroid.astype(np.float32) * np.float32(cells.scale)
    outside = np.maximum(np.abs(scaled - cells.cells.centers) - cells.cells.halves, np.float32(0))
    distances: NDArray[np.float64] = (outside * outside).sum(axis=1).astype(np.float64)
    return distances if cells.scale == 1 else distances * (BELOW_ROUNDING / cells.scale**2)


def _squared_distances(colors: NDArray[Any], centroid: NDArray[np.int32]) -> NDArray[Any]:
    total: NDArray[Any] = np.zeros(len(colors), np.int32 if colors.dtype == np.uint8 else np.int64)
    for f in range(4):
        difference = colors[:, f].astype(total.dtype) - centroid[f]
        total += difference * difference
    return total


def _all_squared_distances(
    channels: NDArray[np.int32], places: NDArray[np.int64], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Return (T, N): of each colour to those at T places."""
    total = np.zeros((len(places), channels.shape[1]), dtype)
    for row in channels:
        difference = (row - row[places, np.newaxis]).astype(dtype, copy=False)
        difference *= difference
        total += difference
    return total


def _best_cut(
    coordinates: NDArray[np.uint8], moments: NDArray[np.int64], total: NDArray[np.int64]
) -> tuple[float, int, int]:
    """Return by how much the best cut of a box lowers the error, the axis, and the last coordinate below the cut."""
    best, best_axis, best_value = -np.inf, 0, 0
    for axis in range(coordinates.shape[1]):
        explained = _explained(coordinates[:, axis], moments, total)
        value = int(explained.argmax())
        if explained[value] > best:
            best, best_axis, best_value = float(explained[value]), axis, value
    whole = 0.0
    for channel in total[1:].astype(np.float64).tolist():
        whole += channel * channel / float(total[0])
    return best - whole, best_axis, best_value


def _explained(
    coordinates: NDArray[np.uint8], moments: NDArray[np.int64], total: NDArray[np.int64]
) -> NDArray[np.float64]:
    """For each value: squares of the means of what is up to it and of the rest, times their pixels; −inf if no cut."""
    table = np.zeros((VALUES, moments.shape[1]), np.int64)
    np.add.at(table, coordinates, moments)
    running = np.cumsum(table, axis=0)
    is_cut = (table[:, 0] > 0) & (running[:, 0] < total[0])
    part, rest = running[is_cut].astype(np.float64), (total - running[is_cut]).astype(np.float64)
    of_cuts = np.zeros(len(part))
    for f in range(1, moments.shape[1]):
        of_cuts += part[:, f] * part[:, f] / part[:, 0] + rest[:, f] * rest[:, f] / rest[:, 0]
    explained: NDArray[Any] = np.full(VALUES, -np.inf)
    explained[is_cut] = of_cuts
    return explained
