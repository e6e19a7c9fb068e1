"""The functions of `numba_halves` in plain NumPy, which is quicker without rounded points.

It rounds them for compiled code, which may be at hand in the next pass.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines import numpy_dense
from kmeans_fast.engines.halves import POINTS
from kmeans_fast.engines.margins import LARGEST_SQUARE, LEAST_SQUARE
from kmeans_fast.engines.shorts import REACH


def round_points(
    points: NDArray[Any],  # in
    origin: NDArray[Any],  # in
    reach: float,  # in
    values: NDArray[np.int16],  # out
) -> float:
    """Write the points' numbers; return the scale, or 0 if float32 can't hold their squared distances from the origin.

    It suits those within the reach of the origin, too.
    """
    n_tiles, n_features = values.shape[:2]
    local = np.zeros((n_tiles * POINTS, n_features), np.float32)
    with np.errstate(all="ignore"):
        local[: len(points)] = points.astype(origin.dtype) - origin
        spare = 1 + n_features * 2.0**-23
        square = max(reach * reach, float(np.einsum("if,if->i", local, local).max()) * spare)
        if not LEAST_SQUARE < square < LARGEST_SQUARE:
            return 0.0
        scale: float = square**0.5 / REACH
        numbers = np.rint(local * np.float32(1 / scale)).astype(np.int16)
    values[:] = numbers.reshape(n_tiles, POINTS, n_features).transpose(0, 2, 1)
    return scale


def label(
    points: NDArray[Any],  # in
    values: NDArray[np.int16],  # noqa: ARG001 - in, the compiled engine's
    scale: float,  # noqa: ARG001 - in, the compiled engine's
    centroids: NDArray[Any],  # in
    factors: NDArray[np.int32],  # noqa: ARG001 - in, the compiled engine's
    squares: NDArray[Any],  # noqa: ARG001 - in, the compiled engine's
    terms: NDArray[Any],  # noqa: ARG001 - in, the compiled engine's
    labels: NDArray[Any],  # out
    kept: list[Any],  # noqa: ARG001 - in/out, the compiled engine's
) -> int:
    """Label points, all by the filter of `numpy_dense`, which takes half the time; return 0, as none were left."""
    numpy_dense.assign(points, centroids, labels)
    return 0
