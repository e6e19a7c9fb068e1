"""What is returned: results whose labels aren't there yet."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import dask.array as da

from kmeans_fast.dask.mapping import values_of
from kmeans_fast.dask.sources import Source
from kmeans_fast.imaging.palettes import QuantizedImage, QuantizedPalette
from kmeans_fast.results import KMeansResult


@dataclass(frozen=True, eq=False, repr=False)
class LazyKMeansResult(KMeansResult):
    """What `kmeans_fast.dask.kmeans` found: a `KMeansResult` whose labels are made when they are asked for.

    Results are equal if their labels are the same array of Dask's, besides.

    Attributes
    ----------
    labels : dask.array.Array or xarray.DataArray
        As in `KMeansResult`; in the chunks of the points. Those of xarray's arrays have their dimensions and
        coordinates but for the features', and are NaN where something is masked.

    Examples
    --------
    >>> import dask.array as da
    >>> import kmeans_fast as kf
    >>> import kmeans_fast.dask
    >>> image = da.from_array(kf.read_image(kf.sample_path()), chunks=(100, 451, 3))
    >>> kf.dask.kmeans(image, 4).labels.shape
    (300, 451)
    """

    _source: Source = field(compare=False)
    _labels: da.Array = field(compare=False)

    def to_array(self) -> Any:
        """Return each point's centroid, as an array like the points that is made when it is asked for."""
        return self._source.like_points(values_of(self._labels, self.centroids))

    def compute(self) -> KMeansResult:
        """Return the result with its labels in memory, as an array of NumPy's."""
        return KMeansResult(**_shared(self, KMeansResult), labels=self._labels.compute())


@dataclass(frozen=True, eq=False, repr=False)
class LazyQuantizedImage(QuantizedPalette):
    """What `kmeans_fast.dask.quantize` found: a palette, and labels that are made when they are asked for.

    Attributes
    ----------
    palette, counts, mse, psnr, n_iter, converged, quality_met
        As in `QuantizedPalette`.
    labels : dask.array.Array or xarray.DataArray, shape (H, W)
        As in `LazyKMeansResult`.

    Examples
    --------
    >>> import dask.array as da
    >>> import kmeans_fast as kf
    >>> import kmeans_fast.dask
    >>> image = da.from_array(kf.read_image(kf.sample_path()), chunks=(100, 451, 3))
    >>> kf.dask.quantize(image, 4).labels.shape
    (300, 451)
    """

    labels: Any
    _source: Source
    _labels: da.Array

    def to_array(self) -> Any:
        """Return the image of the palette's dtype, made when it is asked for: (H, W) if grey, (H, W, 3) or (H, W, 4).

        That of an array of xarray's has its dimensions in their order.
        """
        palette = self.palette[:, 0] if self.palette.shape[1] == 1 else self.palette
        return self._source.like_points(values_of(self._labels, palette))

    def compute(self) -> QuantizedImage:
        """Return the image with its labels in memory, as an array of NumPy's."""
        return QuantizedImage(**_shared(self, QuantizedImage), labels=self._labels.compute())

    def _described(self) -> str:
        height, width = self._labels.shape
        return f"{width}×{height} pixels, {super()._described()}"


def _shared(result: Any, kind: type) -> dict[str, Any]:
    """Return what another kind of result takes over, all but the labels."""
    return {part.name: getattr(result, part.name) for part in fields(kind) if part.name != "labels"}


def lazy(kind: type, found: Any, source: Source, labels: da.Array) -> Any:
    """Return a result of this kind with labels to be made."""
    return kind(**_shared(found, type(found)), labels=source.like_labels(labels), _source=source, _labels=labels)
