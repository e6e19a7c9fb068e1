"""Whole calls of `kmeans` on pictures: counting, start, iterations and labels."""

import kmeans_fast as kf

from .common import FEW_PIXELS, OURS, SEED, Timed, picture, require, spread, warm_up


class Pictures(Timed):
    """At most 25 iterations from drawn centroids."""

    params = ([0.1, 1], [8, 16, 64, 256])
    param_names = ("megapixels", "n_clusters")

    def setup(self, megapixels, n_clusters):
        self.image = picture(megapixels)
        warm_up(self.time_kmeans, megapixels, n_clusters)

    def time_kmeans(self, megapixels, n_clusters):
        kf.kmeans(self.image, n_clusters, max_iter=25, seed=SEED, **OURS)


class LargePictures(Timed):
    """8 iterations from given centroids."""

    params = ([6, 16], [16, 256])
    param_names = ("megapixels", "n_clusters")

    def setup(self, megapixels, n_clusters):
        self.image = picture(megapixels)
        self.init = spread(self.image, n_clusters) + 0.25  # no two of them alike
        warm_up(self.time_kmeans, megapixels, n_clusters)

    def time_kmeans(self, megapixels, n_clusters):
        kf.kmeans(self.image, n_clusters, init=self.init, max_iter=8, **OURS)


class Convergence(Timed):
    """From drawn centroids until nothing moves any more, by Lloyd's algorithm and by longer steps.

    Longer steps swing around the fixed point, and stop where the last was shorter than a tenth of an 8-bit step.
    """

    params = (["Lloyd", "relaxation", "momentum"], [16, 256])
    param_names = ("steps", "n_clusters")
    steps = {
        "Lloyd": {},
        "relaxation": {"relaxation": 1.9, "tol": 0.01},
        "momentum": {"relaxation": 1.9, "momentum": 0.6, "tol": 0.01},
    }

    def setup(self, steps, n_clusters):
        self.options = {"max_iter": 10_000, "seed": SEED, **OURS, **self.steps[steps]}
        require(lambda: kf.kmeans(FEW_PIXELS, 2, **self.options))
        self.image = picture(0.1)
        warm_up(self.time_kmeans, steps, n_clusters)

    def time_kmeans(self, steps, n_clusters):
        return kf.kmeans(self.image, n_clusters, **self.options)

    def track_iterations(self, steps, n_clusters):
        return self.time_kmeans(steps, n_clusters).n_iter

    def track_inertia_a_pixel(self, steps, n_clusters):
        """In squared 8-bit steps."""
        return self.time_kmeans(steps, n_clusters).inertia / self.image[..., 0].size
