"""What a new process waits for: the import, and its first call, with and without compiled code in the cache."""

import subprocess
import sys

import kmeans_fast as kf

from .common import require

EMPTY_CACHE = """
import os
import tempfile
folder = tempfile.TemporaryDirectory()
os.environ["NUMBA_CACHE_DIR"] = folder.name
"""
BEFORE = """
import numpy as np
import kmeans_fast as kf
pixels = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (300, 451, 3), np.uint8)
points = pixels.reshape(-1, 3).astype(np.float32)
"""
# Without engine="numba" NumPy would serve a first call as small as this.
CALLS = {
    "quantize": "kf.quantize(pixels, 8, engine='numba', n_threads=2)",
    "kmeans": "kf.kmeans(points, 8, max_iter=20, engine='numba', n_threads=2)",
}


class _InNewProcess:
    number = 1
    rounds = 1
    min_run_count = 1
    warmup_time = 0


class Imports(_InNewProcess):
    """The import, beside what it can't be cheaper than."""

    params = ["numpy", "kmeans_fast"]
    param_names = ("module",)
    rounds = 2
    repeat = 8

    def timeraw_import(self, module):
        return f"import {module}"


class _FirstCall(_InNewProcess):
    """The first call of a process, after the import: Numba is imported, and kernels are compiled or read."""

    params = list(CALLS)
    param_names = ("call",)

    def setup(self, call):
        if call == "quantize":
            require(lambda: kf.quantize)


class EmptyCache(_FirstCall):
    repeat = 2

    def timeraw_first_call(self, call):
        return CALLS[call], EMPTY_CACHE + BEFORE


class WarmCache(_FirstCall):
    repeat = 8

    def setup(self, call):
        super().setup(call)
        statement, before = self.timeraw_first_call(call)
        subprocess.run([sys.executable, "-c", before + statement], check=True)  # fills it

    def timeraw_first_call(self, call):
        return CALLS[call], BEFORE
