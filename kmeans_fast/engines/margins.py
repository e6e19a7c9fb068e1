"""How far apart two values of the filter for many features must be, in both engines, for rounding not to matter.

The nearest centroids of a point are those of the least ‖c‖² − 2·x·c, which the filter works out in float32 about an
origin amid the centroids. Let u = 2⁻²⁴, X = ‖x‖ and C the largest ‖c‖. Rounding x and c moves 2·x·c by at most
4.01·u·X·C. A sum of D products, added in any order and by tiles, with fused multiply-adds or without, is off by at most
1.01·(D + 1)·u·X·C. Rounding ‖c‖² moves it by u·C², adding the product to it by u·(C² + 2·X·C). So each value is off by
at most u·(2·C² + (2.02·D + 8.1)·X·C), and two values twice that apart are in their true order. The float64 loop, which
is to be met, has an error of its own: (D + 2)·2⁻⁵²·(X² + C²) for each of the two at most.

From the same values comes how much farther the second nearest centroid is at least, see `least_lead`. As no distance
changes by more than its centroid moves, that tells for how long a point can be left with its centroid.
"""

from typing import Any

import numpy as np

# As float32 holds the products then: beyond the largest it overflows, with all centroids closer than the least it loses
# its relative precision.
LEAST_SQUARE = 1e-24
LARGEST_SQUARE = 1e36
# A sum of more products has too large an error for its square to be left out.
MOST_FEATURES = 2**16


def margin_terms(largest: Any, n_features: int) -> Any:
    """Return a, b² and c, such that a + b·X + c·X² is the margin, for C² as `largest`.

    They have 1 % to spare, for what is lost in C² and X².
    """
    unit = 2.0**-24
    constant = unit * 4.2 * largest if LEAST_SQUARE < largest < LARGEST_SQUARE else np.inf
    linear = unit * (4.1 * n_features + 17)
    return constant, linear * linear * largest, unit * (n_features + 2) * 2.0**-26


def is_decided(square: Any, best: Any, second: Any, terms: Any) -> Any:
    """Say whether a lead is above a + b·X + c·X², where X² is at hand and X isn't; it is not if it's NaN."""
    constant, linear_square, quadratic = terms
    lead = np.float64(second) - np.float64(best) - constant - quadratic * square
    return (lead > 0) & (lead * lead > linear_square * square) & (square < LARGEST_SQUARE)


def least_lead(square: Any, best: Any, second: Any, largest: Any, n_features: int, sqrt: Any) -> Any:
    """Return a bound of how much farther the second nearest centroid is than the nearest; NaN or below 0 for none.

    It is (d₂² − d₁²) / (d₂ + d₁), with d₂ + d₁ ≤ √(2·(d₂² + d₁²)) and X·C ≤ (X² + C²) / 2 in the margin. X² is off by
    less than what is added to the squares. Taking off 2⁻³⁰·d₂, which at most doubles before a lead is used up, keeps it
    above what the float64 loop may be off by.
    """
    margin = 2.0**-24 * (2.1 * n_features + 14) * (square + largest)
    squares = 2.0 * square + (np.float64(best) + np.float64(second)) + 4.0 * margin
    distances = sqrt(abs(2.0 * squares))  # with a sign it would be a call of C in compiled code
    return (np.float64(second) - np.float64(best) - margin) / distances - 2.0**-30 * distances


def limit(gain: Any, lead: Any) -> Any:
    """Return what rivals' gains must stay below, where they were so much when the lead was found. It isn't infinite."""
    return np.float32(np.minimum((gain + lead) * (1 - 2.0**-22), LARGEST_SQUARE))
