"""The seeding on colours, compiled: k-means++ that leaves whole cells alone, and splitting by variance.

All sums are integers, so nothing depends on the order in which they are made. `cells` and `state` are the
`Cells` and `Closest` of `kmeans_fast.engines.layout`.
"""

from typing import Any

import numpy as np

from kmeans_fast.engines.numba_jit import kernel, part

VALUES = 256
# Less than 1 − 4 u, u being 2⁻²⁴.
BELOW_ROUNDING = 1 - 2.0**-20
# Colours that are compared at a time: five rows of so many are 5 kB.
BLOCK = 128
# Colours whose gains are found at a time, in whole vectors of at most so many.
STRETCH, LANES = 512, 16


def lower(
    cells: Any,  # in
    state: Any,  # in/out
    centroid: Any,  # in
    first_region: int,
    last_region: int,
    kept: list[Any],  # in/out
) -> int:
    """Take a centroid (4,) int32 into account in what is closest to the colours of some regions.

    Returns how many colours were looked at. `kept` here and below is as in `numba_cells.relabel`.
    """
    if not kept:
        kept.append(_lower.prepared(cells, state, centroid, first_region, last_region, _room_for_cells(cells)))
    n_looked: int = kept[0]()
    return n_looked


def _room_for_cells(cells: Any) -> Any:
    """Make room for the cells of any region."""
    return np.zeros(np.diff(cells.regions.starts).max(), np.int64)


@kernel()
def _lower(
    cells,  # in
    state,  # in/out
    centroid,  # in
    first_region,
    last_region,
    near,  # work space
):
    _, channels, counts, (starts, centers, halves), (region_starts, region_centers, region_halves), scale = cells
    closest, farthest, region_farthest, potentials = state
    r0, r1, r2, r3 = channels[0], channels[1], channels[2], channels[3]
    k0, k1, k2, k3 = centroid[0], centroid[1], centroid[2], centroid[3]
    s0, s1, s2, s3 = _scaled(centroid, scale)
    unit = _safe_unit(scale)
    n_looked = 0
    for r in range(first_region, last_region):
        if _least_distance(region_centers, region_halves, r, s0, s1, s2, s3) * unit >= region_farthest[r]:
            continue
        first, last = region_starts[r], region_starts[r + 1]
        for j in range(_list_near(centers, halves, farthest, first, last, s0, s1, s2, s3, unit, near)):
            c = np.uint64(near[j])
            s, e = starts[c], starts[c + 1]
            n_looked += e - s
            farthest[c], potentials[c] = _lower_cell(r0, r1, r2, r3, counts, closest, s, e, k0, k1, k2, k3)
        most = closest.dtype.type(0)
        for i in range(np.uint64(first), np.uint64(last)):
            most = max(most, farthest[i])
        region_farthest[r] = most
    return n_looked


def add_gains(
    cells: Any,  # in
    state: Any,  # in
    candidates: Any,  # in
    first_region: int,
    last_region: int,
    gains: Any,  # in/out
    kept: list[Any],  # in/out
) -> int:
    """Add to `gains` (T,) int64 by how much each of the candidates (T, 4) int32 would lower the potential.

    Returns how many colours were looked at.
    """
    if not kept:
        # unsigned, so that what is never below 0 takes a multiplication less
        lowered = np.zeros(STRETCH + LANES, state.closest.dtype.str.replace("i", "u"))
        work = _room_for_cells(cells), lowered
        kept.append(_add_gains.prepared(cells, state, candidates, first_region, last_region, gains, work))
    n_looked: int = kept[0]()
    return n_looked


