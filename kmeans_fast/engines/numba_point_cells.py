"""Points sorted into cells, and the Lloyd iteration on them, compiled.

As `numba_cells` does for colours, but for points of any numbers, of which only labels are kept: each point stands for
itself, and sums are made from the points in their own order (`numba_dense.add`). Bounds live in coordinates that are
shifted and scaled so that the points lie between −128 and 128 steps, where the bounds of `numba_cells` are sound; what
these can't decide is compared as the points are, by the textbook.

A point's place in its cell is kept in float32, relative to the cell's center. The difference is made in
float64 and rounded once, so it is wrong by 2⁻²⁴ of itself, which is what `_filter_block` of `numba_dense` reckons with.
"""

from typing import Any

import numpy as np

from kmeans_fast.engines.numba_cells import (
    CELL_SKIN,
    COLORS_AT_ONCE,
    GROUP,
    HELD,
    LANES,
    LEAD,
    NEAREST,
    REGION_SKIN,
    SHRINK,
    TINY,
    UNLIMITED,
    _choose,
    _compare,
    _copy,
    _copy_list,
    _fastest,
    _find_steps,
    _gather,
    _includes,
    _keep,
    _list_below,
    _localize,
    _shorten,
    room_for_colors,
)
from kmeans_fast.engines.numba_jit import kernel, part


@kernel()
def find_keys(
    points,  # in
    origin,  # in
    scale,
    table,  # in
    keys,  # out
    counts,  # in/out
):
    """Write the key (n,) uint32 of each point's cell; add to how many points have each.

    A point's steps, (x − origin)·scale + 128, are cut off to whole ones; `table` (D, 256) uint32 says what each adds to
    a key.
    """
    for i in range(points.shape[0]):
        key = np.uint32(0)
        for f in range(points.shape[1]):
            key |= table[f, _whole_steps((np.float64(points[i, f]) - origin[f]) * scale)]
        keys[i] = key
        counts[key] += 1


@part(inline=True)
def _whole_steps(step):
    return min(max(int(step + 128.0), 0), 255)


@kernel()
def place(
    points,  # in
    origin,  # in
    scale,
    bits,
    keys,  # in
    first,
    ends,  # in/out
    order,  # in/out
    local,  # in/out
):
    """Write the number of each point, from `first` on, and its place to the next free one of its cell, told by `ends`.

    Places, (4, N) float32, are relative to the cell's center; a cell is 2 to the `bits` steps wide. Written in the
    order of the points, they go to a few places in the cache; read in that of the cells, each would come from memory.
    """
    half = 2.0**bits / 2 - 128.0
    for j in range(keys.size):
        i, key = np.uint64(j), keys[j]
        end = np.uint64(ends[key])
        order[end] = first + j
        ends[key] += 1
        for f in range(points.shape[1]):
            step = (np.float64(points[i, f]) - origin[f]) * scale
            local[f, end] = np.float32(step - (np.float64(_whole_steps(step) >> bits << bits) + half))


@kernel()
def find_boxes(
    starts,  # in
    first_cell,
    last_cell,
    local,  # in
    halves,  # out
):
    """Write how far points in some cells are from the centers.

    That is rounded up by far more than a point's place is rounded.
    """
    for c in range(first_cell, last_cell):
        for f in range(halves.shape[1]):
            farthest = np.float32(0)
            for i in range(starts[c], starts[c + 1]):
                farthest = max(farthest, abs(local[f, i]))
            halves[c, f] = farthest * np.float32(1.000001)


def relabel(
    structure: Any,  # in
    bounds: Any,  # in/out
    points: Any,  # in
    before: Any,  # in
    steps: Any,  # in
    centroids: Any,  # in
    first_region: int,
    last_region: int,
    owners: Any,  # in/out
    labels: Any,  # in/out
    changed: Any,  # in/out
) -> int:
    """Label the points of some regions; return how many were looked at.

    Takes `structure` and `bounds` as in `layout`, `points` (N, D), `before` and `steps` (K, 4) float64, the centroids
    of the last call and of this one in steps, and `centroids` (K, D) as they are. `owners` (N,) are the labels in the
    order of the cells, `labels` (N,) in that of the points; `changed` (M,) uint8 is set for each stretch of
    2¹⁶ points, in their own order, in which a label has changed.
    """
    n_clusters = len(centroids)
    work = (
        np.zeros((10, n_clusters + LANES), np.float32),
        np.zeros((n_clusters, 8), np.float32),
        np.zeros(n_clusters),
        np.zeros((n_clusters + GROUP, 8), np.float32),
        room_for_colors(),
        np.zeros(COLORS_AT_ONCE + 1, np.int32),
        *np.arange(3 * (n_clusters + 1), dtype=np.int32).reshape(3, -1),
    )
    looked_at: int = _relabel_points(
        structure, points, before, steps, centroids, first_region, last_region, bounds, owners, labels, changed, work
    )
    return looked_at


