"""Memory beyond the image and the labels, as the operating system sees it: tracemalloc knows nothing of Numba's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Runs in a process of its own. The peak is set back after a first call, which compiles; Linux only.
MEASURE = """
import sys
import numpy as np
import kmeans_fast as kf

def peak():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024

def clear_peak():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")

dtype, n_clusters, init, algorithm, engine = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
# noise of many colours, so that nothing is finished early
image = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3)).astype(dtype)
init = image.reshape(-1, 3)[:n_clusters] if init == "given" else init
options = dict(init=init, max_iter=1, algorithm=algorithm, engine=engine, n_threads=2)
kf.kmeans(image[:200], n_clusters, **options)
clear_peak()
before = peak()
result = kf.kmeans(image, n_clusters, **options)
print((peak() - before) / 1e6)
"""


def bytes_a_pixel(*arguments):
    command = [sys.executable, "-c", MEASURE, *map(str, arguments)]
    # glibc would otherwise keep freed arrays, and serve new ones from them unseen
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    return float(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads the peak from Linux's /proc")
@pytest.mark.parametrize(
    ("dtype", "n_clusters", "init", "algorithm", "limit"),
    [
        ("uint8", 16, "given", "dense", 3),  # 1 of labels
        ("uint8", 400, "given", "dense", 4),  # 2 of labels
        ("float32", 16, "random", "auto", 3),
        ("float64", 256, "random", "auto", 3),
        ("float32", 16, "k-means++", "auto", 11),  # and 8 of distances, while seeding
        ("uint8", 256, "random", "histogram", 200),  # noise is the worst case: a million colours, tables all in use
    ],
)
def test_bytes_beyond_the_input(engine, dtype, n_clusters, init, algorithm, limit):
    measured = bytes_a_pixel(dtype, n_clusters, init, algorithm, engine)
    assert 0.9 <= measured < limit  # the labels at least
