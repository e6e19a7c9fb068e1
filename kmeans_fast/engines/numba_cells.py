"""The Lloyd iteration on cells of colours, compiled: work in proportion to what changes.

`relabel` brings labels and sums from one set of centroids to the next. A region's list of candidates is made from all
centroids, a cell's from its region's, and both are kept while the centroids' moves have not used up what they have in
reserve, as in [1]_. A cell's colours are compared with its candidates when the lead of their owners over all others
may be lost. Sums are integers, corrected where a label changes, so they stay exact.

How much of its lead a cell may lose is bounded by more than the length of the moves. Let o be the middle of the box
around its colours, h half its size, and x one of them. When a centroid c moves by d, its squared distance to x grows by

    ‖x−c−d‖² − ‖x−c‖² = d·(2c + d) − 2 o·d − 2 (x−o)·d,

of which the first two terms are known and the last is at most 2 Σ h·|d|. The lead of owner a over rival b shrinks at
most by a's growth plus that bound, less b's growth plus that bound: a cell whose centroids go the same way, or away
from the border between them, sleeps on.

All this is about colours and centroids scaled to below 2⁸; see `layout.Cells.scale`. It is rounded to the safe side.
float32 has u = 2⁻²⁴; sums and products of a few terms are wrong by a few u of the squares they are made of, and are
taken for better or worse by at least 16 u. What float32 can't decide is settled in float64, in the textbook's order,
with ties to the lowest index.

References
----------
.. [1] C. Elkan, "Using the triangle inequality to accelerate k-means", ICML 2003.
"""

import math
from typing import Any

import numpy as np

from kmeans_fast.engines.numba_dense import ROUNDING
from kmeans_fast.engines.numba_jit import kernel, part

# How much farther than the nearest centroid a candidate may be, in steps of a channel. Longer lists last but cost
# more to compare with.
CELL_SKIN = np.float32(1.0)
REGION_SKIN = np.float32(8.0)

# 64 u and 32 u: the error of squared distances and of growths, relative to the squares, with a factor to spare.
SQUARED_ERROR = np.float32(2.0**-18)
GROWTH_ERROR = 2.0**-19
# For the handful of roundings of a quotient, a root or a difference.
SHRINK = np.float32(1 - 1e-5)
# What float64 may lose in a million subtractions.
TINY = 2e-5
# A lead in squared distance below which float32's subnormal numbers might be involved.
SMALLEST_LEAD = np.float32(1e-12)
UNLIMITED = np.float32(1e9)
FAR = np.float32(1e30)

# Colours are compared so many at a time, in rows of one array: at fixed distances in it, LLVM knows without checks
# that they don't overlap. 16 more than those, so that rows aren't a whole number of pages apart.
COLORS_AT_ONCE = 512
ROW = COLORS_AT_ONCE + 16
X0, X1, X2, X3, BEST, SECOND, NEAREST, LEAD, HELD, EDGE = (i * ROW for i in range(10))
LANES = 16
# Candidates that are compared in one pass over a stretch.
GROUP = 4

# LLVM may fuse, and drop NaN checks; there is no NaN.
FILTER = {"contract", "nnan", "nsz"}


def relabel(
    cells: Any,  # in
    bounds: Any,  # in/out
    before: Any,  # in
    centroids: Any,  # in
    first_region: int,
    last_region: int,
    labels: Any,  # in/out
    sums: Any,  # in/out
    kept: list[Any],  # in/out
) -> int:
    """Label the colours of some regions; return how many were looked at.

    Takes `cells` and `bounds` as in `layout`, `before` and `centroids` (K, 4) float64, the centroids of the last call
    and of this one, the regions from `first_region` up to `last_region`, and `labels` (N,). Adds to `sums` (K, 5) int64
    by how much the sums of channels and counts change. `kept` is an empty list at first, and is handed in again with
    the same arguments: in late iterations, laying them out would take longer than all else.
    """
    if not kept:
        work = _work_space(len(centroids))
        kept.append(_relabel.prepared(cells, before, centroids, first_region, last_region, bounds, labels, sums, work))
    n_looked: int = kept[0]()
    return n_looked


def _work_space(n_clusters: int) -> tuple[Any, ...]:
    """Make work space. Compiling what makes arrays would take Numba a tenth of all its time."""
    return (
        np.zeros((2, n_clusters, 4)),
        np.zeros((10, n_clusters + LANES), np.float32),
        np.zeros((n_clusters, 8), np.float32),
        np.zeros(n_clusters),
        np.zeros((n_clusters + GROUP, 8), np.float32),
        room_for_colors(),
        np.zeros(COLORS_AT_ONCE + 1, np.int32),
        *np.arange(3 * (n_clusters + 1), dtype=np.int32).reshape(3, -1),
    )


