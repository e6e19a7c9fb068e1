"""A fixed number of iterations from given centroids, on the colours of a picture."""

import kmeans_fast as kf

from .common import OURS, Timed, histogram_of, spread_colors, warm_up


class Iterations(Timed):
    """8 iterations, in which much changes, and 100, of which the later ones have less and less to do."""

    params = ([8, 16, 64, 256], [8, 100])
    param_names = ("n_clusters", "n_iterations")

    def setup(self, n_clusters, n_iterations):
        self.histogram = histogram_of(1)
        self.init = spread_colors(self.histogram, n_clusters)
        warm_up(self.time_kmeans, n_clusters, n_iterations)

    def time_kmeans(self, n_clusters, n_iterations):
        kf.kmeans(self.histogram, n_clusters, init=self.init, max_iter=n_iterations, **OURS)


class Threads(Timed):
    """The same on one thread."""

    def setup(self):
        self.histogram = histogram_of(1)
        self.init = spread_colors(self.histogram, 256)
        warm_up(self.time_one_thread)

    def time_one_thread(self):
        kf.kmeans(self.histogram, 256, init=self.init, max_iter=8, **OURS | {"n_threads": 1})
