"""Counting colours, the iterations on cells, and labels for the pixels."""

import numpy as np

import kmeans_fast as kf

from .common import photo


class Histogram:
    params = [0.1, 1]
    param_names = ("megapixels",)

    def setup(self, megapixels):
        self.image = photo(megapixels)
        self.histogram = kf.ColorHistogram.from_image(self.image)
        self.labels = np.zeros(len(self.histogram), np.uint8)
        self.histogram.labels_of(self.image[:10], self.labels)  # compiles

    def time_from_image(self, megapixels):
        kf.ColorHistogram.from_image(self.image)

    def time_labels_of(self, megapixels):
        self.histogram.labels_of(self.image, self.labels)


class Iterations:
    """A fixed number of iterations on the colours of a picture, on one thread."""

    params = ([16, 256], [8, 100])
    param_names = ("n_clusters", "n_iterations")

    def setup(self, n_clusters, n_iterations):
        self.histogram = kf.ColorHistogram.from_image(photo(0.5))
        places = np.linspace(0, len(self.histogram) - 1, n_clusters).astype(int)
        self.init = self.histogram.colors[places] + 0.25
        self.time_kmeans(n_clusters, 1)  # compiles

    def time_kmeans(self, n_clusters, n_iterations):
        kf.kmeans(self.histogram, n_clusters, init=self.init, max_iter=n_iterations, n_threads=1)