def room_for_colors() -> Any:
    """Make the rows for a stretch of colours.

    `EDGE` is −1 for so many colours, and `UNLIMITED` after that: the greater of it and of what was found for each lane
    makes those past the last colour look undisturbed.
    """
    room = np.zeros(EDGE + ROW, np.float32)
    room[EDGE : EDGE + COLORS_AT_ONCE], room[EDGE + COLORS_AT_ONCE :] = -1, UNLIMITED
    return room


@kernel()
def _relabel(
    cells, unscaled_before, centroids, first_region, last_region,  # in
    bounds, labels, sums,  # in/out
    work,  # arrays for what lasts as long as the call
):  # fmt: skip
    # Unpacked once, and hardly sliced below: handing on a tuple of arrays or making a view costs as much as a cell.
    scaled, rows, steps, moves, table, room, found, everyone, source, chosen = work
    colors, channels, counts, (starts, centers, halves), (region_starts, region_centers, region_halves), scale = cells
    before, now = scaled[0], scaled[1]
    cell_lists, region_lists, lead = bounds
    candidates, sizes, reference, reserve = cell_lists
    region_candidates, region_sizes, region_reference, region_reserve = region_lists
    r0, r1, r2, r3 = channels[0], channels[1], channels[2], channels[3]
    n_clusters = centroids.shape[0]
    unit = np.float32(scale)
    for k in range(n_clusters):
        for f in range(4):
            before[k, f], now[k, f] = unscaled_before[k, f] * scale, centroids[k, f] * scale
    pad, fastest = _find_steps(before, now, steps, moves)
    k0, k1, k2, k3, norms = rows[0], rows[1], rows[2], rows[3], rows[4]
    g0, g1, g2, g3, reserves = rows[5], rows[6], rows[7], rows[8], rows[9]
    _gather(now, everyone, n_clusters, k0, k1, k2, k3)
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
                lead[c] = _shorten(lead[c], candidates, sizes, centers, halves, c, steps, pad)
            reserve[c] -= moves[reference[c]] + fastest_here
            # A cell's list must stay a part of its region's: what left that must not come back unnoticed.
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
                    _gather(now, source, n_source, g0, g1, g2, g3)
                reference[c], reserve[c], n_own = _choose(
                    g0, g1, g2, g3, source, n_source, centers, halves, c, CELL_SKIN, norms, reserves, chosen
                )
                # A list without a new member leaves what is known of the colours as it is.
                known = lead[c] > 0 and _includes(candidates, sizes, c, chosen, n_own)
                sizes[c] = _keep(chosen, n_own, candidates, c)
                if known:
                    continue
            if n_own == 1:
                lead[c] = UNLIMITED
                for i in range(starts[c], starts[c + 1]):
                    if labels[i] != chosen[0]:
                        _move(colors, counts, i, chosen[0], labels, sums)
                continue
            limit = _localize(now, chosen, n_own, centers, halves, c, table)
            least = UNLIMITED
            for start in range(starts[c], starts[c + 1], COLORS_AT_ONCE):
                n = min(starts[c + 1] - start, COLORS_AT_ONCE)
                least_here, least_held = _compare(
                    r0, r1, r2, r3, labels, start, n, unit, centers[c, 0], centers[c, 1], centers[c, 2], centers[c, 3],
                    n_own, table, room,
                )  # fmt: skip
                if least_held <= limit:
                    for j in range(_list_below(room, np.uint64(HELD), n, limit, found)):
                        place = np.uint64(start) + np.uint64(found[j])
                        label = np.int32(room[NEAREST + found[j]])
                        if room[LEAD + found[j]] <= limit:
                            label = _settle(colors, place, chosen, n_own, centroids)
                        if labels[place] != label:
                            _move(colors, counts, place, label, labels, sums)
                least = min(least, least_here)
            # With more candidates than a list holds, all are compared again each time.
            lead[c] = (least - limit) * SHRINK if sizes[c] > 0 else np.float32(0)
            n_compared += starts[c + 1] - starts[c]
    return n_compared


