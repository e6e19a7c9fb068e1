"""What people bring, as arrays of real numbers: the one place where anything array-like is taken in, with its mask."""

from __future__ import annotations

import math
import numbers
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_fast.points.access import LARGEST_FLOAT, Points

# Of the sum of all weights: with it, and points as large as they may be, inertia stays far from what overflows.
LARGEST_WEIGHT = 1e20
# What an object that is no array has, and what its owner can do.
_WAYS_OUT = (
    ("toarray", "its toarray() makes an array of it"),
    ("select_dtypes", "select its numeric columns, and fill or drop what is missing"),
    ("keys", "np.array(list(its.values())) makes an array of it"),
    ("__next__", "np.array(list(it)) makes an array of it"),
    ("get", "its get() may return an array"),  # OpenCV's UMat
)
_NUMBERS = (numbers.Number, np.bool_)
_INTEGERS = (numbers.Integral, np.bool_)
# Of Pillow's modes these hold places in a palette, which are no colours.
_INDEXED_MODES = ("P", "PA")


def numbers_of(name: str, value: Any) -> NDArray[Any]:
    """Return what `value` holds as an array of NumPy's numbers, a masked array if it has a mask.

    Raises
    ------
    TypeError
        If it can't be read as an array, or holds objects other than real numbers.
    """
    if is_pillow_image(value) and value.mode in _INDEXED_MODES:
        raise TypeError(f"{name} is a picture of mode {value.mode!r}, whose values are no colours: use .convert('RGB')")
    try:
        array = value if is_masked_array(value) else np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # lists of several lengths; tensors on another device
        raise TypeError(f"{name} can't be read as an array: {error}") from error
    if array.dtype == object:
        return _numbers_in_objects(name, value, array)
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name} must be real numbers of up to 64 bits, got dtype {array.dtype}")
    return array


def _numbers_in_objects(name: str, value: Any, array: NDArray[Any]) -> NDArray[Any]:
    """Convert an array of Python's numbers, as columns of several types and nullable ones come."""
    kept = ~np.ma.getmaskarray(array)
    items = np.ma.getdata(array)[kept].tolist()
    other = [item for item in items if not isinstance(item, _NUMBERS) or isinstance(item, complex)]
    if array.ndim == 0 or other:
        held = f" with {other[0]!r:.40} in it" if array.ndim else ""
        way_out = next((f"; {way}" for attribute, way in _WAYS_OUT if hasattr(value, attribute)), "")
        raise TypeError(f"{name} must be an array of real numbers, got {type(value).__name__}{held}{way_out}")
    are_integers = all(isinstance(item, _INTEGERS) for item in items)
    converted = np.zeros(array.shape, np.int64 if are_integers else np.float64)
    try:
        converted[kept] = items
    except OverflowError:
        raise ValueError(f"{name} must be numbers of up to 64 bits, got larger ones") from None
    return np.ma.MaskedArray(converted, ~kept) if is_masked_array(array) else converted


def is_pillow_image(value: object) -> bool:
    """Say whether this is one of Pillow's images, without importing Pillow."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(value, pillow.Image)


def is_masked_array(value: object) -> bool:
    """Say whether this is one of NumPy's masked arrays, without importing them, as nothing else here needs them."""
    kind = getattr(sys.modules.get("numpy.ma"), "MaskedArray", None)
    return kind is not None and isinstance(value, kind)


def unmasked_numbers(name: str, value: Any, instead: str = "") -> NDArray[Any]:
    """Return `numbers_of`, but refuse a masked array, which NumPy's functions would take as if nothing were masked."""
    array = numbers_of(name, value)
    if is_masked_array(array):
        raise TypeError(f"{name} must not have a mask, got a masked array{instead}")
    return array


@dataclass(frozen=True)
class Selection:
    """Points of which some may be left out.

    Attributes
    ----------
    points : Points
        Those that are kept.
    shape : tuple of int
        Of all points.
    kept : ndarray of bool, shape (N,), or None
        Which of all points those are, flat; None if all are.
    is_masked : bool
        Whether the labels of the others are masked, or 0.
    """

    points: Points
    shape: tuple[int, ...]
    kept: NDArray[np.bool_] | None = None
    is_masked: bool = False

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return those of flat values that belong to points that are kept."""
        return values if self.kept is None or values.size == 0 else values[self.kept]

    def labels(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Return labels of the points that are kept as labels of all of them."""
        if self.kept is None:
            return labels.reshape(self.shape)
        everywhere = np.zeros(self.kept.size, labels.dtype)
        everywhere[self.kept] = labels.reshape(-1)
        shaped = everywhere.reshape(self.shape)
        return np.ma.MaskedArray(shaped, ~self.kept.reshape(self.shape)) if self.is_masked else shaped

    def without(self, dropped: NDArray[np.bool_]) -> Selection:
        """Leave out more, of those that are kept; only where nothing is masked do their labels become 0."""
        kept = np.ones(math.prod(self.shape), np.bool_) if self.kept is None else self.kept.copy()
        kept[kept] = ~dropped
        points = Points(self.points.array.reshape(-1, self.points.n_features)[~dropped], self.points.name)
        return Selection(points, self.shape, kept, self.is_masked)


