"""The dense pass: time and memory of a fixed number of iterations from given centroids."""

import kmeans_fast as kf

from .common import float_points, photo, spread


class Dense:
    """Two iterations and the last assignment, so three passes over the points."""

    params = (["photo", "float32"], [16, 256], [1, 2])
    param_names = ("points", "n_clusters", "n_threads")

    def setup(self, points, n_clusters, n_threads):
        self.points = photo(1) if points == "photo" else float_points(1_000_000)
        self.options = {"max_iter": 2, "algorithm": "dense", "n_threads": n_threads}
        self.init = spread(self.points, n_clusters)
        kf.kmeans(self.points[:600], n_clusters, init=self.init, **self.options)  # compiles

    def time_kmeans(self, points, n_clusters, n_threads):
        kf.kmeans(self.points, n_clusters, init=self.init, **self.options)

    def peakmem_kmeans(self, points, n_clusters, n_threads):
        kf.kmeans(self.points, n_clusters, init=self.init, **self.options)

    def peakmem_reference(self, points, n_clusters, n_threads):
        """What the process takes before the call: subtract it from the peak."""

    def track_inertia(self, points, n_clusters, n_threads):
        return kf.kmeans(self.points, n_clusters, init=self.init, **self.options).inertia


class Features:
    """The filter serves 1 to 4 features, the plain pass the rest."""

    params = [1, 2, 3, 4, 5, 16, 64]
    param_names = ("n_features",)

    def setup(self, n_features):
        self.points = float_points(100_000, n_features)
        self.centroids = spread(self.points, 64)
        kf.assign(self.points[:600], self.centroids)

    def time_assign(self, n_features):
        kf.assign(self.points, self.centroids, n_threads=1)
