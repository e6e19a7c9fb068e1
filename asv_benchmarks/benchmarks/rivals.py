"""Dense k-means beside others: the same pixels as float32, first centroids and number of iterations, on two threads.

`implementation` is a parameter, so that one plot shows them all, and the ratio. What isn't installed is n/a. How each
is called, and how its work differs at the ends, is in the other rivals.py, one folder up.
"""

import os
import sys
from functools import cache
from pathlib import Path

import numpy as np

from .common import Timed, picture, spread, warm_up

sys.path.append(str(Path(__file__).parents[1]))
from rivals import ITERATIONS, PINNED, error_of_centroids, find

N_ITERATIONS = 3
MOST_DIFFERENCES = 50_000_000  # numbers of 8 bytes in the textbook's array
IMPLEMENTATIONS = {
    "textbook": "textbook NumPy",
    "scikit-learn": "scikit-learn KMeans",
    "faiss": "faiss-cpu",
    "opencv": "OpenCV kmeans",
    "kmeans_fast": "kmeans_fast, float32",
}


@cache
def pixels_of(megapixels):
    return picture(megapixels).reshape(-1, 3).astype(np.float32)


@cache
def prepared(implementation, megapixels, n_clusters):
    """Return what is to be timed."""
    os.environ.update(PINNED)
    tool = find(ITERATIONS, IMPLEMENTATIONS[implementation])
    if tool.missing():
        raise NotImplementedError(f"{tool.name}: {tool.missing()}")
    pixels = pixels_of(megapixels)
    if implementation == "textbook" and pixels.size * n_clusters > MOST_DIFFERENCES:
        raise NotImplementedError("takes too much memory")
    init = spread(pixels, n_clusters) + 0.25  # no two of them alike
    return tool.make(pixels.astype(tool.dtype), init, N_ITERATIONS)


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

    def setup(self, implementation):
        self.run = prepared(implementation, 0.1, 16)

    def track_inertia_a_pixel(self, implementation):
        """In squared 8-bit steps."""
        return error_of_centroids(pixels_of(0.1), self.run())
