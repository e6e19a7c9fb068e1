"""The Lloyd iteration on cells of colours, compiled: work in proportion to what changes.

`update` brings labels and sums from one set of centroids to the next. A region's list of candidates is made from all
centroids, a cell's from its region's, and both are kept while the centroids' moves have not used up what they have in
reserve. A colour is looked at again once its cell's drift reaches its slack. Sums are integers, corrected where a label
changes, so they stay exact.

The bounds are those of Hamerly and of Elkan [1]_ [2]_, for a cell and its few candidates instead of a point and all
centroids: if the second nearest centroid is farther than the nearest by m, and the two have moved by a and b since, the
order still holds while a + b < m. All is rounded to the safe side: differences are made smaller by more than float32
arithmetic can be wrong (see `_filter_block` in `numba_dense` for that proof; here u·R² gets a factor of 64), and TINY
covers what float64 may lose in a million subtractions. What can't be decided like that is settled in float64, in the
textbook's order, with ties to the lowest index.

References
----------
.. [1] G. Hamerly, "Making k-means even faster", SDM 2010.
.. [2] C. Elkan, "Using the triangle inequality to accelerate k-means", ICML 2003.
"""

import math

import numpy as np

from kmeans_fast.engines.numba_dense import ROUNDING
from kmeans_fast.engines.numba_jit import kernel

# How much farther than the nearest centroid a candidate may be, in steps of a channel. Longer lists last but cost
# more to compare with.
CELL_SKIN = np.float32(1.0)
REGION_SKIN = np.float32(8.0)

# Relative errors of float32, with a factor to spare: of squared distances, and of their square roots and quotients.
SQUARED_ERROR = np.float32(2.0**-18)
SHRINK = np.float32(1 - 1e-5)
TINY = 2e-5
# A lead in squared distance below which float32's subnormal numbers might be involved.
SMALLEST_LEAD = np.float32(1e-12)
UNLIMITED = np.float32(1e9)
LANES = 16

# LLVM may reorder minima and drop NaN checks; there is no NaN, and no sum whose order would matter.
REORDER = {"contract", "nnan", "nsz", "reassoc"}


