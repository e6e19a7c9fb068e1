"""Sums of clusters, compiled: numbers are added in parts whose sums float64 holds, so that their order doesn't matter.

A call takes points (n, D) C-contiguous, weights (n,) float64 or empty for all ones, labels (n,), and sums (K+1, P, D+1)
of values and, last, of weights; those of row K are of no cluster. The cuts (P−1, 2) tell how values, and weights, are
cut into P parts, see `kmeans_fast.points.parts`.
"""

from typing import Any

import numpy as np

from kmeans_fast.engines.numba_jit import kernel, part

# Points whose places are listed at a time.
BLOCK = 256
# As unsigned numbers, places need no checks.
ZERO, ONE, TWO, THREE, FOUR = (np.uint64(i) for i in range(5))


def move(
    points: Any,  # in
    weights: Any,  # in
    labels: Any,  # in
    cuts: Any,  # in
    are_new: bool,
    before: Any,  # in/out
    sums: Any,  # in/out
    kept: list[Any],  # in/out
) -> None:
    """Move each point whose label isn't that of `before` from the one cluster's sums to the other's; set `before`.

    New points all move, from no cluster. `kept` is an empty list at first, and may be handed in again with the same
    arguments, which saves laying them out.
    """
    if not kept:
        space = np.empty(BLOCK, np.uint8), np.empty(BLOCK, np.uint32)
        flat = points.reshape(-1), points.shape[1]
        kept.append(_move.prepared(*flat, weights, labels, cuts, int(are_new), space, before, sums.reshape(-1)))
    kept[0]()


@kernel(pairs=True)
def _move(
    numbers,  # in
    n_features,
    weights,  # in
    labels,  # in
    cuts,  # in
    are_new,
    space,  # work space
    before,  # in/out
    sums,  # in/out
):
    depth = np.uint64(n_features)
    length = (depth + ONE) * np.uint64(1 + cuts.shape[0])
    nowhere = np.uint64(sums.size) - length
    for start in range(0, labels.size, BLOCK):
        block = labels[start : start + BLOCK]
        n, places = _list_changed(block, before[start : start + BLOCK], are_new, space), space[1]
        for j in range(n):
            i = np.uint64(start) + np.uint64(places[j])
            weight = weights[i] if weights.size else 1.0
            giver = nowhere if are_new else np.uint64(before[i]) * length
            _move_point(numbers, i * depth, depth, weight, cuts, giver, np.uint64(labels[i]) * length, sums)
            before[i] = labels[i]


@part()
def _list_changed(labels, before, are_new, space):
    """List where labels have changed, or all places if they are new; return how many."""
    have_changed, places = space
    n, size = ZERO, np.uint64(labels.size)
    for i in range(size):
        have_changed[i] = are_new | (before[i] != labels[i])
    for i in range(size):  # without jumps, as what changed can't be foretold
        places[n] = i
        n += np.uint64(have_changed[i])
    return n


@part(inline=True)
def _move_point(numbers, first, depth, weight, cuts, giver, taker, sums):
    """Take a point off the sums that begin at the giver's place, add it to the taker's: by fours, which are vectors."""
    n_cuts, column, done = cuts.shape[0], depth + ONE, depth // FOUR * FOUR
    if n_cuts == 0:
        for f in range(ZERO, done, FOUR):
            _shift_four(_four(numbers, first + f, weight), giver + f, taker + f, sums)
    elif n_cuts == 1:
        for f in range(ZERO, done, FOUR):
            rest = _shift_upper(_four(numbers, first + f, weight), cuts[0, 0], giver + f, taker + f, sums)
            _shift_four(rest, giver + f + column, taker + f + column, sums)
    elif n_cuts == 2:
        for f in range(ZERO, done, FOUR):
            rest = _shift_upper(_four(numbers, first + f, weight), cuts[0, 0], giver + f, taker + f, sums)
            g, t = giver + f + column, taker + f + column
            _shift_four(_shift_upper(rest, cuts[1, 0], g, t, sums), g + column, t + column, sums)
    else:
        done = ZERO
    for f in range(done, depth):
        _shift(weight * np.float64(numbers[first + f]), cuts[:, 0], giver + f, taker + f, column, sums)
    _shift(weight, cuts[:, 1], giver + depth, taker + depth, column, sums)


@part()
def _four(numbers, i, weight):
    x0, x1 = weight * np.float64(numbers[i]), weight * np.float64(numbers[i + ONE])
    return x0, x1, weight * np.float64(numbers[i + TWO]), weight * np.float64(numbers[i + THREE])


@part()
def _shift_upper(four, cut, g, t, sums):
    """Shift what four numbers are cut to; return what is left of them."""
    x0, x1, x2, x3 = four
    u0, u1, u2, u3 = x0 + cut - cut, x1 + cut - cut, x2 + cut - cut, x3 + cut - cut
    _shift_four((u0, u1, u2, u3), g, t, sums)
    return x0 - u0, x1 - u1, x2 - u2, x3 - u3


@part()
def _shift_four(four, g, t, sums):
    """Take four numbers off sums from one place on, add them from another one on."""
    x0, x1, x2, x3 = four
    g0, g1, g2, g3 = sums[g] - x0, sums[g + ONE] - x1, sums[g + TWO] - x2, sums[g + THREE] - x3
    sums[g], sums[g + ONE], sums[g + TWO], sums[g + THREE] = g0, g1, g2, g3
    t0, t1, t2, t3 = sums[t] + x0, sums[t + ONE] + x1, sums[t + TWO] + x2, sums[t + THREE] + x3
    sums[t], sums[t + ONE], sums[t + TWO], sums[t + THREE] = t0, t1, t2, t3


@part()
def _shift(x, cuts, g, t, column, sums):
    """Shift all parts of a number."""
    for p in range(cuts.size):
        upper = x + cuts[p] - cuts[p]
        sums[g] -= upper
        sums[t] += upper
        x -= upper
        g, t = g + column, t + column
    sums[g] -= x
    sums[t] += x


def find_extremes(
    values: Any,  # in
    extremes: Any,  # out
) -> None:
    """Write the least magnitude above 0, or infinity, and the largest, (2,) float64: NaN if there is one."""
    bits = values.reshape(-1).view(f"i{values.itemsize}")  # those of magnitudes are in their order
    found = np.empty(2, bits.dtype)
    _find_extremes(bits, np.iinfo(bits.dtype).max, found)
    extremes[:] = found.view(values.dtype)
    if extremes[1] == 0:
        extremes[0] = np.inf


@kernel()
def _find_extremes(
    bits,  # in
    but_signs,
    extremes,  # out
):
    kind = bits.dtype.type
    least, largest, top, zero = kind(but_signs), kind(0), kind(but_signs), kind(0)
    for i in range(bits.size):
        magnitude = kind(bits[i] & but_signs)
        largest = max(largest, magnitude)
        least = min(least, magnitude if magnitude > zero else top)
    extremes[0], extremes[1] = least, largest
