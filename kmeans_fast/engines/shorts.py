"""Points rounded to 16 bits: where each number lies, and how far a product of them may be off, in both engines.

About an origin, a point is x = s·q + e and a centroid is c = t·p + d, where q and p are integers. As the nearest
centroid is that of the least ‖c‖² − 2·x·c, it is that of the least

    ‖c‖² / (2·s·t) − q·p − q·d / t − e·c / (s·t).

The filter works out the first term, rounded, less q·p: in integers, so that it doesn't matter in which order. With ‖q‖
and ‖p‖ up to `REACH` and ‖c‖ up to `FARTHEST` times what q can reach, 32 bits hold it. What it leaves out differs
between two centroids by at most 1 + ‖q‖·(‖d₁‖ + ‖d₂‖) / t + ‖e‖·‖c₁ − c₂‖ / (s·t), see `margin`. On pairs of 16 bits a
processor does twice as much at a time as on float32, and half as much comes from memory.
"""

from typing import Any

import numpy as np

# ‖q‖ and ‖p‖ at most, but for their rounding.
REACH = 32_000
FARTHEST = 1.9
# Points whose numbers lie side by side, two features of a point in 32 bits; and centroids whose numbers do.
POINTS, CENTROIDS = 32, 2
# Vectors of points whose sums are kept in registers: with those of two centroids, the best so far and a factor, 13 of
# the 16 that AVX2 has.
VECTORS = 2
# Pairs of features of a tile up to which it stays in the nearest cache. Of more, so many pairs at a time meet all
# centroids: that takes half the time with 392.
PAIRS_AT_ONCE, STRIP = 128, 16
# What float32 loses of up to REACH units in three operations, in units; and by how much a number is off then.
LOST = 0.008
OFF = 0.5 + LOST
LARGEST = np.int32(2**31 - 1)


def unit_of(largest: Any) -> Any:
    """Return s or t for what is up to so long: more than 0, so that nothing is divided by that."""
    return max(largest, 1e-100) / REACH


def off_by(n_features: int, square: Any) -> Any:
    """Return ‖e‖ / s at most, of a point whose numbers, squared and added, were rounded by so much."""
    return min(1.001 * float(square) ** 0.5 + LOST * n_features**0.5, OFF * n_features**0.5)


def margin(n_features: Any, off: Any, scale: Any, unit: Any, error: Any, sqrt: Any) -> Any:
    """Return by how much a value must be less than another for its centroid to be the nearer one.

    `off` is the largest ‖e‖ / s, `error` the largest ‖d‖. The 1 more than is said above is for the error of the float64
    loop, see `margins`.
    """
    if unit > FARTHEST * scale:
        return np.inf
    root = sqrt(abs(1.0 * n_features))  # with a sign it would be a call of C in compiled code
    return 2 + 2 * (REACH + root) * error / unit + 2 * off * REACH


def least_lead(square: Any, best: Any, second: Any, step: Any, margin: Any, sqrt: Any) -> Any:
    """Return a bound of how much farther the second nearest centroid is than the nearest, see `margins.least_lead`.

    `step` is 2·s·t, `square` at least ‖x‖².
    """
    squares = 2.0 * square + step * (best + second + 2.0 * margin)
    distances = sqrt(abs(2.0 * squares))
    return step * (second - best - margin) / distances - 2.0**-30 * distances
