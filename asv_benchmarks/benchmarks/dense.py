"""The dense pass, which looks at every point, and cells of points: from given centroids, by features and K."""

import kmeans_fast as kf

from .common import OURS, Timed, float_points, picture, spread, warm_up


class Points(Timed):
    """Two iterations and the last assignment, so three passes over a million points."""

    params = (["photo", "float32"], [8, 16, 64, 256])
    param_names = ("points", "n_clusters")

    def setup(self, points, n_clusters):
        self.points = picture(1) if points == "photo" else float_points(1_000_000)
        self.init = spread(self.points, n_clusters)
        warm_up(self.time_kmeans, points, n_clusters)

    def time_kmeans(self, points, n_clusters):
        kf.kmeans(self.points, n_clusters, init=self.init, max_iter=2, algorithm="dense", **OURS)


class Threads(Timed):
    params = [1, 2]
    param_names = ("n_threads",)

    def setup(self, n_threads):
        self.points = float_points(1_000_000)
        self.init = spread(self.points, 256)
        warm_up(self.time_kmeans, n_threads)

    def time_kmeans(self, n_threads):
        kf.kmeans(self.points, 256, init=self.init, max_iter=2, algorithm="dense", **OURS | {"n_threads": n_threads})


class Features(Timed):
    """One pass over 100,000 points. A filter is spelled out for 1 to 4 features, and made of products for the rest."""

    params = ([1, 3, 4, 5, 16, 64], [16, 256])
    param_names = ("n_features", "n_clusters")

    def setup(self, n_features, n_clusters):
        self.points = float_points(100_000, n_features)
        self.centroids = spread(self.points, n_clusters)
        warm_up(self.time_assign, n_features, n_clusters)

    def time_assign(self, n_features, n_clusters):
        kf.assign(self.points, self.centroids, **OURS)


class ManyFeatures(Timed):
    """Iterations from given centroids, as they are compared with faiss and scikit-learn."""

    params = ([(300_000, 6, 16), (300_000, 6, 128), (200_000, 16, 64), (100_000, 64, 64), (20_000, 784, 10)],)
    param_names = ("points, features, clusters",)

    def setup(self, sizes):
        n_points, n_features, n_clusters = sizes
        self.points = float_points(n_points, n_features)
        self.init = spread(self.points, n_clusters)
        warm_up(self.time_kmeans, sizes)

    def time_kmeans(self, sizes):
        kf.kmeans(self.points, sizes[2], init=self.init, max_iter=5, **OURS)


class FewFeatures(Timed):
    """Iterations over points of 3 features in float32, which sorting them into cells makes quicker, and without."""

    params = (["auto", "dense"], [16, 256])
    param_names = ("algorithm", "n_clusters")

    def setup(self, algorithm, n_clusters):
        self.points = float_points(300_000)
        self.init = spread(self.points, n_clusters)
        warm_up(self.time_kmeans, algorithm, n_clusters)

    def time_kmeans(self, algorithm, n_clusters):
        kf.kmeans(self.points, n_clusters, init=self.init, max_iter=8, algorithm=algorithm, **OURS)
