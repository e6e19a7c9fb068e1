"""The numbers that are drawn: a sample of points, sizes of triangles, distances of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_fast.sampling import spread_places


def spread_sample(points: NDArray[Any], n_points: int) -> NDArray[np.float64]:
    """Return so many of the points (n, 3), spread over all of them."""
    chosen = spread_places(points.size // 3, n_points)
    sample: NDArray[np.float64] = points[np.unravel_index(chosen, points.shape[:-1])].astype(np.float64)
    return sample


def triangle_sizes(labels: ArrayLike | None, shape: tuple[int, ...], n_clusters: int) -> NDArray[np.float64]:
    """Return the area of each centroid's triangle, in square points."""
    if labels is None:
        return np.full(n_clusters, 110.0)
    labels = np.asarray(labels)
    if labels.dtype.kind not in "ui":
        raise TypeError(f"labels must be integers, got dtype {labels.dtype}")
    if labels.shape != shape:
        raise ValueError(f"labels must have one label a point, shape {shape}, got {labels.shape}")
    if labels.min() < 0 or labels.max() >= n_clusters:
        raise ValueError(f"labels must be from 0 to {n_clusters - 1}, got {labels.min()} to {labels.max()}")
    return 50.0 + 500.0 * np.bincount(labels.reshape(-1), minlength=n_clusters) / labels.size


def distances_of(before: NDArray[Any], after: NDArray[Any], tops: tuple[float, float]) -> NDArray[np.float32]:
    """Measure how far apart each pixel's two colours are, in 8-bit levels; float32 holds those levels exactly."""
    has_alpha = 4 in (before.shape[2:] + after.shape[2:])
    moves = _levels(before, tops[0], has_alpha) - _levels(after, tops[1], has_alpha)
    distances: NDArray[np.float32] = np.sqrt(np.einsum("...i,...i", moves, moves))
    return distances


def _levels(image: NDArray[Any], top: float, has_alpha: bool) -> NDArray[np.float32]:
    levels = np.atleast_3d(image).astype(np.float32) * np.float32(255 / top)
    if not has_alpha:
        return levels
    if levels.shape[2] == 3:
        return np.dstack([levels, np.full(levels.shape[:2], 255, np.float32)])
    levels[..., :3] *= levels[..., 3:] / 255
    return levels


def color_top(name: str, values: NDArray[Any]) -> float:
    """Return the value that stands for full brightness: 255, 65535 or 1."""
    if values.dtype in (np.uint8, np.uint16):
        return float(np.iinfo(values.dtype).max)
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    if low < 0 or high > 255:
        raise ValueError(f"{name} must be colours from 0 to 1 or from 0 to 255, got values from {low:g} to {high:g}")
    return 1.0 if values.dtype.kind == "f" and high <= 1 else 255.0
