"""The rivals: what each is called with, what it computes, its version, and how to time tools in turn and their memory.

Two tasks, for each of which a `Tool` is made for an input, before any clock starts:

iterations  `ITERATIONS`: points (N, 3), centroids (K, 3) and a number of iterations -> a function that does them, and
            returns the last centroids
palettes    `PALETTES`: an image -> a function of K that is timed, and one that makes of its result an array of the
            image's shape, in the colours that the tool gave the pixels

In `iterations` some do a little less than the others: OpenCV is given the labels of the first centroids and leaves out
the last assignment; SciPy, faiss and the textbook leave the labels one step behind. MiniBatchKMeans does not make such
iterations, so it is in `palettes` alone, and the textbook, which has no way of its own to start or stop, in
`iterations` alone. In `palettes` nothing is dithered, and the tools' defaults hold but for what is written here.

All are to be pinned to `THREADS` threads, by `PINNED` and by `pin`.
"""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from PIL import Image, features

import kmeans_fast as kf

THREADS = 2
# Without naming the engine, NumPy would serve while code is being compiled.
OURS = {"engine": "numba", "n_threads": THREADS}
PAUSE = 0.2  # seconds before each call: threads of the tool before may go on spinning, on the processors of the next
SLOW = 2.0  # seconds; who takes longer is called once
# Read by libraries when they are imported.
PINNED = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), str(THREADS)
)
# glibc would otherwise keep freed arrays, and serve new ones from them unseen.
UNKEPT = {"MALLOC_MMAP_THRESHOLD_": "65536"}
MEMORY_IS_KNOWN = Path("/proc/self/clear_refs").exists()  # on Linux
PACKAGES = {
    "NumPy": "numpy", "Numba": "numba", "SciPy": "scipy", "scikit-learn": "scikit-learn",
    "scikit-learn-intelex": "scikit-learn-intelex", "faiss-cpu": "faiss-cpu", "opencv": "opencv-python",
    "OpenCV": "opencv-python-headless", "Pillow": "pillow",
}  # fmt: skip


@dataclass(frozen=True)
class Tool:
    """One way to do a task."""

    name: str
    make: Callable
    module: str = "kmeans_fast"  # that must be there
    dtype: type = np.float32  # of its points, in `iterations`

    @property
    def is_ours(self):
        return self.module == "kmeans_fast"

    def missing(self):
        """Say why the tool cannot run here; None if it can."""
        try:
            import_module(self.module)
        except ModuleNotFoundError:
            return "not installed"
        except (ImportError, OSError) as error:
            return f"not for this machine: {error}"
        if self.name == "Pillow LIBIMAGEQUANT" and not features.check("libimagequant"):
            return "not built into this Pillow"
        return None


# Iterations


def ours_from(points, init, iterations, **options):
    return lambda: kf.kmeans(points, len(init), init=init, max_iter=iterations, **OURS, **options).centroids


def textbook_from(points, init, iterations):
    """The loop that everybody writes: every difference of point and centroid in one array of N×K×3."""

    def run():
        centroids = init
        for _ in range(iterations):
            distances = np.sqrt(((points[:, np.newaxis, :] - centroids[np.newaxis, :, :]) ** 2).sum(axis=2))
            labels = np.argmin(distances, axis=1)
            centroids = np.array([points[labels == k].mean(axis=0) for k in range(len(centroids))])
        return centroids

    return run


def scipy_from(points, init, iterations):
    from scipy.cluster.vq import kmeans2

    return lambda: kmeans2(points, init.astype(points.dtype), iterations, minit="matrix")[0]


def sklearn_from(points, init, iterations, module="sklearn.cluster"):
    options = {"init": init.astype(points.dtype), "n_init": 1, "max_iter": iterations, "tol": 0, "algorithm": "lloyd"}
    model = import_module(module).KMeans(len(init), **options)
    return lambda: model.fit(points).cluster_centers_


def faiss_from(points, init, iterations):
    import faiss

    faiss.omp_set_num_threads(THREADS)
    options = {"niter": iterations, "max_points_per_centroid": len(points), "min_points_per_centroid": 1}

    def run():
        model = faiss.Kmeans(points.shape[1], len(init), **options)
        model.train(points, init_centroids=init.astype(np.float32))
        return model.centroids

    return run


