"""Pictures from and to files."""

import tempfile
from pathlib import Path

import kmeans_fast as kf

from .common import OURS, SEED, Timed, jpeg, picture, require, warm_up
from .quantize import quantize


class _InFolder(Timed):
    def setup(self, *params):
        self.folder = tempfile.TemporaryDirectory()
        self.destination = Path(self.folder.name) / "out.png"

    def teardown(self, *params):
        self.folder.cleanup()

    def make_jpeg(self, megapixels):
        path = Path(self.folder.name) / "in.jpg"
        path.write_bytes(jpeg(megapixels))
        return path


class ReadPng(Timed):
    """The sample, of 0.1 megapixels."""

    def setup(self):
        require(lambda: kf.read_image)
        warm_up(self.time_read_image)

    def time_read_image(self):
        kf.read_image(kf.sample_path())


class ReadJpeg(_InFolder):
    params = [1, 6, 16]
    param_names = ("megapixels",)

    def setup(self, megapixels):
        require(lambda: kf.read_image)
        super().setup()
        self.path = self.make_jpeg(megapixels)
        warm_up(self.time_read_image, megapixels)

    def time_read_image(self, megapixels):
        kf.read_image(self.path)


class Write(_InFolder):
    """An indexed PNG of 1 megapixel; with few colours there is a second try at compressing it."""

    params = [8, 64, 256]
    param_names = ("n_colors",)
    made = {}

    def setup(self, n_colors):
        require(lambda: kf.quantize)
        super().setup()
        if n_colors not in self.made:
            self.made[n_colors] = quantize(picture(1), n_colors)
        self.image = self.made[n_colors]
        warm_up(self.time_save, n_colors)

    def time_save(self, n_colors):
        return self.image.save(self.destination)

    def track_bytes(self, n_colors):
        self.image.save(self.destination)
        return self.destination.stat().st_size

    track_bytes.unit = "bytes"


class Compress(_InFolder):
    """From file to file: the sample, and a JPEG of 1 megapixel."""

    params = (["PNG", "JPEG"], [8, 256])
    param_names = ("source", "n_colors")

    def setup(self, source, n_colors):
        require(lambda: kf.compress)
        super().setup()
        self.path = kf.sample_path() if source == "PNG" else self.make_jpeg(1)
        warm_up(self.time_compress, source, n_colors)

    def time_compress(self, source, n_colors):
        kf.compress(self.path, self.destination, n_colors, seed=SEED, **OURS)

    def track_bytes(self, source, n_colors):
        self.time_compress(source, n_colors)
        return self.destination.stat().st_size

    track_bytes.unit = "bytes"
