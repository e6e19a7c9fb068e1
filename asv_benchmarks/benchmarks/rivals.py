"""Dense k-means beside others: the same pixels as float32, first centroids and number of iterations, on two threads.

`implementation` is a parameter, so that one plot shows them all, and the ratio. What isn't installed is n/a. Work
differs at the ends: kmeans_fast and scikit-learn assign once more, to the last averages; OpenCV takes labels to start
from, whose making isn't timed, and measures the last error; faiss and the textbook only do the iterations.
"""

import os
from functools import cache

import numpy as np

import kmeans_fast as kf

from .common import N_THREADS, Timed, picture, spread, warm_up

ITERATIONS = 3
# How many numbers the textbook's array of all differences may take, of 8 bytes.
MOST_DIFFERENCES = 50_000_000
# Read by libraries when they are imported.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def textbook(pixels, init):
    """The loop that everybody writes."""
    points = pixels.astype(np.float64)
    if points.size * len(init) > MOST_DIFFERENCES:
        raise NotImplementedError("takes too much memory")

    def run():
        centroids = init
        for _ in range(ITERATIONS):
            distances = np.sqrt(((points[:, np.newaxis, :] - centroids[np.newaxis, :, :]) ** 2).sum(axis=2))
            labels = np.argmin(distances, axis=1)
            centroids = np.array([points[labels == k].mean(axis=0) for k in range(len(centroids))])
        return centroids

    return run


def scikit_learn(pixels, init):
    from sklearn.cluster import KMeans

    first = init.astype(np.float32)
    model = KMeans(len(init), init=first, n_init=1, max_iter=ITERATIONS, tol=0, algorithm="lloyd")
    return lambda: model.fit(pixels).cluster_centers_


def faiss(pixels, init):
    import faiss

    faiss.omp_set_num_threads(N_THREADS)
    first = init.astype(np.float32)
    options = {"niter": ITERATIONS, "max_points_per_centroid": len(pixels), "min_points_per_centroid": 1}

    def run():
        model = faiss.Kmeans(pixels.shape[1], len(init), **options)
        model.train(pixels, init_centroids=first)
        return model.centroids

    return run


def opencv(pixels, init):
    import cv2

    cv2.setNumThreads(N_THREADS)
    # an iteration averages, and all but the first assign before
    first = kf.assign(pixels, init, n_threads=N_THREADS).astype(np.int32)
    stop = (cv2.TERM_CRITERIA_MAX_ITER, ITERATIONS, 0.0)
    return lambda: cv2.kmeans(pixels, len(init), first.copy(), stop, 1, cv2.KMEANS_USE_INITIAL_LABELS)[2]


def kmeans_fast(pixels, init):
    options = {"max_iter": ITERATIONS, "algorithm": "dense", "n_threads": N_THREADS}
    return lambda: kf.kmeans(pixels, len(init), init=init, **options).centroids


IMPLEMENTATIONS = {
    "textbook": textbook,
    "scikit-learn": scikit_learn,
    "faiss": faiss,
    "opencv": opencv,
    "kmeans_fast": kmeans_fast,
}


@cache
def pixels_of(megapixels):
    return picture(megapixels).reshape(-1, 3).astype(np.float32)


@cache
def prepared(implementation, megapixels, n_clusters):
    """Return what is to be timed."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(N_THREADS)))
    pixels = pixels_of(megapixels)
    init = spread(pixels, n_clusters) + 0.25  # no two of them alike
    try:
        return IMPLEMENTATIONS[implementation](pixels, init)
    except ImportError as error:
        raise NotImplementedError(f"{implementation} isn't installed") from error


class Dense(Timed):
    params = (list(IMPLEMENTATIONS), [0.1, 1], [16, 256])
    param_names = ("implementation", "megapixels", "n_clusters")

    def setup(self, *params):
        self.run = prepared(*params)
        warm_up(self.time_iterations, *params)

    def time_iterations(self, implementation, megapixels, n_clusters):
        self.run()


class Agreement:
    """The error that all of them should come to alike."""

    params = list(IMPLEMENTATIONS)
    param_names = ("implementation",)
    timeout = Timed.timeout

    def setup(self, implementation):
        self.run = prepared(implementation, 0.1, 16)

    def track_inertia_a_pixel(self, implementation):
        """In squared 8-bit steps."""
        pixels = pixels_of(0.1)
        centroids = np.asarray(self.run(), np.float64)
        differences = pixels - centroids[kf.assign(pixels, centroids, n_threads=N_THREADS)]
        return float((differences**2).sum() / len(pixels))
