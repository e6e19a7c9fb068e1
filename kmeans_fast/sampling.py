"""Few of many, spread evenly, and the same ones at every call."""

import numpy as np
from numpy.typing import NDArray

_GOLDEN_RATIO = (5**0.5 - 1) / 2


def spread_places(total: int, n: int) -> NDArray[np.int64]:
    """Return ascending places of `n` of `total` things, or of all: one from each of `n` equal runs of them.

    The place in the run changes from run to run.
    """
    n = min(n, total)
    edges = np.arange(n + 1) * total // max(n, 1)
    # Equal steps would walk down one column of an image; the golden ratio's multiples fall everywhere.
    offsets = np.arange(n) * _GOLDEN_RATIO % 1
    places: NDArray[np.int64] = edges[:-1] + (offsets * np.diff(edges)).astype(np.int64)
    return places
