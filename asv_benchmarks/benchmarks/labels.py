"""A label for every pixel, from the labels of the colours."""

import numpy as np

from .common import OURS, Timed, histogram_of, least_seconds, picture, warm_up


class Labels(Timed):
    params = [0.1, 1, 6, 16]
    param_names = ("megapixels",)

    def setup(self, megapixels):
        self.image = picture(megapixels)
        self.histogram = histogram_of(megapixels)
        self.color_labels = (np.arange(len(self.histogram)) % 251).astype(np.uint8)
        warm_up(self.time_labels_of, megapixels)

    def time_labels_of(self, megapixels):
        self.histogram.labels_of(self.image, self.color_labels, **OURS)

    def track_ns_a_pixel(self, megapixels):
        seconds = least_seconds(lambda: self.time_labels_of(megapixels))
        return seconds / self.image[..., 0].size * 1e9

    track_ns_a_pixel.unit = "ns"