@part(inline=True)
def _find_steps(before, now, steps, moves):
    """Write how each centroid moved: d and d·(2c + d) to `steps` (K, 8), a vector each, and its length, or more.

    Returns a bound of rounding and the longest move.
    """
    scale, fastest = 512.0, 0.0
    for k in range(now.shape[0]):
        square = growth = 0.0
        for f in range(4):
            step, total = now[k, f] - before[k, f], now[k, f] + before[k, f]
            steps[k, f] = step
            square += step * step
            growth += step * total
            scale = max(scale, abs(total))
        steps[k, 4] = growth
        moves[k] = math.sqrt(square) * (1 + 1e-9)
        fastest = max(fastest, moves[k])
    return np.float32(GROWTH_ERROR * scale), fastest


@part()
def _gather(centroids, source, n_source, g0, g1, g2, g3):
    """Write the coordinates of the centroids in `source` side by side."""
    for j in range(n_source):
        k = np.uintp(source[j])
        g0[j], g1[j], g2[j], g3[j] = centroids[k, 0], centroids[k, 1], centroids[k, 2], centroids[k, 3]
    for j in range(n_source, n_source + LANES - 1):
        g0[j] = g1[j] = g2[j] = g3[j] = np.float32(1e15)


@part(inline=True)
def _copy_list(lists, sizes, i, target):
    for j in range(sizes[i]):
        target[j] = lists[i, j]
    return np.int64(sizes[i])


@part(inline=True)
def _copy(values, n, target):
    for j in range(n):
        target[j] = values[j]
    return n


@part(inline=True)
def _keep(chosen, n_chosen, lists, i):
    """Copy a list if there is room for it; return its size, or 0."""
    if n_chosen > lists.shape[1]:
        return 0
    for j in range(n_chosen):
        lists[i, j] = chosen[j]
    return n_chosen


@part(inline=True)
def _includes(lists, sizes, i, new, n_new):
    """Say whether all of `new` are in list i; both ascend."""
    j = 0
    for m in range(n_new):
        while j < sizes[i] and lists[i, j] < new[m]:
            j += 1
        if j == sizes[i] or lists[i, j] != new[m]:
            return False
    return True


@part(inline=True)
def _fastest(moves, fastest, lists, sizes, i):
    fastest_here = 0.0
    for j in range(sizes[i]):
        fastest_here = max(fastest_here, moves[lists[i, j]])
    return fastest_here if sizes[i] > 0 else fastest


@part(fastmath=FILTER)
def _shorten(lead, lists, sizes, centers, halves, i, steps, pad):
    """Return what is left, at least, of the lead of box i's owners after a step of the centroids.

    `pad` times Σ |d| covers the rounding of o·d and d·(2c + d), whose terms are less than 2⁹, or twice a coordinate,
    times |d|.
    """
    two = np.float32(2)
    o0, o1, o2, o3 = two * centers[i, 0], two * centers[i, 1], two * centers[i, 2], two * centers[i, 3]
    h0, h1 = two * halves[i, 0] + pad, two * halves[i, 1] + pad
    h2, h3 = two * halves[i, 2] + pad, two * halves[i, 3] + pad
    loss = most_grown = most_shrunk = -UNLIMITED
    for j in range(sizes[i]):
        k = np.uintp(lists[i, j])
        d0, d1, d2, d3 = steps[k, 0], steps[k, 1], steps[k, 2], steps[k, 3]
        growth = steps[k, 4] - (o0 * d0 + o1 * d1 + o2 * d2 + o3 * d3)
        spread = h0 * abs(d0) + h1 * abs(d1) + h2 * abs(d2) + h3 * abs(d3)
        grown, shrunk = spread + growth, spread - growth
        loss = max(loss, max(grown + most_shrunk, shrunk + most_grown))
        most_grown, most_shrunk = max(most_grown, grown), max(most_shrunk, shrunk)
    return (lead - loss - np.float32(1e-6) * (abs(most_grown) + abs(most_shrunk))) * SHRINK


@part(inline=True)
def _choose(g0, g1, g2, g3, source, n_source, centers, halves, i, skin, norms, reserves, chosen):
    """Choose the candidates of box i from those in `source`.

    Returns the one nearest to the center, the reserve of the others, and the number that were written to `chosen`.
    """
    least = _find_norms(g0, g1, g2, g3, n_source, centers[i, 0], centers[i, 1], centers[i, 2], centers[i, 3], norms)
    nearest = np.uintp(0)
    while norms[nearest] > least:
        nearest += np.uintp(1)
    reserve = _find_reserves(
        g0, g1, g2, g3, n_source, nearest, halves[i, 0], halves[i, 1], halves[i, 2], halves[i, 3], skin, norms, reserves
    )
    n_chosen = np.uintp(0)
    for m in range(n_source):
        j = np.uintp(m)
        chosen[n_chosen] = source[j]
        n_chosen += np.uintp(reserves[j] <= skin)
    return source[nearest], np.float64(reserve), np.int64(n_chosen)


