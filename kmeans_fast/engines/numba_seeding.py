"""Kernels of the seeding, compiled.

Shapes as in `numba_dense`; `closest` (n,) float64 is each point's squared distance to the nearest centroid so far.
"""

from typing import Any

import numpy as np

from kmeans_fast.engines.numba_jit import kernel, part


@kernel()
def lower_to_centroid(
    points,  # in
    weights,  # in
    centroid,  # in
    closest,  # in/out
):
    """Lower `closest` to the distance to `centroid` where that is less; return the sum of weight·closest, in order."""
    potential = 0.0
    for i in range(closest.size):
        distance = _squared_distance(points, i, centroid)
        closest[i] = min(closest[i], distance)
        potential += weights[i] * closest[i] if weights.size else closest[i]
    return potential


@kernel()
def potentials(
    points,  # in
    weights,  # in
    candidates,  # in
    closest,  # in
    totals,  # in/out
):
    """Add to `totals` (T,), for each of T candidates, what `lower_to_centroid` would return for it."""
    for i in range(closest.size):
        weight = weights[i] if weights.size else 1.0
        for t in range(totals.size):
            distance = _squared_distance(points, i, candidates[t])
            totals[t] += weight * min(closest[i], distance)


@kernel()
def locate(
    weights,  # in
    closest,  # in
    target,
):
    """Return the first point where the running sum of weight·closest exceeds `target`, or the last that adds to it."""
    running = 0.0
    last = 0
    for i in range(closest.size):
        part = weights[i] * closest[i] if weights.size else closest[i]
        running += part
        if running > target:
            return i
        if part > 0:
            last = i
    return last


@part()
def _squared_distance(points, i, centroid):
    total = 0.0
    for f in range(centroid.size):
        difference = np.float64(points[i, f]) - centroid[f]
        total += difference * difference
    return total


def add_distinct(
    points: Any,  # in
    weights: Any,  # in
    distinct: Any,  # in/out
    n_distinct: int,
) -> int:
    """Add those points of positive weight to `distinct` (limit, D) float64 that aren't among its first `n_distinct`.

    Returns how many there are then; stops when the array is full. An open-addressing hash table finds equals.
    """
    slots = np.full(max(4, 1 << (2 * len(distinct) - 1).bit_length()), -1, np.int64)
    n_found: int = _add_distinct(points, weights, distinct, n_distinct, slots, np.empty(points.shape[1]))
    return n_found


@kernel()
def _add_distinct(points, weights, distinct, n_distinct, slots, row):
    n_features = points.shape[1]
    mask = slots.size - 1
    for j in range(n_distinct):
        slots[_find(slots, mask, distinct, distinct[j])] = j
    for i in range(points.shape[0]):
        if weights.size and weights[i] == 0:
            continue
        for f in range(n_features):
            row[f] = np.float64(points[i, f]) + 0.0  # −0.0 becomes 0.0
        slot = _find(slots, mask, distinct, row)
        if slots[slot] < 0:
            for f in range(n_features):
                distinct[n_distinct, f] = row[f]
            slots[slot] = n_distinct
            n_distinct += 1
            if n_distinct == distinct.shape[0]:
                break
    return n_distinct


@part()
def _find(slots, mask, distinct, row):
    """Return the slot that holds `row`, or the free one where it belongs."""
    bits = row.view(np.uint64)
    mixed = np.uint64(0)
    for f in range(bits.size):
        mixed = (mixed ^ bits[f]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(32)
    slot = np.int64(mixed) & mask
    while slots[slot] >= 0 and not _equal(distinct[slots[slot]], row):
        slot = (slot + 1) & mask
    return slot


@part()
def _equal(a, b):
    equal = True
    for f in range(a.size):
        equal &= a[f] == b[f]
    return equal
