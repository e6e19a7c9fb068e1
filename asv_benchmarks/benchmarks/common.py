"""What the benchmarks share: inputs that are the same for every commit, how often to time, and what a commit lacks.

asv runs each benchmark with each of its parameters in a process of its own, and calls `setup` before each sample. So
what `setup` needs is made once in a process (`functools.cache`), and `warm_up` calls what will be timed before the
clock starts: kernels are then compiled or loaded, and threads have been started.
"""

import io
import time
from functools import cache

import numpy as np
from PIL import Image

import kmeans_fast as kf

# What each call that is timed is made with: without the engine, NumPy would serve while code is being compiled.
OURS = {"engine": "numba", "n_threads": 2}
SEED = 0
FEW_PIXELS = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)


class Timed:
    """How often asv calls what it times: in each of 3 processes twice, then until 200 times or a second.

    A sample is one call, as `setup` comes between two calls anyway. The result is the samples' median.
    """

    number = 1
    rounds = 3
    repeat = (2, 200, 1.0)
    min_run_count = 1
    warmup_time = 0  # `warm_up` does that


@cache
def warm_up(benchmark, *params):
    """Call a benchmark, once in each process. To be called at the end of `setup`."""
    benchmark(*params)


def least_seconds(call, repeats=20):
    """Time a call several times; for what is tracked as time per something."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return min(times)


def require(call):
    """Let asv show n/a if a small call fails: at this commit there's no such function, option or choice.

    The suite is run on commits of long ago. That nothing is n/a at this one is what tests/test_benchmarks.py sees to.
    """
    try:
        return call()
    except (AttributeError, TypeError, ValueError) as error:
        raise NotImplementedError(f"not at this commit: {error}") from error


def photo(megapixels):
    """The sample picture enlarged, with a camera's noise: (H, W, 3) uint8."""
    width = round((megapixels * 1e6 * 451 / 300) ** 0.5)
    size = (width, round(megapixels * 1e6 / width))
    with Image.open(kf.sample_path()) as sample:
        enlarged = np.asarray(sample.convert("RGB").resize(size, Image.Resampling.BICUBIC), np.float32)
    noise = np.random.Generator(np.random.PCG64(0)).normal(0, 2, enlarged.shape).astype(np.float32)
    return np.clip(np.rint(enlarged + noise), 0, 255).astype(np.uint8)


def float_points(n_points, n_features=3):
    """Normally distributed float32 points: none like another, neighbours in memory far apart."""
    return np.random.Generator(np.random.PCG64(1)).normal(0, 50, (n_points, n_features)).astype(np.float32)


def spread(points, n_clusters):
    """Points evenly spaced in memory, as first centroids: (K, D) float64."""
    flat = points.reshape(-1, points.shape[-1])
    return flat[np.linspace(0, len(flat) - 1, n_clusters).astype(int)].astype(np.float64)


@cache
def picture(megapixels):
    """`photo`, made once in a process, and not to be written to."""
    image = photo(megapixels)
    image.setflags(write=False)
    return image


@cache
def jpeg(megapixels):
    """The bytes of a JPEG file of `photo`."""
    buffer = io.BytesIO()
    Image.fromarray(picture(megapixels)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@cache
def histogram_of(megapixels):
    """The colours of `photo`; n/a where there's no histogram yet."""
    return require(lambda: kf.ColorHistogram).from_image(picture(megapixels), **OURS)


def spread_colors(histogram, n_clusters):
    """Colours evenly spaced by their codes, as first centroids: (K, C) float64."""
    return spread(histogram.colors, n_clusters) + 0.25  # off the colours themselves: no ties
