"""The most memory that a process has used at the end of a call.

What the call itself takes is that less `peakmem_reference`, which has the same picture and has made all calls on a
small one, so that kernels are loaded. The picture is made in another process (by `setup_cache`), since making it takes
more than clustering it.
"""

from contextlib import suppress

import numpy as np

import kmeans_fast as kf

from .common import OURS, SEED, photo, require, spread
from .quantize import quantize

N_CLUSTERS = 16


def count(image):
    require(lambda: kf.ColorHistogram).from_image(image, **OURS)


def reduce_colors(image):
    require(lambda: kf.quantize)
    quantize(image, N_CLUSTERS, max_iter=3)


def cluster(image):
    kf.kmeans(image, N_CLUSTERS, max_iter=3, seed=SEED, **OURS)


def cluster_densely(image):
    init = spread(image, N_CLUSTERS) + 0.25
    kf.kmeans(image, N_CLUSTERS, init=init, max_iter=3, algorithm="dense", **OURS)


def make_all_calls():
    for call in (count, reduce_colors, cluster, cluster_densely):
        with suppress(NotImplementedError):
            call(photo(0.1))


class _Loaded:
    params = [1, 16]
    param_names = ("megapixels",)

    def setup_cache(self):
        make_all_calls()  # compiles
        for megapixels in _Loaded.params:
            np.save(f"{megapixels}.npy", photo(megapixels))

    def setup(self, megapixels):
        make_all_calls()
        self.image = np.load(f"{megapixels}.npy")

    def peakmem_reference(self, megapixels):
        """What there is without a call: subtract it from the others."""


class Kmeans(_Loaded):
    def peakmem_kmeans(self, megapixels):
        cluster(self.image)

    def peakmem_dense(self, megapixels):
        cluster_densely(self.image)


class Pictures(_Loaded):
    def setup(self, megapixels):
        require(lambda: (kf.ColorHistogram, kf.quantize))
        super().setup(megapixels)

    def peakmem_from_image(self, megapixels):
        count(self.image)

    def peakmem_quantize(self, megapixels):
        reduce_colors(self.image)