@kernel()
def update(cells, bounds, centroids, moves, first_region, last_region, labels, corrections):
    """Label the colours of some regions; return how many were looked at.

    Takes `cells` and `bounds` as in `kmeans_fast.cells`, `centroids` (K, 4) float64, `moves` (K,) float64 with how far
    each centroid has moved since the last call (or more), the regions from `first_region` up to `last_region`, and
    `labels` (N,). Adds to `corrections` (K, 5) int64 by how much the sums of channels and counts change.
    """
    # Unpacked once, and never sliced below: handing on a tuple of arrays or making a view costs more than most cells.
    colors, channels, counts, (starts, centers, halves), (region_starts, region_centers, region_halves) = cells
    cell_lists, region_lists, drift, least, slack = bounds
    candidates, sizes, reference, reserve = cell_lists
    region_candidates, region_sizes, region_reference, region_reserve = region_lists
    n_clusters = centroids.shape[0]
    columns = np.ascontiguousarray(centroids.T)
    k0, k1, k2, k3 = columns[0], columns[1], columns[2], columns[3]
    local, gathered, norms, values, source, own, chosen = _centroid_space(n_clusters)
    c0, c1, c2, c3 = local[0], local[1], local[2], local[3]
    g0, g1, g2, g3 = gathered[0], gathered[1], gathered[2], gathered[3]
    h0, h1, h2, h3 = gathered[4], gathered[5], gathered[6], gathered[7]
    r0, r1, r2, r3 = channels[0], channels[1], channels[2], channels[3]
    rows, margins, best, second, nearest, places = _color_space(starts)
    x0, x1, x2, x3 = rows[0], rows[1], rows[2], rows[3]
    fastest = moves.max()
    n_compared = 0
    for r in range(first_region, last_region):
        region_reserve[r] -= moves[region_reference[r]] + fastest
        renewed = region_sizes[r] == 0 or region_reserve[r] <= TINY
        if renewed:
            n_source = _copy_all(n_clusters, source)
            region_reference[r], region_reserve[r], n_chosen = _choose(
                k0, k1, k2, k3, source, n_source, region_centers, region_halves, r, REGION_SKIN,
                c0, c1, c2, c3, norms, values, chosen,
            )  # fmt: skip
            region_sizes[r] = _keep(chosen, n_chosen, region_candidates, r)
        n_source = _copy_list(region_candidates, region_sizes, r, source) or _copy_all(n_clusters, source)
        fastest_here = _fastest(moves, source, n_source)
        if not renewed and fastest_here == 0:
            continue
        is_gathered = False
        for c in range(region_starts[r], region_starts[r + 1]):
            drift[c] += _two_fastest(moves, candidates, sizes, c)
            reserve[c] -= moves[reference[c]] + fastest_here
            known = sizes[c] > 0
            # A cell's list must stay a part of its region's: what left that must not come back unnoticed.
            holds = known and reserve[c] > TINY and not renewed
            if not holds:
                if not is_gathered:
                    _gather(centroids, source, n_source, g0, g1, g2, g3)
                    is_gathered = True
                reference[c], reserve[c], n_chosen = _choose(
                    g0, g1, g2, g3, source, n_source, centers, halves, c, CELL_SKIN,
                    c0, c1, c2, c3, norms, values, chosen,
                )  # fmt: skip
                # A list without a new member leaves what is known of the colours as it is.
                known = n_chosen > 1 and _includes(candidates, sizes, c, chosen, n_chosen)
                sizes[c] = _keep(chosen, n_chosen, candidates, c)
            if known and drift[c] + TINY < least[c]:
                continue
            n_own = _copy_list(candidates, sizes, c, own) or _copy_list_of(source, n_source, own)
            start, stop = starts[c], starts[c + 1]
            n_doubtful = _find_doubtful(slack, start, stop, drift[c], places) if known else stop - start
            n_compared += n_doubtful
            if 2 * n_doubtful < stop - start:
                for j in range(n_doubtful):
                    label, margin = _settle(colors, places[j], own, n_own, centroids)
                    slack[places[j]] = np.float32(drift[c] + margin) * SHRINK
                    if labels[places[j]] != label:
                        _relabel(colors, counts, places[j], label, labels, corrections)
            elif n_own == 1:
                for i in range(start, stop):
                    slack[i] = UNLIMITED
                    if labels[i] != own[0]:
                        _relabel(colors, counts, i, own[0], labels, corrections)
            else:
                drift[c] = 0.0
                _gather(centroids, own, n_own, h0, h1, h2, h3)
                _localize(h0, h1, h2, h3, n_own, centers, c, c0, c1, c2, c3, norms)
                n = _load(r0, r1, r2, r3, start, stop, centers, c, x0, x1, x2, x3)
                _scan(x0, x1, x2, x3, n, c0, c1, c2, c3, norms, own, n_own, best, second, nearest)
                _find_margins(x0, x1, x2, x3, n, norms, n_own, best, second, margins)
                n_places = _find_changed(nearest, margins, labels, slack, start, stop, places)
                for j in range(n_places):
                    i = places[j]
                    label = nearest[i - start]
                    if not slack[i] > 0:
                        label, slack[i] = _settle(colors, i, own, n_own, centroids)
                    if labels[i] != label:
                        _relabel(colors, counts, i, label, labels, corrections)
            least[c] = _least(slack, start, stop)
    return n_compared


@kernel()
def _centroid_space(n_clusters):
    """Coordinates of centroids by channel, about a center and, twice, as they are; norms, reserves; three lists."""
    return (
        np.zeros((4, n_clusters + 1), np.float32),
        np.zeros((8, n_clusters + 1)),
        np.zeros(n_clusters + 1, np.float32),
        np.zeros(n_clusters + 1, np.float32),
        np.zeros(n_clusters + 1, np.int32),
        np.zeros(n_clusters + 1, np.int32),
        np.zeros(n_clusters + 1, np.int32),
    )


