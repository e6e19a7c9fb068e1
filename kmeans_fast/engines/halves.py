"""Points rounded to 16 bits, of whose products the upper halves are kept: how far off that may be, in both engines.

About an origin, a point is x = s·q + e and a centroid is c = t·p + d, where q and p are integers. As the nearest
centroid is that of the least ‖c‖² − 2·x·c, it is that of the least

    ‖c‖² / (2·s·t·2¹⁶) − q·p / 2¹⁶ − q·d / (t·2¹⁶) − e·c / (s·t·2¹⁶).

The filter works out the first term, rounded, plus each product −qᵢ·pᵢ / 2¹⁶ rounded down: all of 16 bits, so that a
processor compares twice as many points at a time as it could with their exact sums, see `shorts`. With ‖q‖ and ‖p‖ up
to `REACH` and ‖c‖ up to `FARTHEST` times what q can reach, 16 bits hold it. What it leaves out differs between two
centroids by at most 1 + D + ‖q‖·(‖d₁‖ + ‖d₂‖) / (t·2¹⁶) + ‖e‖·‖c₁ − c₂‖ / (s·t·2¹⁶), see `least_lead`.
"""

from typing import Any

import numpy as np

from kmeans_fast.engines.shorts import FARTHEST, OFF, REACH

# Points whose numbers lie side by side; and centroids, whose sums stay in registers with the best so far.
POINTS, CENTROIDS = 64, 2
# Of the products, 1 / HALF is kept.
HALF = 2**16
LARGEST = 2**15 - 1  # of offsets and values
# So that labels are of 16 bits, too, and sums of products are.
MOST_CLUSTERS, MOST_FEATURES = 2**15, 1024
# With a unit of centroids so much smaller than that of points, the error of the float64 loop would matter.
FINEST = 2.0**-20


def least_lead(n_features: Any, scale: Any, unit: Any, error: Any, sqrt: Any) -> Any:
    """Return by how much a value must be less than another, at least, for its centroid to be the nearer one.

    `error` is the largest ‖d‖. Of the 2 more than is said above, one is for the error of the float64 loop, see
    `margins`, and one for leads being integers.
    """
    if not FINEST * scale < unit <= FARTHEST * scale:
        return np.inf
    root = sqrt(abs(1.0 * n_features))  # with a sign it would be a call of C in compiled code
    return 3 + n_features + (2 * (REACH + root) * error / unit + 2 * OFF * root * REACH) / HALF
