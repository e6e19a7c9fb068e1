"""The inputs that the benchmarks share: the same for every commit, made from the sample picture and fixed seeds."""

import numpy as np
from PIL import Image

import kmeans_fast as kf


def photo(megapixels):
    """The sample picture enlarged, with a camera's noise: (H, W, 3) uint8."""
    width = round((megapixels * 1e6 * 451 / 300) ** 0.5)
    size = (width, round(megapixels * 1e6 / width))
    with Image.open(kf.sample_path()) as sample:
        enlarged = np.asarray(sample.convert("RGB").resize(size, Image.Resampling.BICUBIC), np.float32)
    noise = np.random.Generator(np.random.PCG64(0)).normal(0, 2, enlarged.shape).astype(np.float32)
    return np.clip(np.rint(enlarged + noise), 0, 255).astype(np.uint8)


def float_points(n_points, n_features=3):
    """Normally distributed float32 points: none like another, neighbours in memory far apart."""
    return np.random.Generator(np.random.PCG64(1)).normal(0, 50, (n_points, n_features)).astype(np.float32)


def spread(points, n_clusters):
    """Points evenly spaced in memory, as first centroids: (K, D) float64."""
    flat = points.reshape(-1, points.shape[-1])
    return flat[np.linspace(0, len(flat) - 1, n_clusters).astype(int)].astype(np.float64)