@kernel()
def _color_space(starts):
    """Room for the largest cell: colours by channel, margins, best, second, nearest, places."""
    n = 0
    for c in range(starts.size - 1):
        n = max(n, starts[c + 1] - starts[c])
    n += LANES
    return (
        np.zeros((4, n), np.float32),
        np.zeros(n, np.float32),
        np.zeros(n, np.float32),
        np.zeros(n, np.float32),
        np.zeros(n, np.int32),
        np.zeros(n, np.int64),
    )


@kernel()
def _copy_all(n_clusters, target):
    for k in range(n_clusters):
        target[k] = k
    return n_clusters


@kernel()
def _copy_list(lists, sizes, i, target):
    for j in range(sizes[i]):
        target[j] = lists[i, j]
    return np.int64(sizes[i])


@kernel()
def _copy_list_of(source, n_source, target):
    for j in range(n_source):
        target[j] = source[j]
    return n_source


@kernel()
def _fastest(moves, source, n_source):
    fastest = 0.0
    for j in range(n_source):
        fastest = max(fastest, moves[source[j]])
    return fastest


@kernel()
def _two_fastest(moves, lists, sizes, i):
    """Sum of the two largest moves."""
    first = second = 0.0
    for j in range(sizes[i]):
        move = moves[lists[i, j]]
        second = max(second, min(move, first))
        first = max(first, move)
    return first + second


@kernel()
def _choose(k0, k1, k2, k3, source, n_source, centers, halves, i, skin, c0, c1, c2, c3, norms, reserves, chosen):
    """Choose the candidates of box i from those in `source`.

    Returns the one nearest to the center, the reserve of the others, and the number that were written to `chosen`.
    """
    _localize(k0, k1, k2, k3, n_source, centers, i, c0, c1, c2, c3, norms)
    nearest = _place_of_least(norms, n_source)
    _find_reserves(c0, c1, c2, c3, norms, nearest, n_source, halves, i, reserves)
    n_chosen = 0
    for j in range(n_source):
        chosen[n_chosen] = source[j]
        n_chosen += reserves[j] <= skin
    return source[nearest], np.float64(_least_above(reserves, n_source, skin)), n_chosen


@kernel()
def _keep(chosen, n_chosen, lists, i):
    """Copy a list if there is room for it; return its size, or 0."""
    if n_chosen > lists.shape[1]:
        return 0
    for j in range(n_chosen):
        lists[i, j] = chosen[j]
    return n_chosen


@kernel()
def _includes(lists, sizes, i, new, n_new):
    """Say whether all of `new` are in list i; both ascend."""
    j = 0
    for m in range(n_new):
        while j < sizes[i] and lists[i, j] < new[m]:
            j += 1
        if j == sizes[i] or lists[i, j] != new[m]:
            return False
    return True


@kernel(fastmath={"contract"})
def _localize(k0, k1, k2, k3, n, centers, i, c0, c1, c2, c3, norms):
    """Write the coordinates of centroids about a center, and their squared norms.

    One more, infinitely far away, evens an odd number for `_scan`.
    """
    o0, o1 = np.float64(centers[i, 0]), np.float64(centers[i, 1])
    o2, o3 = np.float64(centers[i, 2]), np.float64(centers[i, 3])
    for j in range(n):
        c0[j], c1[j] = np.float32(k0[j] - o0), np.float32(k1[j] - o1)
        c2[j], c3[j] = np.float32(k2[j] - o2), np.float32(k3[j] - o3)
    for j in range(n):
        norms[j] = c0[j] * c0[j] + c1[j] * c1[j] + c2[j] * c2[j] + c3[j] * c3[j]
    norms[n] = np.inf


