"""Labels, and pictures in a palette's colours, to be made chunk by chunk when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
from dask.delayed import delayed
from numpy.typing import NDArray

from kmeans_fast.arrays import look_up
from kmeans_fast.assigning import assign
from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.colors.lookup import Lookup
from kmeans_fast.colors.sorting import decoded
from kmeans_fast.dask.sources import Source
from kmeans_fast.lending import machine_for
from kmeans_fast.points.access import Points

#: Labels points (n, D), all flat.
Labeller = Callable[[NDArray[Any]], NDArray[Any]]


class ByColor:
    """Labels pixels by their counted colours. A process makes one table for all its chunks."""

    def __init__(self, histogram: ColorHistogram, labels: NDArray[Any], engine: str) -> None:
        self._n_channels, self._codes, self._labels = histogram.n_channels, histogram.codes, labels
        self._engine = engine
        self._lookup: Lookup | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the table, which is larger, and other in each process."""
        return {**self.__dict__, "_lookup": None}

    def __call__(self, points: NDArray[Any]) -> NDArray[Any]:
        """Return labels (n,)."""
        with machine_for(self._engine, 1, len(points), len(points)) as machine:
            if self._lookup is None:
                # what comes from another worker, or was on a disk, may begin at any byte
                codes, labels = (np.require(array, requirements="A") for array in (self._codes, self._labels))
                colors = decoded(codes, self._n_channels, machine)
                self._lookup = Lookup(colors, codes, labels, machine.engine, is_lean=True)
            return self._lookup.labels_of(Points(points), machine)


class ByDistance:
    """Labels points with their nearest centroid."""

    def __init__(self, centroids: NDArray[np.float64], engine: str) -> None:
        self._centroids, self._engine = centroids, engine

    def __call__(self, points: NDArray[Any]) -> NDArray[Any]:
        """Return labels (n,)."""
        return assign(points, self._centroids, engine=self._engine, n_threads=1)


def labels_of(source: Source, labeller: Labeller, dtype: np.dtype[Any]) -> da.Array:
    """Return labels of all points; those that the mask leaves out are masked."""
    return da.map_blocks(
        _label_block,
        *source.arrays,
        # handed to the workers once, not with each task
        labeller=delayed(labeller, pure=True),
        label_dtype=dtype,
        dtype=dtype,
        drop_axis=source.array.ndim - 1,
        meta=np.empty(0, dtype) if source.mask is None else np.ma.MaskedArray(np.empty(0, dtype)),
    )


def _label_block(
    block: NDArray[Any], mask: NDArray[np.bool_] | None = None, *, labeller: Labeller, label_dtype: np.dtype[Any]
) -> NDArray[Any]:
    shape = block.shape[:-1]
    flat = block.reshape(-1, block.shape[-1])
    if mask is None:
        return labeller(flat).reshape(shape) if block.size else np.empty(shape, label_dtype)
    kept = mask.reshape(-1)
    labels = np.zeros(kept.size, label_dtype)
    if kept.any():
        labels[kept] = labeller(flat if kept.all() else flat[kept])
    return np.ma.MaskedArray(labels.reshape(shape), ~kept.reshape(shape))


def values_of(labels: da.Array, values: NDArray[Any]) -> da.Array:
    """Return the value (...) of each label's cluster, masked where the labels are; `values` has shape (K, ...)."""
    is_masked = isinstance(labels._meta, np.ma.MaskedArray)
    meta = np.empty(0, values.dtype)
    deeper = values.ndim - 1
    return da.map_blocks(
        look_up,
        labels,
        values=delayed(values, pure=True),
        dtype=values.dtype,
        new_axis=list(range(labels.ndim, labels.ndim + deeper)) or None,
        chunks=labels.chunks + tuple((n,) for n in values.shape[1:]),
        meta=np.ma.MaskedArray(meta) if is_masked else meta,
    )
