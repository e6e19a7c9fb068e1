"""Whether sums of points are exact, as those of integers are: then they don't depend on the order of summation.

Floats mostly are multiples of a small power of two: pictures divided by 255 in float32, say, of 2⁻³¹. float64 holds all
multiples of it up to 2⁵³ times as large. Sums that stay below that are exact, whatever is added and taken off again.
"""

import math
from threading import Event

import numpy as np

from kmeans_fast.machine.threads import Workers
from kmeans_fast.points.access import Points

# Between these, what values are multiplied by, which is 1 or more, loses no digit and lets none overflow.
LEAST, LARGEST = 2.0**-60, 2.0**36
# Values looked at while they are in a cache.
VALUES_AT_ONCE = 2**16


def sums_are_exact(points: Points, n_summed: int, workers: Workers) -> bool:
    """Say whether float64 holds each sum of up to so many of the points, whose values have been checked."""
    if points.dtype.kind in "ui":
        return True
    if not LEAST <= points.largest <= LARGEST:
        return False
    # Units that float64 holds as many of as any sum may come to.
    scale = math.ldexp(1.0, 53 - math.frexp(n_summed * points.largest)[1])
    if scale < 1:
        return False
    rows = max(1, VALUES_AT_ONCE // points.n_features)
    is_broken = Event()

    def look(start: int) -> None:
        if is_broken.is_set():
            return
        units = points.chunk(start, min(start + rows, points.size)) * points.dtype.type(scale)
        if not np.array_equal(units, np.rint(units)):
            is_broken.set()

    workers.for_each(look, range(0, points.size, rows))
    return not is_broken.is_set()