@kernel()
def _add_gains(
    cells,  # in
    state,  # in
    candidates,  # in
    first_region,
    last_region,
    gains,  # in/out
    work,
):
    near, lowered = work
    _, channels, counts, (starts, centers, halves), (region_starts, region_centers, region_halves), scale = cells
    closest, farthest, region_farthest, _ = state
    r0, r1, r2, r3 = channels[0], channels[1], channels[2], channels[3]
    unit = _safe_unit(scale)
    n_looked = 0
    for t in range(candidates.shape[0]):
        k0, k1, k2, k3 = candidates[t, 0], candidates[t, 1], candidates[t, 2], candidates[t, 3]
        s0, s1, s2, s3 = _scaled(candidates[t], scale)
        for r in range(first_region, last_region):
            if _least_distance(region_centers, region_halves, r, s0, s1, s2, s3) * unit >= region_farthest[r]:
                continue
            first, last = region_starts[r], region_starts[r + 1]
            for j in range(_list_near(centers, halves, farthest, first, last, s0, s1, s2, s3, unit, near)):
                c = np.uint64(near[j])
                s, e = starts[c], starts[c + 1]
                n_looked += e - s
                gains[t] += _gain_of_cell(r0, r1, r2, r3, counts, closest, s, e, k0, k1, k2, k3, lowered)
    return n_looked


def locate(
    cells: Any,  # in
    state: Any,  # in
    targets: Any,  # in
    places: Any,  # out
    kept: list[Any],  # in/out
) -> None:
    """Write to `places` (T,) the first colour at which the running potential exceeds each target (T,) float64.

    If none does, it is the last colour that adds to it.
    """
    if not kept:
        kept.append(_locate.prepared(cells, state, targets, places, np.zeros_like(state.potentials)))
    kept[0]()


@kernel()
def _locate(
    cells,  # in
    state,  # in
    targets,  # in
    places,  # out
    sums,  # work space
):
    counts, starts = cells[2], cells[3][0]
    closest, potentials = state[0], state[3]
    total = np.int64(0)
    for c in range(potentials.size):
        total += potentials[c]
        sums[c] = total
    for t in range(targets.size):
        cell = _cell_of(sums, total, targets[t])
        running = sums[cell] - potentials[cell]
        places[t] = starts[cell]
        for i in range(starts[cell], starts[cell + 1]):
            potential = counts[i] * np.int64(closest[i])
            if potential > 0:
                places[t] = i
            running += potential
            if np.float64(running) > targets[t]:
                break


@kernel()
def choose(
    channels,  # in
    weights,  # in
    draws,  # in
    closest,  # work space
    places,  # in/out
):
    """Choose colours as greedy k-means++ does; the first of `places` (K,) int64 is there, the others are written.

    Takes `channels` (4, N) int32, `weights` (N,) int64, and `draws` (K − 1, T) float64 from 0 to 1, one for each
    candidate. Squared distances are of the dtype of `closest` (N,): int32 for 8-bit colours, int64 for 16-bit ones.
    """
    for i in range(closest.size):
        closest[i] = np.iinfo(closest.dtype).max
    for n in range(1, places.size):
        _lower_all(channels, closest, places[n - 1])
        total = np.int64(0)
        for i in range(np.uint64(closest.size)):
            total += weights[i] * np.int64(closest[i])
        least = np.iinfo(np.int64).max
        for t in range(draws.shape[1]):
            place = _place_of(weights, closest, draws[n - 1, t] * np.float64(total))
            left = _left_by(channels, weights, closest, place)
            if left < least:
                least, places[n] = left, place


def sum_runs(
    rows: Any,  # in
    weights: Any,  # in
    centroids: Any,  # in
    sums: Any,  # in/out
) -> None:
    """Add each colour to its nearest centroid's row of `sums` (R, K, 5) in each of several runs.

    Takes the channels `rows` (4, N), `weights` (N,) and `centroids` (R, K, 4), all float64. The nearest is found by the
    textbook: feature by feature, nothing fused, the first of equals.
    """
    _sum_runs(rows, weights, centroids, np.empty(2 * BLOCK), sums)


@kernel()
def _sum_runs(
    rows,  # in
    weights,  # in
    centroids,  # in
    room,  # work space
    sums,  # in/out
):
    n_clusters = centroids.shape[1]
    for start in range(0, rows.shape[1], BLOCK):
        n = min(BLOCK, rows.shape[1] - start)
        for run in range(centroids.shape[0]):
            room[:BLOCK] = np.inf
            for k in range(0, n_clusters, 4):
                a, b = _centroid(centroids, run, k, n_clusters), _centroid(centroids, run, k + 1, n_clusters)
                c, d = _centroid(centroids, run, k + 2, n_clusters), _centroid(centroids, run, k + 3, n_clusters)
                _compare(rows, np.uint64(start), n, a, b, c, d, room)
            _add_block(rows, weights, np.uint64(start), n, room, sums[run])