@kernel()
def _relabel_points(
    structure, points, before, steps, centroids, first_region, last_region,  # in
    bounds, owners, labels, changed,  # in/out
    work,  # arrays for what lasts as long as the call
):  # fmt: skip
    # See `_relabel` of `numba_cells` for what is done here, and why it is written like this.
    rows, step_rows, moves, table, room, found, everyone, source, chosen = work
    order, local, (starts, centers, halves), (region_starts, region_centers, region_halves) = structure
    cell_lists, region_lists, lead = bounds
    candidates, sizes, reference, reserve = cell_lists
    region_candidates, region_sizes, region_reference, region_reserve = region_lists
    r0, r1, r2, r3 = local[0], local[1], local[2], local[3]
    n_clusters = centroids.shape[0]
    pad, fastest = _find_steps(before, steps, step_rows, moves)
    k0, k1, k2, k3, norms = rows[0], rows[1], rows[2], rows[3], rows[4]
    g0, g1, g2, g3, reserves = rows[5], rows[6], rows[7], rows[8], rows[9]
    _gather(steps, everyone, n_clusters, k0, k1, k2, k3)
    zero, one = np.float32(0), np.float32(1)
    n_compared = 0
    for r in range(first_region, last_region):
        region_reserve[r] -= moves[region_reference[r]] + fastest
        renewed = region_sizes[r] == 0 or region_reserve[r] <= TINY
        if renewed:
            region_reference[r], region_reserve[r], n_chosen = _choose(
                k0, k1, k2, k3, everyone, n_clusters, region_centers, region_halves, r, REGION_SKIN,
                norms, reserves, chosen,
            )  # fmt: skip
            region_sizes[r] = _keep(chosen, n_chosen, region_candidates, r)
        fastest_here = _fastest(moves, fastest, region_candidates, region_sizes, r)
        n_source = 0
        for c in range(region_starts[r], region_starts[r + 1]):
            if sizes[c] > 1:
                lead[c] = _shorten(lead[c], candidates, sizes, centers, halves, c, step_rows, pad)
            reserve[c] -= moves[reference[c]] + fastest_here
            holds = sizes[c] > 0 and reserve[c] > TINY and not renewed
            if holds and lead[c] > 0:
                continue
            if holds:
                n_own = _copy_list(candidates, sizes, c, chosen)
            else:
                if n_source == 0:
                    n_source = _copy_list(region_candidates, region_sizes, r, source) or _copy(
                        everyone, n_clusters, source
                    )
                    _gather(steps, source, n_source, g0, g1, g2, g3)
                reference[c], reserve[c], n_own = _choose(
                    g0, g1, g2, g3, source, n_source, centers, halves, c, CELL_SKIN, norms, reserves, chosen
                )
                known = lead[c] > 0 and _includes(candidates, sizes, c, chosen, n_own)
                sizes[c] = _keep(chosen, n_own, candidates, c)
                if known:
                    continue
            if n_own == 1:
                lead[c] = UNLIMITED
                for i in range(starts[c], starts[c + 1]):
                    if owners[i] != chosen[0]:
                        _give(order, i, chosen[0], owners, labels, changed)
                continue
            limit = _localize(steps, chosen, n_own, centers, halves, c, table)
            least = UNLIMITED
            for start in range(starts[c], starts[c + 1], COLORS_AT_ONCE):
                n = min(starts[c + 1] - start, COLORS_AT_ONCE)
                least_here, least_held = _compare(
                    r0, r1, r2, r3, owners, start, n, one, zero, zero, zero, zero, n_own, table, room
                )
                if least_held <= limit:
                    for j in range(_list_below(room, np.uint64(HELD), n, limit, found)):
                        i = start + found[j]
                        label = np.int32(room[NEAREST + found[j]])
                        if room[LEAD + found[j]] <= limit:
                            label = _settle_point(points, order[i], chosen, n_own, centroids)
                        if owners[i] != label:
                            _give(order, i, label, owners, labels, changed)
                least = min(least, least_here)
            lead[c] = (least - limit) * SHRINK if sizes[c] > 0 else zero
            n_compared += starts[c + 1] - starts[c]
    return n_compared


@part()
def _settle_point(points, i, own, n_own, centroids):
    """Find point i's nearest centroid as the textbook does."""
    best = np.inf
    label = own[0]
    for j in range(n_own):
        k = own[j]
        distance = 0.0
        for f in range(points.shape[1]):
            difference = np.float64(points[i, f]) - centroids[k, f]
            distance += difference * difference
        label = k if distance < best else label
        best = min(best, distance)
    return label


@part(inline=True)
def _give(order, i, label, owners, labels, changed):
    """Give point i of the cells' order another label."""
    owners[i] = label
    labels[order[i]] = label
    changed[order[i] >> 16] = 1
