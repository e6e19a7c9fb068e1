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

dtype, n_clusters, init, engine = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
# noise of many colours, so that nothing is finished early
image = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3)).astype(dtype)
options = dict(init=init, max_iter=3, engine=engine, n_threads=2)
kf.kmeans(image[:200], n_clusters, **options)
clear_peak()
before = peak()
result = kf.kmeans(image, n_clusters, **options)
print((peak() - before) / 1e6)
"""


def bytes_a_pixel(dtype, n_clusters, init, engine):
    command = [sys.executable, "-c", MEASURE, dtype, str(n_clusters), init, engine]
    # glibc would otherwise keep freed arrays, and serve new ones from them unseen
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    return float(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads the peak from Linux's /proc")
@pytest.mark.parametrize(
    ("dtype", "n_clusters", "init", "limit"),
    [
        ("uint8", 16, "random", 3),  # 1 of labels
        ("float32", 16, "random", 3),
        ("float64", 256, "random", 3),
        ("uint8", 400, "random", 4),  # 2 of labels
        ("float32", 16, "k-means++", 11),  # and 8 of distances, while seeding
    ],
)
def test_bytes_beyond_the_input(engine, dtype, n_clusters, init, limit):
    measured = bytes_a_pixel(dtype, n_clusters, init, engine)
    assert 0.9 <= measured < limit  # the labels at least