def split(
    coordinates: Any,  # in
    moments: Any,  # in
    starts: Any,  # in
    n_clusters: int,
) -> Any:
    """Split items into K boxes, each time the box and where it lowers the squared error most; return their moments.

    Takes `coordinates` (M, C) uint8, along which is split, and `moments` (M, 1 + C) int64, the number of pixels and the
    sums of their channels. There must be K distinct items. The first boxes are there already: `starts` (G + 1,) int64
    says where the items of each begin and where those of the last one end.
    """
    n_items, n_moments = moments.shape
    n_first = len(starts) - 1
    # Made here, because what Numba compiles for an array of zeros takes it longer than all of the splitting.
    order = np.arange(n_items)
    edges = np.full((n_clusters, 2), n_items)
    edges[:n_first, 0], edges[:n_first, 1] = starts[:-1], starts[1:]
    totals = np.zeros((n_clusters, n_moments), np.int64)
    totals[:n_first] = np.add.reduceat(moments, starts[:-1], axis=0)
    table = np.zeros((n_moments - 1, VALUES, n_moments), np.int64)
    cuts, gains, work = np.zeros((n_clusters, 2), np.int64), np.zeros(n_clusters), np.zeros(n_moments, np.int64)
    _split(coordinates, moments, n_first, order, edges, totals, gains, cuts, table, work)
    return totals


@kernel()
def _split(
    coordinates,  # in
    moments,  # in
    n_first,
    order,  # in/out
    edges,  # in/out
    totals,  # in/out
    gains,  # work space
    cuts,  # work space
    table,  # work space
    work,  # work space
):
    n_clusters, n_moments = totals.shape
    for box in range(n_first):
        gains[box] = _best_cut(coordinates, moments, order, edges[box], totals[box], table, cuts[box], work)
    for new in range(n_first, n_clusters):
        old = 0
        for box in range(1, new):
            old = box if gains[box] > gains[old] else old
        middle = _divide(coordinates, order, edges[old], cuts[old])
        edges[new, 0], edges[new, 1], edges[old, 1] = middle, edges[old, 1], middle
        for j in range(middle, edges[new, 1]):
            for f in range(n_moments):
                totals[new, f] += moments[order[j], f]
        for f in range(n_moments):
            totals[old, f] -= totals[new, f]
        for box in (old, new):
            gains[box] = _best_cut(coordinates, moments, order, edges[box], totals[box], table, cuts[box], work)


@part(inline=True)
def _scaled(color, scale):
    unit = np.float32(scale)
    k0, k1, k2, k3 = np.float32(color[0]), np.float32(color[1]), np.float32(color[2]), np.float32(color[3])
    return k0 * unit, k1 * unit, k2 * unit, k3 * unit


@part()
def _safe_unit(scale):
    """Return what makes a scaled squared distance in float32 one in steps that is never too large.

    Differences are exact. Their squares and sums are so without scaling, being multiples of ¼ below 2²⁰, and otherwise
    wrong by less than 4 u.
    """
    return 1.0 if scale == 1.0 else BELOW_ROUNDING / (scale * scale)


@part()
def _list_near(centers, halves, farthest, first, last, k0, k1, k2, k3, unit, near):
    """List which of some cells a colour may be nearer to than what is closest; return how many. No jump to foretell."""
    n_near = np.uint64(0)
    for c in range(np.uint64(first), np.uint64(last)):
        near[n_near] = c
        n_near += np.uint64(_least_distance(centers, halves, c, k0, k1, k2, k3) * unit < farthest[c])
    return np.int64(n_near)


@part()
def _least_distance(centers, halves, i, k0, k1, k2, k3):
    """Squared distance from a colour to a box, both scaled."""
    zero = np.float32(0)
    d0 = max(abs(k0 - centers[i, 0]) - halves[i, 0], zero)
    d1 = max(abs(k1 - centers[i, 1]) - halves[i, 1], zero)
    d2 = max(abs(k2 - centers[i, 2]) - halves[i, 2], zero)
    d3 = max(abs(k3 - centers[i, 3]) - halves[i, 3], zero)
    return d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3