@kernel()
def _gather(centroids, source, n_source, g0, g1, g2, g3):
    """Write the coordinates of the centroids in `source` side by side."""
    for j in range(n_source):
        k = np.uintp(source[j])
        g0[j], g1[j], g2[j], g3[j] = centroids[k, 0], centroids[k, 1], centroids[k, 2], centroids[k, 3]


@kernel(fastmath=REORDER)
def _place_of_least(values, n):
    least = values[0]
    for j in range(n):
        least = min(least, values[j])
    place = 0
    while values[place] > least:
        place += 1
    return place


@kernel(fastmath=REORDER)
def _find_reserves(c0, c1, c2, c3, norms, nearest, n, halves, i, reserves):
    """Write how much farther than the nearest each centroid is, at least, from any point of a box about the origin.

    For centroids z and c, ‖x−c‖² − ‖x−z‖² is linear in x and least at a corner: ‖c‖² − ‖z‖² − 2 Σ |c−z|·half. Divided
    by the most that ‖x−c‖ + ‖x−z‖ can be, it is a lower bound of the difference of the distances.
    """
    z0, z1, z2, z3 = c0[nearest], c1[nearest], c2[nearest], c3[nearest]
    h0, h1, h2, h3 = halves[i, 0], halves[i, 1], halves[i, 2], halves[i, 3]
    square = h0 * h0 + h1 * h1 + h2 * h2 + h3 * h3
    norm = norms[nearest]
    span = np.float32(math.sqrt(norm)) + np.float32(2) * np.float32(math.sqrt(square))
    offset = norm + SQUARED_ERROR * (norm + square)
    keep = np.float32(1) - SQUARED_ERROR
    for j in range(n):
        corner = abs(c0[j] - z0) * h0 + abs(c1[j] - z1) * h1
        corner += abs(c2[j] - z2) * h2 + abs(c3[j] - z3) * h3
        lead = norms[j] * keep - offset - np.float32(2) * corner
        reserves[j] = SHRINK * lead / (np.float32(math.sqrt(norms[j])) + span)
    reserves[nearest] = np.float32(-1)


@kernel(fastmath=REORDER)
def _least_above(values, n, limit):
    least = UNLIMITED
    for j in range(n):
        least = min(least, values[j] if values[j] > limit else UNLIMITED)
    return least


@kernel()
def _find_doubtful(slack, start, stop, drift, places):
    """List the colours whose slack is used up; return their number."""
    limit = np.float32(drift + TINY)
    own = slack[start:stop]
    n_doubtful = 0
    for i in range(own.size):
        places[n_doubtful] = start + i
        n_doubtful += own[i] <= limit
    return n_doubtful


@kernel()
def _find_changed(nearest, margins, labels, slack, start, stop, places):
    """Take over the margins as slack; list the colours that have a new label or no margin; return their number."""
    own_labels, own_slack = labels[start:stop], slack[start:stop]
    n_places = 0
    for i in range(own_labels.size):
        own_slack[i] = margins[i]
        places[n_places] = start + i
        n_places += (own_labels[i] != nearest[i]) | (margins[i] <= 0)
    return n_places


@kernel()
def _settle(colors, i, own, n_own, centroids):
    """Find colour i's nearest centroid as the textbook does, and how much farther the second nearest is, at least."""
    x0, x1 = np.float64(colors[i, 0]), np.float64(colors[i, 1])
    x2, x3 = np.float64(colors[i, 2]), np.float64(colors[i, 3])
    best = second = np.inf
    label = own[0]
    for j in range(n_own):
        k = own[j]
        u = np.uintp(k)
        d0, d1, d2, d3 = x0 - centroids[u, 0], x1 - centroids[u, 1], x2 - centroids[u, 2], x3 - centroids[u, 3]
        distance = ((d0 * d0 + d1 * d1) + d2 * d2) + d3 * d3
        second = min(second, max(best, distance))
        label = k if distance < best else label
        best = min(best, distance)
    margin = np.float32(0)
    if second > best:
        roots = np.float32(math.sqrt(np.float32(second))) + np.float32(math.sqrt(np.float32(best)))
        margin = SHRINK * np.float32(second - best) / roots
    return label, margin


