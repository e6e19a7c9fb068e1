"""The first centroids for the colours of a picture, and where they lead."""

import kmeans_fast as kf

from .common import photo


class Seeding:
    params = (["k-means++", "variance", "cubes"], [16, 256])
    param_names = ("init", "n_clusters")

    def setup(self, init, n_clusters):
        self.histogram = kf.ColorHistogram.from_image(photo(1))
        kf.kmeans(self.histogram, n_clusters, init=init, max_iter=1)  # compiles

    def time_start_and_one_iteration(self, init, n_clusters):
        kf.kmeans(self.histogram, n_clusters, init=init, max_iter=1)

    def track_inertia_after_25_iterations(self, init, n_clusters):
        return kf.kmeans(self.histogram, n_clusters, init=init, max_iter=25).inertia / self.histogram.n_pixels