@part()
def _lower_cell(r0, r1, r2, r3, counts, closest, start, stop, k0, k1, k2, k3):
    kind = closest.dtype.type
    farthest = kind(0)
    potential = np.int64(0)
    for i in range(np.uint64(start), np.uint64(stop)):
        closest[i] = min(closest[i], kind(_squared_distance(r0[i], r1[i], r2[i], r3[i], k0, k1, k2, k3)))
    for i in range(np.uint64(start), np.uint64(stop)):
        farthest = max(farthest, closest[i])
        potential += counts[i] * np.int64(closest[i])
    return farthest, potential


@part()
def _gain_of_cell(r0, r1, r2, r3, counts, closest, start, stop, k0, k1, k2, k3, lowered):
    """Return by how much a colour would lower a cell's potential; `lowered` is work space.

    Of a cell's hundred colours, up to half would be the last ones of loops over whole vectors, done one by one: so the
    vectors go on past them, and what they find there is replaced by 0.
    """
    kind = closest.dtype.type
    gain = np.int64(0)
    for first in range(start, stop, STRETCH):
        n = min(stop - first, STRETCH)
        n_lanes = min((n + LANES - 1) // LANES * LANES, closest.size - first)
        for j in range(n_lanes):
            u = np.uint64(j)
            i = np.uint64(first) + u
            distance = kind(_squared_distance(r0[i], r1[i], r2[i], r3[i], k0, k1, k2, k3))
            lowered[u] = max(kind(closest[i] - distance), kind(0))  # Numba subtracts int32 in int64
        for j in range(LANES):
            lowered[np.uint64(n) + np.uint64(j)] = 0
        for j in range(n_lanes):
            u = np.uint64(j)
            gain += counts[np.uint64(first) + u] * np.int64(lowered[u])
    return gain


@part()
def _squared_distance(x0, x1, x2, x3, k0, k1, k2, k3):
    # In int64, as Numba adds int32, of which LLVM computes as much as the caller keeps.
    d0, d1 = np.int32(np.int32(x0) - k0), np.int32(np.int32(x1) - k1)
    d2, d3 = np.int32(np.int32(x2) - k2), np.int32(np.int32(x3) - k3)
    return d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3


@part()
def _lower_all(channels, closest, place):
    kind = closest.dtype.type
    r0, r1, r2, r3 = channels[0], channels[1], channels[2], channels[3]
    k0, k1, k2, k3 = r0[place], r1[place], r2[place], r3[place]
    for i in range(np.uint64(closest.size)):
        closest[i] = min(closest[i], kind(_squared_distance(r0[i], r1[i], r2[i], r3[i], k0, k1, k2, k3)))


@part()
def _left_by(channels, weights, closest, place):
    """Return the potential that would be left if a colour were chosen."""
    kind = closest.dtype.type
    r0, r1, r2, r3 = channels[0], channels[1], channels[2], channels[3]
    k0, k1, k2, k3 = r0[place], r1[place], r2[place], r3[place]
    left = np.int64(0)
    for i in range(np.uint64(closest.size)):
        distance = kind(_squared_distance(r0[i], r1[i], r2[i], r3[i], k0, k1, k2, k3))
        left += weights[i] * np.int64(min(closest[i], distance))
    return left


@part()
def _place_of(weights, closest, target):
    """Return the first colour at which the running potential exceeds a target, or the last that adds to it."""
    running, last = np.int64(0), 0
    for i in range(closest.size):
        if closest[i] > 0:
            last = i
            running += weights[i] * np.int64(closest[i])
            if np.float64(running) > target:
                break
    return last


@part(inline=True)
def _centroid(centroids, run, k, n_clusters):
    """Return a centroid and its number; past the end the last one, which isn't nearer than itself."""
    j = min(k, n_clusters - 1)
    return centroids[run, j, 0], centroids[run, j, 1], centroids[run, j, 2], centroids[run, j, 3], np.float64(j)


@part()
def _compare(rows, start, n, a, b, c, d, room):
    """Take four centroids into account in the least distance of each colour of a block, and in whose that is."""
    r0, r1, r2, r3 = rows[0], rows[1], rows[2], rows[3]
    for j in range(n):
        i = np.uint64(j)
        x = r0[start + i], r1[start + i], r2[start + i], r3[start + i]
        found = _nearer(x, b, _nearer(x, a, (room[i], room[np.uint64(BLOCK) + i])))
        room[i], room[np.uint64(BLOCK) + i] = _nearer(x, d, _nearer(x, c, found))


@part()
def _nearer(x, centroid, found):
    least, nearest = found
    d0, d1, d2, d3 = x[0] - centroid[0], x[1] - centroid[1], x[2] - centroid[2], x[3] - centroid[3]
    distance = ((d0 * d0 + d1 * d1) + d2 * d2) + d3 * d3
    return min(distance, least), centroid[4] if distance < least else nearest


@part()
def _add_block(rows, weights, start, n, room, sums):
    r0, r1, r2, r3 = rows[0], rows[1], rows[2], rows[3]
    for j in range(n):
        i = start + np.uint64(j)
        k, weight = np.uint64(room[np.uint64(BLOCK + j)]), weights[i]
        sum0, sum1 = sums[k, 0] + weight * r0[i], sums[k, 1] + weight * r1[i]
        sum2, sum3, total = sums[k, 2] + weight * r2[i], sums[k, 3] + weight * r3[i], sums[k, 4] + weight
        sums[k, 0], sums[k, 1], sums[k, 2], sums[k, 3], sums[k, 4] = sum0, sum1, sum2, sum3, total


@part()
def _cell_of(sums, total, target):
    """Return the first cell up to which the running potential exceeds a target, or the last that adds to it."""
    is_reached = np.float64(total) > target
    low, high = 0, sums.size - 1
    while low < high:
        middle = (low + high) // 2
        if np.float64(sums[middle]) > target if is_reached else sums[middle] == total:
            high = middle
        else:
            low = middle + 1
    return low


@part()
def _best_cut(coordinates, moments, order, edges, total, table, cut, lower_part):
    """Find the axis and coordinate above which a box is best cut off; return by how much that lowers the error."""
    n_axes, _, n_moments = table.shape
    for axis in range(n_axes):
        for value in range(VALUES):
            for f in range(n_moments):
                table[axis, value, f] = 0
    for j in range(edges[0], edges[1]):
        i = order[j]
        for axis in range(n_axes):
            for f in range(n_moments):
                table[axis, coordinates[i, axis], f] += moments[i, f]
    best = -np.inf
    for axis in range(n_axes):
        for f in range(n_moments):
            lower_part[f] = 0
        for value in range(VALUES - 1):
            if table[axis, value, 0] == 0:
                continue
            for f in range(n_moments):
                lower_part[f] += table[axis, value, f]
            if lower_part[0] == total[0]:
                break
            explained = _explained(lower_part, total)
            if explained > best:
                best = explained
                cut[0], cut[1] = axis, value
    whole = 0.0
    for f in range(1, n_moments):
        whole += np.float64(total[f]) * np.float64(total[f]) / np.float64(total[0])
    return best - whole


@part()
def _explained(some, total):
    """Squares of the means of some and the rest, times their pixels: what is left of the error if this is taken off."""
    n_some, n_rest = np.float64(some[0]), np.float64(total[0] - some[0])
    explained = 0.0
    for f in range(1, some.size):
        of_some, of_rest = np.float64(some[f]), np.float64(total[f] - some[f])
        explained += of_some * of_some / n_some + of_rest * of_rest / n_rest
    return explained


@part()
def _divide(coordinates, order, edges, cut):
    """Move a box's items up to the cut before the others; return where those begin."""
    low, high = edges[0], edges[1] - 1
    while low <= high:
        if coordinates[order[low], cut[0]] <= cut[1]:
            low += 1
        else:
            order[low], order[high] = order[high], order[low]
            high -= 1
    return low
