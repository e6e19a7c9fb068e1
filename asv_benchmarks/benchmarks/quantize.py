"""Whole calls of `quantize`, from an array in memory to a palette and labels, with the defaults of each commit."""

import numpy as np

import kmeans_fast as kf

from .common import FEW_PIXELS, OURS, SEED, Timed, picture, require, warm_up


def quantize(image, n_colors=None, **options):
    return kf.quantize(image, n_colors, seed=SEED, **OURS, **options)


class Pictures(Timed):
    params = ([0.1, 1], [8, 16, 64, 256])
    param_names = ("megapixels", "n_colors")

    def setup(self, megapixels, n_colors):
        require(lambda: kf.quantize)
        self.image = picture(megapixels)
        warm_up(self.time_quantize, megapixels, n_colors)

    def time_quantize(self, megapixels, n_colors):
        quantize(self.image, n_colors)


class LargePictures(Timed):
    """With a limit that the defaults don't reach any more; the first commits went on to the fixed point."""

    params = ([6, 16], [16, 64])
    param_names = ("megapixels", "n_colors")
    setup = Pictures.setup

    def time_quantize(self, megapixels, n_colors):
        quantize(self.image, n_colors, max_iter=20)


class Result:
    """What a picture of 1 megapixel becomes."""

    params = [8, 16, 64, 256]
    param_names = ("n_colors",)

    def setup(self, n_colors):
        require(lambda: kf.quantize)
        self.image = picture(1)

    def track_psnr(self, n_colors):
        return quantize(self.image, n_colors).psnr

    def track_iterations(self, n_colors):
        return quantize(self.image, n_colors).n_iter

    track_psnr.unit = "dB"


class Ways(Timed):
    """Other ways to call it."""

    params = ["palette", "quality=32", "sort=luma", "transparent"]
    param_names = ("way",)

    def setup(self, way):
        options = {
            "palette": {"n_colors": 16},
            "quality=32": {"quality": 32},
            "sort=luma": {"n_colors": 16, "sort": "luma"},
            "transparent": {"n_colors": 16},
        }[way]
        self.call = require(lambda: kf.palette) if way == "palette" else quantize
        require(lambda: self.call(FEW_PIXELS, **options))
        self.options = options
        self.image = picture(0.1 if way == "transparent" else 1)
        if way == "transparent":  # on the left
            alpha = np.broadcast_to(np.linspace(0, 255, self.image.shape[1]).astype(np.uint8), self.image.shape[:2])
            self.image = np.dstack([self.image, alpha])
        warm_up(self.time_quantize, way)

    def time_quantize(self, way):
        self.call(self.image, **self.options)


class Inputs(Timed):
    """Other pictures than opaque ones of 8 bits, beside the same one so, and other spaces."""

    params = ["opaque", "stripe", "soft alpha", "16 bits", "fractions", "oklab"]
    param_names = ("kind",)

    def setup(self, kind):
        image = picture(1)
        height, width = image.shape[:2]
        alpha = np.full((height, width), 255, np.uint8)
        if kind == "stripe":
            alpha[: height // 50] = 128
        if kind == "soft alpha":  # nearly all pixels differ
            alpha[:] = np.linspace(1, 254, width)
        self.image = {
            "stripe": np.dstack([image, alpha]),
            "soft alpha": np.dstack([image, alpha]),
            "16 bits": image * np.uint16(257),
            "fractions": image / np.float32(255),
        }.get(kind, image)
        self.options = {"space": "oklab"} if kind == "oklab" else {}
        require(lambda: quantize(self.image[:4, ::99], 2, **self.options))
        warm_up(self.time_quantize, kind)

    def time_quantize(self, kind):
        quantize(self.image, 16, **self.options)


class Dithering(Timed):
    """A picture of 1 megapixel, labelled by an error that is passed on, or by mixtures."""

    params = (["floyd-steinberg", "bayer"], [16, 256])
    param_names = ("method", "n_colors")

    def setup(self, method, n_colors):
        require(lambda: quantize(FEW_PIXELS, 2, dither=method))
        self.image = picture(1)
        warm_up(self.time_quantize, method, n_colors)

    def time_quantize(self, method, n_colors):
        quantize(self.image, n_colors, dither=method)
