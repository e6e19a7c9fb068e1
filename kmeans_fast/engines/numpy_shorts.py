"""The filter for many features on points rounded to 16 bits in plain NumPy: the functions of `numba_shorts`.

It serves as long as nothing is compiled yet: on its own NumPy is quicker without, as its BLAS has no integers.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.engines.margins import LARGEST_SQUARE, LEAST_SQUARE, limit
from kmeans_fast.engines.numpy_products import products
from kmeans_fast.engines.shorts import CENTROIDS, POINTS, REACH, is_held, least_lead, norm_of, off_by, unit_of

POINTS_AT_ONCE = 4096


def round_points(
    points: NDArray[Any],  # in
    origin: NDArray[Any],  # in
    reach: float,  # in
    values: NDArray[np.int16],  # out
    norms: NDArray[np.float32],  # out
) -> tuple[float, float]:
    """Write the points' numbers and at least ‖q‖ of each, (n,) float32.

    Return the scale, and ‖e‖ / s at most, see `shorts`. The scale suits those within the reach of the origin, too. It
    is 0 if float32 can't hold their squares.
    """
    n_tiles, n_pairs = values.shape[:2]
    with np.errstate(all="ignore"):
        local = np.zeros((n_tiles * POINTS, 2 * n_pairs), np.float32)
        local[: len(points), : origin.size] = points.astype(origin.dtype) - origin
        squares = np.einsum("if,if->i", local, local) * np.float32(1 + origin.size * 2.0**-23)
        largest = max(reach * reach, float(squares.max()))
        if not LEAST_SQUARE < largest < LARGEST_SQUARE:
            return 0.0, 0.0
        scale: float = largest**0.5 / REACH
        local *= np.float32(1 / scale)
        numbers = np.rint(local)
        local -= numbers
    norms[:] = norm_of(np.einsum("if,if->i", numbers, numbers, dtype=np.float64), np.sqrt)[: len(points)]
    values[:] = numbers.astype(np.int16).reshape(n_tiles, POINTS, n_pairs, 2).transpose(0, 2, 1, 3)
    return scale, off_by(origin.size, np.einsum("if,if->i", local, local).max())


def lay_out(
    centroids: NDArray[Any],  # in
    origin: NDArray[Any],  # in
    factors: NDArray[np.int16],  # out
    squares: NDArray[Any],  # out
    terms: NDArray[Any],  # out
) -> None:
    """Write the factors and ‖c‖², (K,), about the origin; as terms, t and the largest ‖d‖."""
    with np.errstate(over="ignore"):
        local = centroids - origin
        squares[:] = (local * local).sum(axis=1)
    unit = unit_of(np.sqrt(squares.max()))
    numbers = np.rint(local / unit)
    n_groups, n_pairs = factors.shape[:2]
    padded = np.zeros((n_groups * CENTROIDS, 2 * n_pairs), np.int16)
    padded[: len(local), : origin.size] = -numbers
    factors[:] = padded.reshape(n_groups, CENTROIDS, n_pairs, 2).transpose(0, 2, 1, 3)
    terms[:] = unit, np.sqrt(((local - numbers * unit) ** 2).sum(axis=1).max())


def settle(
    values: NDArray[np.int16],  # in
    norms: NDArray[np.float32],  # in
    scale: float,  # in
    off: float,  # in
    factors: NDArray[np.int16],  # in
    squares: NDArray[Any],  # in
    terms: NDArray[Any],  # in
    gains: NDArray[Any],  # in
    limits: NDArray[np.float32],  # in/out
    labels: NDArray[Any],  # in/out
    places: NDArray[np.int32],  # out
    counts: NDArray[np.int64],  # out
    kept: list[Any],  # noqa: ARG001 - in/out, the compiled engine's
) -> None:
    """Label points whose limits aren't above the gains of their labels, and set new limits, where rounding allows it.

    Writes the places of those that are left, (n,) int32, and counts: how many these are, how many points were compared,
    and how many of them labelled.
    """
    compared = np.flatnonzero(~(limits > gains[labels]))
    is_left, n_compared = np.ones(compared.size, np.bool_), 0
    unit, error = terms
    if is_held(scale, unit):
        n_compared = compared.size
        offsets = np.rint(squares / (2 * scale * unit))[:, np.newaxis]
        directions = _by_centroid(factors)[: len(squares)]
        for start in range(0, n_compared, POINTS_AT_ONCE):
            some = compared[start : start + POINTS_AT_ONCE]
            rows = values[some // POINTS, :, some % POINTS].reshape(some.size, -1).T.astype(np.float64)
            found = products(directions, rows) + offsets  # exact, as float64 holds all these integers
            nearest = found.argmin(axis=0)
            best, second = np.partition(found, 1, axis=0)[:2]
            own = norms[some].astype(np.float64)
            leads = least_lead(scale, off, unit, error, own, best, second, np.sqrt, np.maximum)
            told = leads > 0
            labels[some[told]] = nearest[told]
            limits[some[told]] = limit(gains[nearest[told]], leads[told])
            is_left[start : start + POINTS_AT_ONCE] = ~told
    left = compared[is_left]
    places[: left.size] = left
    counts[:] = left.size, n_compared, compared.size - left.size


def _by_centroid(factors: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return the numbers of centroids in rows."""
    return factors.transpose(0, 2, 1, 3).reshape(factors.shape[0] * CENTROIDS, -1).astype(np.float64)