def select(name: str, value: ArrayLike, mask: ArrayLike | None = None, channel_axis: int | None = -1) -> Selection:
    """Take points in: channels to the last axis, and those that are masked, in one feature or more, left out.

    Parameters
    ----------
    name : str
        What error messages call them.
    value : array_like
        Real numbers, which may be masked.
    mask : array_like of bool, optional
        True for each point to be kept; the shape of the points, or flat.
    channel_axis : int or None
        Where the features are; None for points of one feature, without an axis of its own.
    """
    array = with_channels_last(name, numbers_of(name, value), channel_axis)
    if mask is None and not is_masked_array(array):
        points = Points(array, name)
        return Selection(points, points.shape)
    data = np.ma.getdata(array)
    points = Points(data, name)
    kept = ~np.ma.getmaskarray(array).any(axis=-1).reshape(-1)
    if mask is not None:
        kept &= _checked_mask(mask, points.shape)
    if not kept.any():
        raise ValueError(f"{name} must not be empty, but the mask leaves out all of them")
    if not kept.all():
        return Selection(Points(data.reshape(-1, points.n_features)[kept], name), points.shape, kept, True)
    return Selection(points, points.shape, kept, True)


def with_channels_last(name: str, array: NDArray[Any], channel_axis: int | None) -> NDArray[Any]:
    """Return a view with the features on the last axis."""
    if channel_axis is None:
        if array.ndim == 0:
            raise ValueError(f"{name} must have at least 1 axis, got one number")
        return array[..., np.newaxis]
    if array.ndim < 2:
        raise ValueError(
            f"{name} must have at least 2 axes, one of them for the features, got shape {array.shape}; "
            "for points of one feature use channel_axis=None"
        )
    if isinstance(channel_axis, bool) or not isinstance(channel_axis, int | np.integer):
        raise TypeError(f"channel_axis must be an integer or None, got {channel_axis!r}")
    if not -array.ndim <= channel_axis < array.ndim:
        raise ValueError(f"channel_axis must be an axis of {name}, whose shape is {array.shape}, got {channel_axis}")
    if channel_axis in (-1, array.ndim - 1):
        return array
    return np.moveaxis(array, channel_axis, -1)


def _checked_mask(mask: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    array = unmasked_numbers("mask", mask)
    if array.dtype != np.bool_:
        raise TypeError(f"mask must be boolean, True for each point to be kept, got dtype {array.dtype}; use mask > 0")
    if array.shape not in (shape, (math.prod(shape),)):
        raise ValueError(f"mask must have one value a point, shape {shape}, got {array.shape}")
    return array.reshape(-1)


def with_weights(points: Selection, value: ArrayLike | None) -> tuple[Selection, NDArray[np.float64]]:
    """Return points with their weights, flat; nothing, shape (0,), for None."""
    if value is None:
        return points, np.empty(0)
    weights = _checked_weights(points, value)
    return _without_hidden(points, weights)


def _checked_weights(points: Selection, value: ArrayLike) -> NDArray[np.float64]:
    array = unmasked_numbers("sample_weight", value, "; mask= leaves points out")
    if array.shape not in (points.shape, (math.prod(points.shape),)):
        raise ValueError(f"sample_weight must have one weight a point, shape {points.shape}, got {array.shape}")
    flat = points.of(np.ascontiguousarray(array, dtype=np.float64).reshape(-1))
    if not np.isfinite(flat).all():
        raise ValueError("sample_weight must be finite, got NaN or infinity")
    if flat.min() < 0:
        raise ValueError(f"sample_weight must not be negative, got {flat.min():g}")
    if flat.max() == 0:
        raise ValueError("sample_weight must have a positive sum, all weights are zero")
    with np.errstate(over="ignore"):
        total = flat.sum()
    if total > LARGEST_WEIGHT:
        raise ValueError(f"sample_weight must have a sum of at most {LARGEST_WEIGHT:g}, got {total:g}")
    return flat


def _without_hidden(points: Selection, weights: NDArray[np.float64]) -> tuple[Selection, NDArray[np.float64]]:
    """Leave out points of weight 0 that no computation can take: NaN, infinity and what is too large."""
    if weights.all() or not points.points.may_be_infinite:
        return points, weights
    hidden = weights == 0
    with np.errstate(invalid="ignore"):
        hidden[hidden] = ~(np.abs(points.points.take(np.flatnonzero(hidden))) <= LARGEST_FLOAT).all(axis=1)
    return (points.without(hidden), weights[~hidden]) if hidden.any() else (points, weights)


def centroids(
    name: str, value: ArrayLike, n_features: int | None = None, n_clusters: int | None = None
) -> NDArray[np.float64]:
    """Return centroids as a new C-contiguous (K, D) float64 array."""
    array = unmasked_numbers(name, value)
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


def look_up(labels: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    """Return the value (...) of each label, masked where the labels are; `values` has shape (K, ...)."""
    found: NDArray[Any] = values[np.asarray(labels)]
    if not is_masked_array(labels):
        return found
    mask = np.ma.getmaskarray(labels).reshape(labels.shape + (1,) * (values.ndim - 1))
    return np.ma.MaskedArray(found, np.broadcast_to(mask, found.shape))
