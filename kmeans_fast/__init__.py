"""Exact k-means on pixels: the same bytes every time, in about the time that it takes to decode the picture."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kmeans_fast._version import __version__ as __version__

if TYPE_CHECKING:
    from kmeans_fast.assigning import assign
    from kmeans_fast.clustering import kmeans
    from kmeans_fast.colors.histogram import ColorHistogram
    from kmeans_fast.data import sample_path
    from kmeans_fast.imaging.comparing import Comparison, compare
    from kmeans_fast.imaging.compression import CompressionReport, compress
    from kmeans_fast.imaging.files import read_frames, read_image
    from kmeans_fast.imaging.frames import Frames
    from kmeans_fast.imaging.given import read_palette
    from kmeans_fast.imaging.palette import Palette
    from kmeans_fast.imaging.palettes import QuantizedImage, QuantizedPalette
    from kmeans_fast.imaging.quantization import apply_palette, palette, quantize
    from kmeans_fast.progress import print_progress
    from kmeans_fast.reporting.making import report
    from kmeans_fast.results import KMeansResult
    from kmeans_fast.warming import warmup

__all__ = [
    "ColorHistogram",
    "Comparison",
    "CompressionReport",
    "Frames",
    "KMeansResult",
    "Palette",
    "QuantizedImage",
    "QuantizedPalette",
    "apply_palette",
    "assign",
    "compare",
    "compress",
    "kmeans",
    "palette",
    "print_progress",
    "quantize",
    "read_frames",
    "read_image",
    "read_palette",
    "report",
    "sample_path",
    "warmup",
]

# Where the public names are. Each module is imported when one of its names is first used (PEP 562), so that nobody
# waits for what isn't used; the imports above tell type checkers and bundlers of programs the same.
_HOMES = {
    "assigning": ("assign",),
    "clustering": ("kmeans",),
    "colors.histogram": ("ColorHistogram",),
    "data": ("sample_path",),
    "imaging.comparing": ("Comparison", "compare"),
    "imaging.compression": ("CompressionReport", "compress"),
    "imaging.files": ("read_frames", "read_image"),
    "imaging.frames": ("Frames",),
    "imaging.given": ("read_palette",),
    "imaging.palette": ("Palette",),
    "imaging.palettes": ("QuantizedImage", "QuantizedPalette"),
    "imaging.quantization": ("apply_palette", "palette", "quantize"),
    "progress": ("print_progress",),
    "reporting.making": ("report",),
    "results": ("KMeansResult",),
    "warming": ("warmup",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
