"""Pictures: reading and writing files, and reducing an image to K colours."""

from kmeans_fast.imaging.compression import CompressionReport, compress
from kmeans_fast.imaging.files import read_image
from kmeans_fast.imaging.palettes import QuantizedImage, QuantizedPalette
from kmeans_fast.imaging.quantization import palette, quantize

__all__ = ["CompressionReport", "QuantizedImage", "QuantizedPalette", "compress", "palette", "quantize", "read_image"]