@part(inline=True)
def _rank(value):
    """Return an integer of the order of a number that isn't below 0: of these LLVM finds the least by vectors."""
    return np.float32(value).view(np.int32)


@part(inline=True)
def _ranked(rank):
    return np.int32(rank).view(np.float32)


@part(fastmath=FILTER)
def _find_norms(g0, g1, g2, g3, n, o0, o1, o2, o3, norms):
    """Write the squared distances from a center; return the least."""
    least = _rank(np.inf)
    for i in range((n + LANES - 1) // LANES * LANES):
        j = np.uint64(i)
        d0, d1, d2, d3 = g0[j] - o0, g1[j] - o1, g2[j] - o2, g3[j] - o3
        norm = d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3
        norms[j] = norm
        least = min(least, _rank(norm))
    return _ranked(least)


@part(fastmath=FILTER)
def _find_reserves(g0, g1, g2, g3, n, nearest, h0, h1, h2, h3, skin, norms, reserves):
    """Write how much farther than the nearest each centroid is, at least, from any point of a box about the center.

    For centroids z and c, ‖x−c‖² − ‖x−z‖² is linear in x and least at a corner: ‖c‖² − ‖z‖² − 2 Σ |c−z|·h about the
    center. Divided by the most that ‖x−c‖ + ‖x−z‖ can be, it is a lower bound of the difference of the distances.
    Returns the least that is above the skin. Rounding coordinates below 2⁸ (or else far from all others) to float32
    moves them by 2⁻¹⁷, and the lead by less than 0.03, which is SQUARED_ERROR times 8192.
    """
    z0, z1, z2, z3 = g0[nearest], g1[nearest], g2[nearest], g3[nearest]
    square = h0 * h0 + h1 * h1 + h2 * h2 + h3 * h3
    norm = norms[nearest]
    span = np.float32(math.sqrt(norm)) + np.float32(2) * np.float32(math.sqrt(square))
    offset = norm + SQUARED_ERROR * (norm + square + np.float32(8192))
    keep = np.float32(1) - SQUARED_ERROR
    least = _rank(UNLIMITED)
    for i in range((n + LANES - 1) // LANES * LANES):
        j = np.uint64(i)
        corner = abs(g0[j] - z0) * h0 + abs(g1[j] - z1) * h1 + abs(g2[j] - z2) * h2 + abs(g3[j] - z3) * h3
        surplus = norms[j] * keep - offset - np.float32(2) * corner
        reserve = SHRINK * surplus / (np.float32(math.sqrt(norms[j])) + span)
        reserves[j] = reserve
        least = min(least, _rank(reserve if reserve > skin else UNLIMITED))
    reserves[nearest] = np.float32(-1)
    return _ranked(least)


@part(inline=True)
def _localize(centroids, own, n_own, centers, halves, i, table):
    """Write a row for each of a cell's candidates: −2 times its coordinates about the center, squared norm, index.

    Some more, too far away to matter, fill the last group. Returns the lead that float32 can't be wrong about.
    """
    o0, o1 = np.float64(centers[i, 0]), np.float64(centers[i, 1])
    o2, o3 = np.float64(centers[i, 2]), np.float64(centers[i, 3])
    h0, h1, h2, h3 = halves[i, 0], halves[i, 1], halves[i, 2], halves[i, 3]
    minus_two = np.float32(-2)
    largest = np.float32(0)
    for j in range(n_own):
        u, k = np.uintp(j), np.uintp(own[j])
        d0, d1 = np.float32(centroids[k, 0] - o0), np.float32(centroids[k, 1] - o1)
        d2, d3 = np.float32(centroids[k, 2] - o2), np.float32(centroids[k, 3] - o3)
        norm = d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3
        table[u, 0], table[u, 1], table[u, 2], table[u, 3] = (
            minus_two * d0,
            minus_two * d1,
            minus_two * d2,
            minus_two * d3,
        )
        table[u, 4], table[u, 5] = norm, np.float32(own[j])
        largest = max(largest, norm)
    for j in range(n_own, n_own + GROUP - 1):
        u = np.uintp(j)
        table[u, 0] = table[u, 1] = table[u, 2] = table[u, 3] = np.float32(0)
        table[u, 4] = FAR
    return ROUNDING * (largest + h0 * h0 + h1 * h1 + h2 * h2 + h3 * h3) + SMALLEST_LEAD


@part(inline=True)
def _compare(r0, r1, r2, r3, owners, start, n, unit, o0, o1, o2, o3, n_own, table, room):
    """Compare some colours of a cell, whose center is o, with its candidates.

    Writes for each whose the least of ‖c‖² − 2·x·c is in float32, by how much that candidate leads, and the same, or −1
    where it isn't the owner; returns the least of both leads.
    """
    # Up to where there are whole vectors; of the lanes that are none of the cell's colours nothing is used.
    n_lanes = min((n + LANES - 1) // LANES * LANES, owners.size - start)
    if n_own <= GROUP:
        return _compare_few(r0, r1, r2, r3, owners, start, n, n_lanes, unit, o0, o1, o2, o3, table, room)
    _compare_first(r0, r1, r2, r3, start, n_lanes, unit, o0, o1, o2, o3, table, room)
    for j in range(GROUP, n_own, GROUP):
        _compare_more(room, n_lanes, table, j)
    return _find_leads(owners, start, n, n_lanes, room)


@part(fastmath=FILTER)
def _compare_few(r0, r1, r2, r3, owners, start, n, n_lanes, unit, o0, o1, o2, o3, table, room):
    a, b, c, d = _row(table, 0), _row(table, 1), _row(table, 2), _row(table, 3)
    first, edge = np.uint64(start), np.uint64(EDGE + COLORS_AT_ONCE - n)
    least = least_held = _rank(UNLIMITED)
    for i in range(n_lanes):
        u = np.uint64(i)
        j = first + u
        x0, x1, x2, x3 = _about_center(r0, r1, r2, r3, j, unit, o0, o1, o2, o3)
        best, second, nearest = _best_of_four(x0, x1, x2, x3, a, b, c, d)
        lead, held = _leads(best, second, nearest, np.float32(owners[j]), room[edge + u])
        room[NEAREST + u], room[LEAD + u], room[HELD + u] = nearest, lead, held
        least, least_held = min(least, _rank(lead)), min(least_held, _rank(held))
    return _ranked(least), _ranked(least_held)


@part(fastmath=FILTER)
def _compare_first(r0, r1, r2, r3, start, n, unit, o0, o1, o2, o3, table, room):
    a, b, c, d = _row(table, 0), _row(table, 1), _row(table, 2), _row(table, 3)
    first = np.uint64(start)
    for i in range(n):
        u = np.uint64(i)
        j = first + u
        x0, x1, x2, x3 = _about_center(r0, r1, r2, r3, j, unit, o0, o1, o2, o3)
        best, second, nearest = _best_of_four(x0, x1, x2, x3, a, b, c, d)
        room[X0 + u], room[X1 + u], room[X2 + u], room[X3 + u] = x0, x1, x2, x3
        room[BEST + u], room[SECOND + u], room[NEAREST + u] = best, second, nearest


@part(fastmath=FILTER)
def _compare_more(room, n, table, j):
    a, b, c, d = _row(table, j), _row(table, j + 1), _row(table, j + 2), _row(table, j + 3)
    for i in range(n):
        u = np.uint64(i)
        best, second, nearest = _best_of_four(room[X0 + u], room[X1 + u], room[X2 + u], room[X3 + u], a, b, c, d)
        earlier = room[BEST + u]
        room[NEAREST + u] = nearest if best < earlier else room[NEAREST + u]
        room[SECOND + u] = min(min(second, room[SECOND + u]), max(best, earlier))
        room[BEST + u] = min(best, earlier)


@part(inline=True)
def _about_center(r0, r1, r2, r3, j, unit, o0, o1, o2, o3):
    """Return a colour about the center of its cell, scaled: exact, fused or not."""
    x0, x1 = np.float32(r0[j]) * unit - o0, np.float32(r1[j]) * unit - o1
    return x0, x1, np.float32(r2[j]) * unit - o2, np.float32(r3[j]) * unit - o3


@part(inline=True)
def _row(table, j):
    u = np.uintp(j)
    return table[u, 0], table[u, 1], table[u, 2], table[u, 3], table[u, 4], table[u, 5]


@part(fastmath=FILTER)
def _best_of_four(x0, x1, x2, x3, a, b, c, d):
    """Compare a colour with four candidates: the least value, the second, and whose the least is."""
    value_a = a[4] + x0 * a[0] + x1 * a[1] + x2 * a[2] + x3 * a[3]
    value_b = b[4] + x0 * b[0] + x1 * b[1] + x2 * b[2] + x3 * b[3]
    value_c = c[4] + x0 * c[0] + x1 * c[1] + x2 * c[2] + x3 * c[3]
    value_d = d[4] + x0 * d[0] + x1 * d[1] + x2 * d[2] + x3 * d[3]
    ab, cd = min(value_a, value_b), min(value_c, value_d)
    nearest_ab, nearest_cd = b[5] if value_b < value_a else a[5], d[5] if value_d < value_c else c[5]
    second = min(max(ab, cd), min(max(value_a, value_b), max(value_c, value_d)))
    return min(ab, cd), second, nearest_cd if cd < ab else nearest_ab


@part(fastmath=FILTER)
def _find_leads(owners, start, n, n_lanes, room):
    first, edge = np.uint64(start), np.uint64(EDGE + COLORS_AT_ONCE - n)
    least = least_held = _rank(UNLIMITED)
    for i in range(n_lanes):
        u = np.uint64(i)
        best, second, nearest = room[BEST + u], room[SECOND + u], room[NEAREST + u]
        lead, held = _leads(best, second, nearest, np.float32(owners[first + u]), room[edge + u])
        room[LEAD + u], room[HELD + u] = lead, held
        least, least_held = min(least, _rank(lead)), min(least_held, _rank(held))
    return _ranked(least), _ranked(least_held)


@part(fastmath=FILTER)
def _leads(best, second, nearest, owner, edge):
    lead = max(second - best, edge)
    return lead, max(lead if nearest == owner else np.float32(-1), edge)


@part(inline=True)
def _list_below(room, row, n, limit, found):
    """List which of n numbers in a row aren't above a limit; return how many. Jumps couldn't be foretold."""
    n_found = np.uint64(0)
    for i in range(np.uint64(n)):
        found[n_found] = i
        n_found += np.uint64(room[row + i] <= limit)
    return np.int64(n_found)


@part()
def _settle(colors, i, own, n_own, centroids):
    """Find colour i's nearest centroid as the textbook does."""
    x0, x1 = np.float64(colors[i, 0]), np.float64(colors[i, 1])
    x2, x3 = np.float64(colors[i, 2]), np.float64(colors[i, 3])
    best = np.inf
    label = own[0]
    for j in range(n_own):
        k = np.uintp(own[j])
        d0, d1, d2, d3 = x0 - centroids[k, 0], x1 - centroids[k, 1], x2 - centroids[k, 2], x3 - centroids[k, 3]
        distance = ((d0 * d0 + d1 * d1) + d2 * d2) + d3 * d3
        label = own[j] if distance < best else label
        best = min(best, distance)
    return label


@part()
def _move(colors, counts, i, label, labels, sums):
    """Give colour i another label, and correct the sums of both clusters."""
    old, count = labels[i], counts[i]
    for f in range(4):
        value = count * np.int64(colors[i, f])
        sums[old, f] -= value
        sums[label, f] += value
    sums[old, 4] -= count
    sums[label, 4] += count
    labels[i] = label


@kernel()
def enclose(
    colors,  # in
    counts,  # in
    starts,  # in
    channels,  # out
    low,  # out
    high,  # out
    moments,  # out
):
    """Write of colours (n, C), those of some cells, the channels, each cell's box, and its sums.

    `starts` (m + 1,) says where each cell's colours are in `channels` (4, N); the first are those of `colors`. Writes
    the least and largest values to `low` and `high` (m, 4), and the sums of counts, of channels and of squares to
    `moments` (m, 6).
    """
    first = starts[0]
    for c in range(low.shape[0]):
        start, stop = np.uint64(starts[c] - first), np.uint64(starts[c + 1] - first)
        total = squares = np.int64(0)
        for i in range(start, stop):
            total += counts[i]
        moments[c, 0] = total
        for f in range(colors.shape[1]):
            row = channels[f]
            least = most = colors[start, f]
            total = np.int64(0)
            for i in range(start, stop):
                value = colors[i, f]
                row[i + np.uint64(first)] = value
                least, most = min(least, value), max(most, value)
                product = counts[i] * np.int64(value)
                total += product
                squares += product * np.int64(value)
            low[c, f], high[c, f], moments[c, f + 1] = least, most, total
        moments[c, 5] = squares
