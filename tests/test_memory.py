"""Memory beyond the image and the labels, as the operating system gives it: tracemalloc knows nothing of Numba's."""

import subprocess
import sys

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("only Linux limits all private memory", allow_module_level=True)

import data_limit
from conftest import ENGINES

CLUSTER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
import numpy as np
import kmeans_fast as kf
from data_limit import suffices

dtype, n_features, n_clusters = sys.argv[1], *map(int, sys.argv[2:4])
init, algorithm, limit, *engines = sys.argv[4:]
# noise of many colours, so that nothing is finished early; more where chunks are much of it beside few bytes a pixel
rows = 700 if init == "k-means++" else 400 if n_clusters == 16 else 250
image = np.random.default_rng(0).integers(0, 256, (rows, 1000, n_features)).astype(dtype)
init = image.reshape(-1, n_features)[:n_clusters] if init == "given" else init
options = dict(init=init, max_iter=1 if n_features == 3 else 3, tol=0, algorithm=algorithm, n_threads=2)
for engine in engines:
    kf.kmeans(image[:140], n_clusters, engine=engine, **options)  # what is imported, compiled and started stays
if n_features > 4:  # OpenBLAS keeps tens of MB for each thread that multiplies while others do
    both = Barrier(2)
    square = np.ones((1500, 1500), np.float32)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: (both.wait(), square @ square), range(2)))
    del square
n_bytes = float(limit) * rows * 1000
for engine in engines:
    print(engine, suffices(n_bytes, lambda: kf.kmeans(image, n_clusters, engine=engine, **options)))
"""


@pytest.mark.parametrize(
    ("dtype", "n_features", "n_clusters", "init", "algorithm", "bytes_a_pixel"),
    [
        ("uint8", 3, 16, "given", "dense", 8.5),  # 1 of labels, 6 of points rounded to 16 bits
        ("uint8", 3, 257, "given", "dense", 10.6),  # 2 of labels
        ("float32", 3, 16, "random", "auto", 8.5),
        pytest.param("float64", 3, 32, "random", "auto", 8.5, marks=pytest.mark.stress),
        ("float32", 3, 16, "k-means++", "auto", 10.5),  # and 8 of distances, while seeding
        ("float32", 16, 8, "given", "auto", 44),  # points rounded to 16 bits, squares, limits and labels
        # noise is the worst case: a million colours, tables all in use
        pytest.param("uint8", 3, 256, "random", "histogram", 200, marks=pytest.mark.stress),
    ],
)
def test_bytes_beyond_the_input(dtype, n_features, n_clusters, init, algorithm, bytes_a_pixel):
    arguments = dtype, n_features, n_clusters, init, algorithm, bytes_a_pixel
    assert data_limit.run(CLUSTER, *arguments, *ENGINES).splitlines() == [f"{engine} True" for engine in ENGINES]


COUNT = """
import sys
import numpy as np
import kmeans_fast as kf
from data_limit import suffices
from kmeans_fast.colors.counting import PIXELS_PER_TABLE

n_channels, work_space, bytes_per_color = map(int, sys.argv[1:4])
engines = sys.argv[4:]
# noise, nearly all of its pixels different; every other column, so that it can't be flattened in place
image = np.random.default_rng(0).integers(0, 256, (1050, 4000, n_channels), np.uint8)[:, ::2]
assert image[..., 0].size > 2 * PIXELS_PER_TABLE  # each thread has one
n_colors = len(kf.ColorHistogram.from_image(image, engine=engines[0], n_threads=2))
assert n_colors > 1_900_000
n_bytes = work_space * 1e6 + bytes_per_color * n_colors
for engine in engines:
    kf.ColorHistogram.from_image(image[:140], engine=engine, n_threads=2)  # imported and started, too
    print(engine, suffices(n_bytes, lambda: kf.ColorHistogram.from_image(image, engine=engine, n_threads=2)))
"""


@pytest.mark.parametrize(
    ("n_channels", "work_space", "bytes_per_color"),
    [(3, 44, 15), (4, 70, 16 + 24)],  # in MB two tables and some work space, or what sorting takes
)
def test_bytes_of_counting(n_channels, work_space, bytes_per_color):
    counted = data_limit.run(COUNT, n_channels, work_space, bytes_per_color, *ENGINES)
    assert counted.splitlines() == [f"{engine} True" for engine in ENGINES]


def test_the_limit_is_one():
    """So that the tests above can fail."""
    script = """if True:
        import numpy as np
        from data_limit import suffices
        print([suffices(2_000_000, lambda: np.empty(n_bytes, np.uint8)) for n_bytes in (1_900_000, 2_100_000)])
        print(suffices(2_000_000, lambda: [np.empty(1_100_000, np.uint8) for _ in range(2)]))
    """
    assert data_limit.run(script) == "[True, False]\nFalse"


TOUCH = """
import resource
from pathlib import Path
from kmeans_fast.machine.pages import sparse_zeros

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

zeros, before = sparse_zeros((32, 2**21), "u1"), resident()
zeros[:, 7] = 1
assert (resident() - before) < 2**21, resident() - before
print(zeros[:, 6:9].tolist() == [[0, 1, 0]] * 32)
"""


def test_an_entry_here_and_there_takes_a_small_page_of_a_table():
    assert data_limit.run(TOUCH) == "True"


def test_no_memory_for_a_table():
    assert (
        data_limit.run("""if True:
        from data_limit import suffices
        from kmeans_fast.machine.pages import sparse_zeros
        print([suffices(2_000_000, lambda: sparse_zeros((n_bytes,), "u1")) for n_bytes in (1_900_000, 2_100_000)])
    """)
        == "[True, False]"
    )


WAIT = """
import resource
from pathlib import Path
import numpy as np
from kmeans_fast.colors.counts import Counts

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

def counted():
    codes = np.arange(100_000, dtype=np.uint32)
    return Counts(codes, np.ones(len(codes), np.int64)).narrowed()

counted()
before = resident()
waiting = [counted() for _ in range(100)]
assert resident() - before > 45e6
del waiting[:-1]
print(resident() - before < 10e6)
"""


def test_counts_that_waited_leave_no_memory_behind():
    """With the allocator as it is for users, whose heap doesn't shrink below what is last in it."""
    done = subprocess.run([sys.executable, "-c", WAIT], capture_output=True, text=True, timeout=300, check=False)
    assert (done.stdout.strip(), done.stderr) == ("True", "")
