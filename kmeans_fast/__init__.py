"""Exact k-means on pixels: the same bytes every time, in about the time that it takes to decode the picture."""

from kmeans_fast._version import __version__ as __version__
from kmeans_fast.clustering import KMeansResult, assign, kmeans
from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.data import sample_path
from kmeans_fast.imaging import (
    CompressionReport,
    QuantizedImage,
    QuantizedPalette,
    compress,
    palette,
    quantize,
    read_image,
)
from kmeans_fast.progress import print_progress
from kmeans_fast.warming import warmup

__all__ = [
    "ColorHistogram",
    "CompressionReport",
    "KMeansResult",
    "QuantizedImage",
    "QuantizedPalette",
    "assign",
    "compress",
    "kmeans",
    "palette",
    "print_progress",
    "quantize",
    "read_image",
    "sample_path",
    "warmup",
]
