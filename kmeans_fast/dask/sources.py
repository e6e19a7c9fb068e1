"""What users bring: Dask's arrays, or xarray's of them, with their masks; and results in the same form."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
from dask.delayed import Delayed

from kmeans_fast.arrays import with_channels_last


@dataclass(frozen=True)
class Source:
    """Points in chunks.

    Attributes
    ----------
    array : dask.array.Array, shape (..., D)
        All features of a point are in one chunk.
    mask : dask.array.Array of bool, shape (...), or None
        True for each point to be kept, in the same chunks; None if all are.
    original : xarray.DataArray or None
        Whose coordinates the results get.
    channel_dim : hashable or None
        The original's dimension of features, if it has one.
    """

    array: da.Array
    mask: da.Array | None
    original: Any = None
    channel_dim: Any = None

    @property
    def arrays(self) -> tuple[da.Array, ...]:
        """The points and, if there is one, their mask, with as many axes: for functions of blocks."""
        return (self.array,) if self.mask is None else (self.array, self.mask[..., np.newaxis])

    @property
    def blocks(self) -> list[tuple[Delayed, Delayed | None]]:
        """Each chunk with its mask, in order."""
        parts = self.array.to_delayed().ravel().tolist()
        masks = [None] * len(parts) if self.mask is None else self.mask.to_delayed().ravel().tolist()
        return list(zip(parts, masks, strict=True))

    def like_labels(self, labels: da.Array) -> Any:
        """Return labels (...) with the original's coordinates; what is masked is NaN there, as is usual in xarray."""
        if self.original is None:
            return labels
        template = self.original
        if self.channel_dim is not None:
            template = template.isel({self.channel_dim: 0}, drop=True)
        result = template.copy(data=labels if self.mask is None else da.ma.filled(labels, 0))
        result.name, result.attrs, result.encoding = "labels", {}, {}
        return result if self.mask is None else result.where(template.copy(data=self.mask))

    def like_points(self, points: da.Array) -> Any:
        """Return points (..., D), or (...) if those of the original are grey, with its coordinates."""
        if self.original is None:
            return points
        if self.channel_dim is None:
            return self.original.copy(data=points[..., 0] if points.ndim > self.original.ndim else points)
        if points.ndim < self.original.ndim:
            return self.original.isel({self.channel_dim: 0}, drop=True).copy(data=points)
        some = self.original.isel({self.channel_dim: slice(0, points.shape[-1])})
        return some.transpose(..., self.channel_dim).copy(data=points).transpose(*self.original.dims)


def source_of(name: str, value: Any, mask: Any, channel_axis: Any) -> Source:
    """Take points in, with their features to the last axis, and what is masked.

    Raises
    ------
    TypeError, ValueError
        If it is nothing of Dask's, or no real numbers, or of another shape than its mask; before anything is computed.
    """
    original, channel_dim = None, None
    if _is_of_xarray(value):
        original = value
        if isinstance(channel_axis, str):
            channel_axis = _axis_named(name, value, channel_axis)
        value, given = original.data, channel_axis
        if isinstance(given, int | np.integer) and -original.ndim <= given < original.ndim:
            channel_dim = original.dims[given]
        if _is_of_xarray(mask):
            mask = _like(original, channel_dim, mask)
    array = _checked(name, value, channel_axis)
    return Source(*_with_mask(array, mask), original, channel_dim)


def _is_of_xarray(value: object) -> bool:
    """Say whether this is an array of xarray's, without importing that."""
    xarray = sys.modules.get("xarray")
    return xarray is not None and isinstance(value, xarray.DataArray)


def _axis_named(name: str, value: Any, dim: str) -> int:
    if dim not in value.dims:
        raise ValueError(f"channel_axis must be a dimension of {name}, {value.dims}, got {dim!r}")
    return int(value.get_axis_num(dim))


def _like(original: Any, channel_dim: Any, mask: Any) -> Any:
    """Return the data of a mask whose dimensions are in any order."""
    dims = [dim for dim in original.dims if dim != channel_dim]
    if sorted(map(str, mask.dims)) != sorted(map(str, dims)):
        raise ValueError(f"mask must have the dimensions {tuple(dims)}, got {mask.dims}")
    return mask.transpose(*dims).data


def _checked(name: str, array: Any, channel_axis: int | None) -> da.Array:
    if not isinstance(array, da.Array):
        raise TypeError(
            f"{name} must be an array of Dask's, or of xarray's in chunks, got {type(array).__name__}; "
            "the functions of kmeans_fast itself take others"
        )
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name} must be real numbers of up to 64 bits, got dtype {array.dtype}")
    if np.isnan(array.shape).any():
        raise ValueError(f"{name} must have a known shape; compute_chunk_sizes() finds it out")
    # refuses what it must, by the shape alone
    with_channels_last(name, np.broadcast_to(np.zeros(1), array.shape), channel_axis)
    if channel_axis is None:
        array = array[..., np.newaxis]
    elif channel_axis not in (-1, array.ndim - 1):
        array = da.moveaxis(array, channel_axis, -1)
    return array.rechunk({array.ndim - 1: -1})


def _with_mask(array: da.Array, mask: Any) -> tuple[da.Array, da.Array | None]:
    """Return the data, and what is kept by a mask and by that of masked chunks."""
    kept = None
    if isinstance(array._meta, np.ma.MaskedArray):
        kept = ~da.ma.getmaskarray(array).any(axis=-1)
        array = da.ma.getdata(array)
    if mask is None:
        return array, kept
    if isinstance(mask, np.ndarray) and mask.dtype == np.bool_ and mask.shape == array.shape[:-1]:
        mask = da.from_array(mask, chunks=array.chunks[:-1])
    if not isinstance(mask, da.Array) or mask.dtype != np.bool_ or mask.shape != array.shape[:-1]:
        raise ValueError(
            f"mask must be an array of bool, NumPy's or Dask's, shape {array.shape[:-1]}, True for each point to be "
            f"kept, got {type(mask).__name__} {getattr(mask, 'dtype', '')} {getattr(mask, 'shape', '')}"
        )
    mask = mask.rechunk(array.chunks[:-1])
    return array, mask if kept is None else mask & kept