def opencv_from(points, init, iterations):
    import cv2

    cv2.setNumThreads(THREADS)
    labels = kf.assign(points, init, **OURS).astype(np.int32)[:, np.newaxis]  # it takes no centroids
    stop = (cv2.TERM_CRITERIA_MAX_ITER, iterations, 0)
    # labels are overwritten
    return lambda: cv2.kmeans(points, len(init), labels.copy(), stop, 1, cv2.KMEANS_USE_INITIAL_LABELS)[2]


ours_dense = partial(ours_from, algorithm="dense")
intelex_from = partial(sklearn_from, module="sklearnex.cluster")
ITERATIONS = [
    Tool("kmeans_fast, 8 bits", ours_from, dtype=np.uint8),
    Tool("kmeans_fast, 8 bits, dense", ours_dense, dtype=np.uint8),
    Tool("kmeans_fast, float32", ours_dense),
    Tool("textbook NumPy", textbook_from, "numpy", np.float64),
    Tool("SciPy kmeans2", scipy_from, "scipy.cluster.vq"),
    Tool("scikit-learn KMeans", sklearn_from, "sklearn.cluster"),
    Tool("scikit-learn-intelex KMeans", intelex_from, "sklearnex.cluster"),
    Tool("faiss-cpu", faiss_from, "faiss"),
    Tool("OpenCV kmeans", opencv_from, "cv2"),
]


# Palettes


def ours(image):
    return partial(kf.quantize, image, **OURS), lambda result: result.to_array()


def on_pixels(run):
    """Make a tool of a function from points and K to centres and labels."""

    def make(image):
        points = image.reshape(-1, 3).astype(np.float32)

        def call(n_colors):
            centers, labels = run(points, n_colors)
            return np.clip(np.rint(centers), 0, 255).astype(np.uint8), labels

        return call, lambda result: result[0][result[1].reshape(image.shape[:2])]

    return make


def scipy(points, n_colors):
    from scipy.cluster.vq import kmeans2

    return kmeans2(points, n_colors, minit="points", rng=0)


def sklearn(points, n_colors, module="sklearn.cluster", name="KMeans"):
    model = getattr(import_module(module), name)(n_colors, random_state=0).fit(points)
    return model.cluster_centers_, model.labels_


def faiss(points, n_colors):
    import faiss

    faiss.omp_set_num_threads(THREADS)
    model = faiss.Kmeans(points.shape[1], n_colors)
    model.train(points)
    return model.centroids, model.index.search(points, 1)[1]


def opencv(points, n_colors):
    import cv2

    cv2.setNumThreads(THREADS)
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
    _, labels, centers = cv2.kmeans(points, n_colors, None, stop, 1, cv2.KMEANS_PP_CENTERS)
    return centers, labels


def weighted_sklearn(image):
    """Make scikit-learn's k-means cluster the distinct colours, counted by us; its centres stay floats."""
    from sklearn.cluster import KMeans

    def run(n_colors):
        histogram = kf.ColorHistogram.from_image(image, **OURS)
        model = KMeans(min(n_colors, len(histogram)), n_init=1, tol=0, max_iter=25, random_state=0)
        # float32 because it is faster there, with the same error to four digits
        return model.fit(histogram.colors.astype(np.float32), sample_weight=histogram.counts).cluster_centers_

    return run, partial(nearest, image)


def libimagequant(image):
    import imagequant

    height, width = image.shape[:2]
    rgba = Image.fromarray(image).convert("RGBA").tobytes()

    def run(n_colors):
        return imagequant.quantize_raw_rgba_bytes(rgba, width, height, dithering_level=0.0, max_colors=n_colors)

    def paint(result):
        labels, entries = result
        return np.array(entries, np.uint8).reshape(-1, 4)[np.frombuffer(labels, np.uint8), :3].reshape(image.shape)

    return run, paint


def pillow(method):
    def make(image):
        picture = Image.fromarray(image)
        run = partial(picture.quantize, method=method, dither=Image.Dither.NONE)
        return run, lambda result: np.asarray(result.convert("RGB"))

    return make


