"""What a palette's error changes by if one of its entries takes a step, compiled; serial.

In every signature: `colors` (N, 3) uint8 have `counts` (N,) int64 pixels and `labels` (N,) int32, those of their
nearest of the `entries` (K, 3) int64, and `neighbors` (K, M) int64 are entries near each, not itself. `changes` (K, 6)
int64 are those of the sum of squared distances, for steps of 1 up and down each channel.
"""

import numpy as np

from kmeans_fast.engines.numba_jit import kernel, part

FAR = np.int64(2**40)  # beyond all squared distances


@kernel()
def add_changes(
    colors,  # in
    counts,  # in
    labels,  # in
    entries,  # in
    neighbors,  # in
    changes,  # in/out
):
    """Add what each step changes at most, with all other entries where they are.

    A colour may stay with its own entry or go to the best of its neighbours, whichever of the two takes the step. As
    others could be nearer yet, a change that lowers the error is certain.
    """
    for i in range(colors.shape[0]):
        own, weight = np.int64(labels[i]), counts[i]
        x, y, z = np.int64(colors[i, 0]), np.int64(colors[i, 1]), np.int64(colors[i, 2])
        a, b, c = x - entries[own, 0], y - entries[own, 1], z - entries[own, 2]
        distance = a * a + b * b + c * c
        least, other = FAR, own
        for j in range(neighbors.shape[1]):
            k = neighbors[own, j]
            p, q, r = x - entries[k, 0], y - entries[k, 1], z - entries[k, 2]
            rival = p * p + q * q + r * r
            if rival < least:
                least, other = rival, k
        _add_axis(a, distance, least, distance, weight, changes[own, 0:2])
        _add_axis(b, distance, least, distance, weight, changes[own, 2:4])
        _add_axis(c, distance, least, distance, weight, changes[own, 4:6])
        _add_axis(x - entries[other, 0], least, distance, distance, weight, changes[other, 0:2])
        _add_axis(y - entries[other, 1], least, distance, distance, weight, changes[other, 2:4])
        _add_axis(z - entries[other, 2], least, distance, distance, weight, changes[other, 4:6])


@part(inline=True)
def _add_axis(difference, distance, other, before, weight, changes):
    """Add both steps on an axis of an entry at this difference and distance, with another that stays."""
    changes[0] += weight * (min(distance - 2 * difference + 1, other) - before)
    changes[1] += weight * (min(distance + 2 * difference + 1, other) - before)
