"""A whole picture: from an array in memory to a palette and labels, and from file to file."""

import tempfile
from pathlib import Path

import kmeans_fast as kf

from .common import photo


class Quantize:
    params = ([0.1, 1], [8, 64])
    param_names = ("megapixels", "n_colors")

    def setup(self, megapixels, n_colors):
        self.image = photo(megapixels)
        kf.quantize(self.image[:40], n_colors)  # compiles

    def time_quantize(self, megapixels, n_colors):
        kf.quantize(self.image, n_colors, max_iter=20)

    def track_psnr(self, megapixels, n_colors):
        return kf.quantize(self.image, n_colors, max_iter=20).psnr


class Compress:
    def setup(self):
        self.folder = tempfile.TemporaryDirectory()
        self.destination = Path(self.folder.name) / "out.png"
        kf.compress(kf.sample_path(), self.destination, 8)

    def teardown(self):
        self.folder.cleanup()

    def time_sample(self):
        kf.compress(kf.sample_path(), self.destination, 8)

    def track_bytes(self):
        kf.compress(kf.sample_path(), self.destination, 8)
        return self.destination.stat().st_size


def timeraw_import():
    return "import kmeans_fast"


def timeraw_import_numpy():
    """What the import can't be cheaper than."""
    return "import numpy"
