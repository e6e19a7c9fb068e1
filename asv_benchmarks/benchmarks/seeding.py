"""The first centroids: of the colours of a picture, and of points."""

import kmeans_fast as kf

from .common import FEW_PIXELS, OURS, SEED, Timed, float_points, histogram_of, require, warm_up

MOST_ON_CUBES = 64


class Colors(Timed):
    """A start and one iteration, the least that can be called; and where the start leads."""

    params = (["k-means++", "variance", "cubes"], [8, 64, 256])
    param_names = ("init", "n_clusters")

    def setup(self, init, n_clusters):
        if init == "cubes" and n_clusters > MOST_ON_CUBES:
            raise NotImplementedError("is not made for so many, and takes seconds")
        self.options = {"init": init, "seed": SEED, **OURS}
        require(lambda: kf.kmeans(FEW_PIXELS, 2, max_iter=1, **self.options))
        self.histogram = histogram_of(1)
        warm_up(self.time_start_and_one_iteration, init, n_clusters)

    def time_start_and_one_iteration(self, init, n_clusters):
        kf.kmeans(self.histogram, n_clusters, max_iter=1, **self.options)

    def track_inertia_a_pixel(self, init, n_clusters):
        """After 25 iterations, in squared 8-bit steps."""
        result = kf.kmeans(self.histogram, n_clusters, max_iter=25, **self.options)
        return result.inertia / self.histogram.n_pixels


class Points(Timed):
    """k-means++ on points that are all different, and one iteration."""

    params = [16, 64]
    param_names = ("n_clusters",)

    def setup(self, n_clusters):
        self.points = float_points(100_000)
        warm_up(self.time_start_and_one_iteration, n_clusters)

    def time_start_and_one_iteration(self, n_clusters):
        kf.kmeans(self.points, n_clusters, init="k-means++", max_iter=1, seed=SEED, **OURS)
