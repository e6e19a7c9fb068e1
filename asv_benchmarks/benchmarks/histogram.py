"""Counting the colours of a picture."""

import kmeans_fast as kf

from .common import OURS, Timed, histogram_of, least_seconds, picture, require, spread_colors, warm_up


class Counting(Timed):
    params = [0.1, 1, 6, 16]
    param_names = ("megapixels",)

    def setup(self, megapixels):
        require(lambda: kf.ColorHistogram)
        self.image = picture(megapixels)
        warm_up(self.time_from_image, megapixels)

    def time_from_image(self, megapixels):
        kf.ColorHistogram.from_image(self.image, **OURS)

    def track_ns_a_pixel(self, megapixels):
        seconds = least_seconds(lambda: self.time_from_image(megapixels))
        return seconds / self.image[..., 0].size * 1e9

    track_ns_a_pixel.unit = "ns"


class Cells(Timed):
    """The first iteration on a histogram, a quarter of which sorts its colours into cells."""

    def setup(self):
        histogram = histogram_of(1)
        self.init = spread_colors(histogram, 2)
        self.histogram = histogram + histogram  # `+` makes a histogram whose cells aren't sorted yet
        warm_up(self.time_cells)
        self.histogram = histogram + histogram

    def time_cells(self):
        kf.kmeans(self.histogram, 2, init=self.init, max_iter=1, **OURS)
