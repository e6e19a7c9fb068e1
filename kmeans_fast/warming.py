"""`warmup`: have everything compiled before it is needed, by doing a little of everything."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from kmeans_fast import engines
from kmeans_fast.clustering import kmeans
from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.imaging.quantization import quantize

# Points of any other dtype are widened to one of these.
DTYPES = (np.uint8, np.uint16, np.int16, np.float32, np.float64)
# Labels of one byte and of two.
N_CLUSTERS = (2, 257)


def warmup() -> None:
    """Compile all kernels for all kinds of points, and keep the code where there is a cache.

    Takes about a minute the first time, on one core; does nothing where Numba can't be used. Made for the build of a
    container: ``kmeans-fast warmup`` in its last step lets every process start with compiled code.

    Notes
    -----
    The code is for the processor that it is compiled on, and of use on others only if they have the same features.
    Numba's ``NUMBA_CPU_NAME=generic``, set for the build and for later, makes code for all of them, which is slower.
    ``NUMBA_CACHE_DIR`` sets the folder; anyone who can write to it can run code as those who use it.

    Examples
    --------
    >>> import kmeans_fast as kf
    >>> kf.warmup()  # doctest: +SKIP
    """
    if engines.numba_obstacle():
        return
    for dtype in DTYPES:
        for n_clusters in N_CLUSTERS:
            for n_features in (3, 4, 5):
                _cluster_points(dtype, n_clusters, n_features)
    for channels in (1, 3, 4):
        for n_clusters in (2, 200, 257):
            _quantize(channels, n_clusters)


def _cluster_points(dtype: DTypeLike, n_clusters: int, n_features: int) -> None:
    """Cluster more points than are compared plainly, and few; with an empty cluster, and from drawn centroids."""
    many: NDArray[Any] = _ramp(70_000, n_features).astype(dtype)
    for points in (many, many[:: len(many) // (4 * n_clusters)]):
        init = np.concatenate([points[: n_clusters - 1], points[:1]])
        kmeans(points, n_clusters, init=init, max_iter=1, algorithm="dense", engine="numba")
    kmeans(many[:100], 2, max_iter=1, sample_weight=np.ones(100), engine="numba")


def _quantize(channels: int, n_clusters: int) -> None:
    """Quantize a picture with enough pixels to be counted in tables, or a small one with transparency."""
    height = 500 if channels < 4 else 5
    image = _ramp(height * 400, channels).astype(np.uint8).reshape(height, 400, channels)
    for init in ("auto", "k-means++"):
        quantize(image, n_clusters, init=init, max_iter=2, engine="numba")
    histogram = ColorHistogram.from_image(image, engine="numba")
    histogram.labels_of(image, np.zeros(len(histogram), np.min_scalar_type(n_clusters - 1)), engine="numba")


def _ramp(n_points: int, n_features: int) -> NDArray[np.int64]:
    """Points that differ, all between 0 and 255."""
    steps = np.arange(n_points)
    return np.stack([steps * (2 * f + 3) // (f + 1) % 256 for f in range(n_features)], axis=1)
