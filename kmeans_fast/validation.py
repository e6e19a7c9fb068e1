"""Checks of arguments, made before any work: each says what came and what is allowed."""

import math
import operator
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_fast import arrays
from kmeans_fast.arrays import Selection
from kmeans_fast.points.access import LARGEST_FLOAT, Points

# Of the sum of all weights: with it, and points as large as they may be, inertia stays far from what overflows.
LARGEST_WEIGHT = 1e20


def integer(name: str, value: Any, minimum: int) -> int:
    """Return an integer of at least `minimum`."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {number}")
    return number


def number(name: str, value: Any) -> float:
    """Return a float that isn't negative or NaN."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None
    if math.isnan(result) or result < 0:
        raise ValueError(f"{name} must be at least 0, got {value!r}")
    return result


def choice(name: str, value: Any, allowed: Collection[str]) -> str:
    """Return one of the allowed strings."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value


def function(name: str, value: Any) -> None:
    """Check that an optional argument can be called."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be callable or None, got {value!r}")


def cluster_count(name: str, value: Any) -> int:
    """Return a number of clusters, at least 1."""
    n_clusters = integer(name, value, 1)
    if n_clusters > 2**32:
        raise ValueError(f"{name} must be at most 2**32, what a label of 32 bits can hold, got {n_clusters}")
    return n_clusters


def centroids(
    name: str, value: ArrayLike, n_features: int | None = None, n_clusters: int | None = None
) -> NDArray[np.float64]:
    """Return centroids as a new C-contiguous (K, D) float64 array."""
    array = arrays.unmasked_numbers(name, value)
    expected = f"({n_clusters or 'K'}, {n_features or 'D'})"
    if (
        array.ndim != 2
        or array.shape[1] != (n_features or array.shape[1])
        or array.shape[0] != (n_clusters or array.shape[0])
    ):
        raise ValueError(f"{name} must have shape {expected}, got {array.shape}")
    checked = Points(array, name)
    checked.check_values()
    return np.array(array, dtype=np.float64, order="C")


def weights(value: ArrayLike | None, points: Selection) -> NDArray[np.float64]:
    """Return the weights of the points that are kept, flat, as float64; nothing, shape (0,), for None."""
    if value is None:
        return np.empty(0)
    array = arrays.unmasked_numbers("sample_weight", value, "; mask= leaves points out")
    if array.shape not in (points.shape, (math.prod(points.shape),)):
        raise ValueError(f"sample_weight must have one weight a point, shape {points.shape}, got {array.shape}")
    flat = points.of(np.ascontiguousarray(array, dtype=np.float64).reshape(-1))
    if not np.isfinite(flat).all():
        raise ValueError("sample_weight must be finite, got NaN or infinity")
    if flat.min() < 0:
        raise ValueError(f"sample_weight must not be negative, got {flat.min():g}")
    if flat.max() == 0:
        raise ValueError("sample_weight must have a positive sum, all weights are 0")
    with np.errstate(over="ignore"):
        total = flat.sum()
    if total > LARGEST_WEIGHT:
        raise ValueError(f"sample_weight must have a sum of at most {LARGEST_WEIGHT:g}, got {total:g}")
    return flat


def without_hidden(points: Selection, weights: NDArray[np.float64]) -> tuple[Selection, NDArray[np.float64]]:
    """Leave out points of weight 0 that no computation can take: NaN, infinity and what is too large."""
    if not weights.size or weights.all() or not points.points.may_be_infinite:
        return points, weights
    hidden = weights == 0
    with np.errstate(invalid="ignore"):
        hidden[hidden] = ~(np.abs(points.points.take(np.flatnonzero(hidden))) <= LARGEST_FLOAT).all(axis=1)
    return (points.without(hidden), weights[~hidden]) if hidden.any() else (points, weights)