@kernel()
def _relabel(colors, counts, i, label, labels, sums):
    old, count = labels[i], counts[i]
    for f in range(4):
        part = count * np.int64(colors[i, f])
        sums[old, f] -= part
        sums[label, f] += part
    sums[old, 4] -= count
    sums[label, 4] += count
    labels[i] = label


@kernel(fastmath=REORDER)
def _load(r0, r1, r2, r3, start, stop, centers, c, x0, x1, x2, x3):
    """Write a cell's colours about its center, by channel, the first again to fill the last vector; return how many."""
    _load_channel(r0[start:stop], centers[c, 0], x0)
    _load_channel(r1[start:stop], centers[c, 1], x1)
    _load_channel(r2[start:stop], centers[c, 2], x2)
    _load_channel(r3[start:stop], centers[c, 3], x3)
    n_colors = stop - start
    n = (n_colors + LANES - 1) // LANES * LANES
    for i in range(n_colors, n):
        x0[i], x1[i], x2[i], x3[i] = x0[0], x1[0], x2[0], x3[0]
    return n


@kernel()
def _load_channel(values, center, target):
    for i in range(values.size):
        target[i] = np.float32(values[i]) - center


@kernel(fastmath={"contract"})
def _scan(x0, x1, x2, x3, n, c0, c1, c2, c3, norms, own, n_own, best, second, nearest):
    """Find the least and second least of ‖c‖² − 2·x·c in float32, as `_filter_block` of `numba_dense` does."""
    m2 = np.float32(-2)
    for i in range(n):
        best[i] = second[i] = np.inf
    for j in range(0, n_own, 2):
        a0, a1, a2, a3 = m2 * c0[j], m2 * c1[j], m2 * c2[j], m2 * c3[j]
        b0, b1, b2, b3 = m2 * c0[j + 1], m2 * c1[j + 1], m2 * c2[j + 1], m2 * c3[j + 1]
        norm_a, norm_b = norms[j], norms[j + 1]
        label_a, label_b = own[j], own[j + 1]
        for i in range(n):
            a = norm_a + x0[i] * a0 + x1[i] * a1 + x2[i] * a2 + x3[i] * a3
            b = norm_b + x0[i] * b0 + x1[i] * b1 + x2[i] * b2 + x3[i] * b3
            least, next_least, label = best[i], second[i], nearest[i]
            next_least = min(next_least, max(a, least))
            label = label_a if a < least else label
            least = min(a, least)
            next_least = min(next_least, max(b, least))
            label = label_b if b < least else label
            least = min(b, least)
            best[i], second[i], nearest[i] = least, next_least, label


@kernel(fastmath=REORDER)
def _find_margins(x0, x1, x2, x3, n, norms, n_own, best, second, margins):
    """Write how much farther the second nearest centroid is than the nearest, at least; not above 0 where unsure."""
    scale = np.float32(0)
    for j in range(n_own):
        scale = max(scale, norms[j])
    square = np.float32(0)
    for i in range(n):
        margins[i] = x0[i] * x0[i] + x1[i] * x1[i] + x2[i] * x2[i] + x3[i] * x3[i]
        square = max(square, margins[i])
    rounding = ROUNDING * (scale + square) + SMALLEST_LEAD
    for i in range(n):
        norm = margins[i] + rounding
        root = np.float32(math.sqrt(max(best[i] + norm, rounding)))
        next_root = np.float32(math.sqrt(max(second[i] + norm, rounding)))
        margins[i] = SHRINK * (second[i] - best[i] - rounding) / (root + next_root)


@kernel(fastmath=REORDER)
def _least(slack, start, stop):
    own = slack[start:stop]
    least = own[0]
    for i in range(own.size):
        least = min(least, own[i])
    return least
