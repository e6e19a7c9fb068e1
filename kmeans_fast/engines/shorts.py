"""Points rounded to 16 bits: where each number lies, and how far a product of them may be off, in both engines.

About an origin, a point is x = y + e with y = s·q, and a centroid is c = t·p + d, where q and p are integers. As the
centroid nearest to y is that of the least ‖c‖² − 2·y·c, it is that of the least

    ‖c‖² / (2·s·t) − q·p − q·d / t.

The filter works out the first term, rounded, less q·p: in integers, so that it doesn't matter in which order. With ‖q‖
and ‖p‖ up to `REACH` and ‖c‖ up to `FARTHEST` times what q can reach, 32 bits hold it. What it leaves out differs
between two centroids by at most 1 + 2·‖q‖·‖d‖ / t, and x is by up to ‖e‖ nearer to a centroid, or farther, than y: see
`least_lead`. On pairs of 16 bits a processor does twice as much at a time as on float32, and half as much comes from
memory.
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
LARGEST = np.int32(2**31 - 1)  # of offsets and values


def unit_of(largest: Any) -> Any:
    """Return s or t for what is up to so long: more than 0, so that nothing is divided by that."""
    return max(largest, 1e-100) / REACH


def off_by(n_features: int, square: Any) -> Any:
    """Return ‖e‖ / s at most, of a point whose numbers, squared and added, were rounded by so much."""
    return min(1.001 * float(square) ** 0.5 + LOST * n_features**0.5, OFF * n_features**0.5)


def norm_of(square: Any, sqrt: Any) -> Any:
    """Return at least ‖q‖ of a point, in float32."""
    return np.float32(sqrt(abs(1.0 * square)) * (1 + 2.0**-22))


def is_held(scale: Any, unit: Any) -> Any:
    """Say whether 32 bits hold the values."""
    return unit <= FARTHEST * scale


def least_lead(
    scale: Any, off: Any, unit: Any, error: Any, norm: Any, best: Any, second: Any, sqrt: Any, maximum: Any
) -> Any:
    """Return a bound of how much farther than the nearest centroid any other is; 0 or less if that may not be nearest.

    `off` is the largest ‖e‖ / s, `error` the largest ‖d‖, `norm` at least ‖q‖, and the values are those of the filter.
    They tell how far y is from the centroid nearest to it at most, b, and how much more the square of its distance from
    any other is at least, g. So these distances differ by √(b² + g) − b at least, those of x by 2·‖e‖ less. Or, as the
    squares for x differ by up to 2·‖e‖·‖c₁ − c₂‖ less, what distances differ by follows from them: it is at least
    2·g·b / (4·b² + g). The first tells more where a point is near to its centroid, the second where it is far from all.
    Values are taken to be off by a half more than they are, as the squares are rounded here, and distances by 2⁻²⁸,
    which keeps leads above what the float64 loop may be off by, until they are used up; see `margins`.
    """
    step, wrong, shift = 2 * scale * unit, 1 + norm * (error / unit), scale * off
    square = (1 + 2.0**-20) * ((scale * norm) * (scale * norm) + step * (best + wrong))
    gap = step * (second - best - 2 * wrong)
    # of magnitudes, as roots of what may have a sign would be calls of C in compiled code
    distance, other = sqrt(abs(square)), sqrt(abs(maximum(square + gap, 0.0)))
    from_near = other - distance - 2 * shift
    distance, gap = distance + shift, gap - 4 * shift * REACH * unit
    from_far = 2 * gap * distance / (4 * distance * distance + abs(gap))
    return maximum(from_near, from_far) - 2.0**-28 * (other + distance)