PALETTES = [
    Tool("kmeans_fast", ours),
    Tool("SciPy kmeans2", on_pixels(scipy), "scipy.cluster.vq"),
    Tool("scikit-learn KMeans", on_pixels(sklearn), "sklearn.cluster"),
    Tool("scikit-learn MiniBatchKMeans", on_pixels(partial(sklearn, name="MiniBatchKMeans")), "sklearn.cluster"),
    Tool("scikit-learn-intelex KMeans", on_pixels(partial(sklearn, module="sklearnex.cluster")), "sklearnex.cluster"),
    Tool("faiss-cpu", on_pixels(faiss), "faiss"),
    Tool("OpenCV kmeans", on_pixels(opencv), "cv2"),
    Tool("libimagequant", libimagequant, "imagequant"),
    Tool("Pillow LIBIMAGEQUANT", pillow(Image.Quantize.LIBIMAGEQUANT), "PIL"),
    Tool("Pillow MEDIANCUT", pillow(Image.Quantize.MEDIANCUT), "PIL"),
    Tool("Pillow MAXCOVERAGE", pillow(Image.Quantize.MAXCOVERAGE), "PIL"),
    Tool("Pillow FASTOCTREE", pillow(Image.Quantize.FASTOCTREE), "PIL"),
]
WEIGHTED = Tool("scikit-learn, weighted colours", weighted_sklearn, "sklearn.cluster")


def find(tools, name):
    return next(tool for tool in tools if tool.name == name)


def split(tools):
    """Return the tools that can run here, and {name: why not} for the others."""
    reasons = {tool.name: tool.missing() for tool in tools}
    left_out = {name: reason for name, reason in reasons.items() if reason is not None}
    return [tool for tool in tools if tool.name not in left_out], left_out


# Errors


def as_rgb(image):
    if image.ndim == 2:
        image = np.stack([image] * 3, axis=-1)
    return np.ascontiguousarray(image[..., :3])


def mean_squared_distance(image, other):
    """Mean over the pixels of the squared difference, summed over the channels."""
    return float(((image.astype(np.int32) - other) ** 2).sum() / image[..., 0].size)


def nearest(image, centroids):
    """Return the nearest of the centroids for each pixel."""
    return centroids[kf.assign(image, centroids, **OURS)]


def error_of_centroids(image, centroids):
    """Mean squared distance of the pixels to their nearest centroids."""
    centroids = np.asarray(centroids, np.float64)
    known = centroids[~np.isnan(centroids).any(axis=1)]  # NaN is the mean of no points
    return mean_squared_distance(image, nearest(image, known))


# Versions, and what they run on


def versions():
    """Return {name: version} of what is installed."""
    found = {"kmeans_fast": kf.__version__}
    for name, package in PACKAGES.items():
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            continue
    try:
        import imagequant
    except ImportError:
        return found
    number = imagequant.lib.liq_version()  # of the library inside; 21501 is 2.15.1
    library = f"libimagequant {number // 10000}.{number // 100 % 100}.{number % 100}"
    return found | {"imagequant": f"{version('imagequant')} ({library})"}


def cpu_name():
    cpuinfo = Path("/proc/cpuinfo")  # Linux only; elsewhere Python may know less
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


# Measuring


def pin():
    """Let this process, in all its libraries, see no more processors than it may use threads."""
    os.environ.update(PINNED)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])


def seconds_of(call):
    """Return how long a call takes, and its result."""
    time.sleep(PAUSE)
    begin = time.perf_counter()
    result = call()
    return time.perf_counter() - begin, result


def take_turns(calls, repeat):
    """Call each in turn, `repeat` times over; return {name: (least seconds, number of calls, first result)}.

    What is loaded or compiled only once is to be called before.
    """
    first = {name: seconds_of(call) for name, call in calls.items()}
    times = {name: [seconds] for name, (seconds, _) in first.items()}
    for _ in range(repeat - 1):
        for name, call in calls.items():
            if times[name][0] <= SLOW:
                times[name].append(seconds_of(call)[0])
    return {name: (min(times[name]), len(times[name]), result) for name, (_, result) in first.items()}


def peak():
    """Return the most memory that this process has used, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def peak_beyond(call):
    """Return how far a call takes the peak of this process above what is in use before it."""
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to what is in use now
    before = peak()
    result = call()
    after = peak()
    del result  # it counts
    return after - before


def in_a_child(script, request, environment=()):
    """Let a script answer a request, given after ``--child``, in a process of its own that is pinned to the threads."""
    command = [sys.executable, str(script), "--child", json.dumps(request)]
    env = {**os.environ, **PINNED, **dict(environment)}
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env)
    return json.loads(finished.stdout.splitlines()[-1])  # what tools print comes before
