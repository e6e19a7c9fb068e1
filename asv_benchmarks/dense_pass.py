"""The dense pass beside its rivals, in one process: ``python asv_benchmarks/dense_pass.py {rivals,notebook,threads}``.

rivals    faiss-cpu and scikit-learn, 3.3 million float32 points × 3, 8 iterations from the same centroids
notebook  the loop that everybody writes, one million pixels, K=16: time, and peak memory above the input
threads   two threads against one at K=256

Times are the least of several interleaved repeats. Needs the extra ``bench``.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from benchmarks.common import float_points, photo, spread

import kmeans_fast as kf

N_POINTS = 3_300_000
ITERATIONS = 8


def least_times(functions, repeats):
    """Call the functions in turn, `repeats` times over; return the least time of each."""
    times = dict.fromkeys(functions, float("inf"))
    for _ in range(repeats):
        for name, function in functions.items():
            begin = time.perf_counter()
            function()
            times[name] = min(times[name], time.perf_counter() - begin)
    return times


def run_ours(points, init, n_threads=None):
    return kf.kmeans(points, len(init), init=init, max_iter=ITERATIONS, algorithm="dense", n_threads=n_threads)


def run_faiss(points, init):
    import faiss

    kmeans = faiss.Kmeans(
        3, len(init), niter=ITERATIONS, max_points_per_centroid=len(points), min_points_per_centroid=1
    )
    kmeans.train(points, init_centroids=init.astype(np.float32))
    return kmeans


def run_sklearn(points, init):
    from sklearn.cluster import KMeans

    return KMeans(len(init), init=init, n_init=1, max_iter=ITERATIONS, tol=0, algorithm="lloyd").fit(points)


def inputs():
    pixels = photo(N_POINTS / 1e6).reshape(-1, 3).astype(np.float32)
    return {"photo as float32": pixels, "normal float32": float_points(N_POINTS)}


def rivals(repeats):
    print(f"faiss-cpu {version('faiss-cpu')}, scikit-learn {version('scikit-learn')}")
    for name, points in inputs().items():
        for n_clusters in (16, 256):
            init = spread(points, n_clusters)
            run_ours(points[:1000], init[:8])
            times = least_times(
                {
                    "kmeans_fast": lambda points=points, init=init: run_ours(points, init),
                    "faiss": lambda points=points, init=init: run_faiss(points, init),
                    "scikit-learn": lambda points=points, init=init: run_sklearn(points, init),
                },
                repeats,
            )
            fastest = min(times["faiss"], times["scikit-learn"])
            row = ", ".join(f"{rival} {seconds * 1e3:.0f} ms" for rival, seconds in times.items())
            print(f"{name}, K={n_clusters}: {row}; ratio to the faster rival {times['kmeans_fast'] / fastest:.3f}")


def threads(repeats):
    for name, points in inputs().items():
        init = spread(points, 256)
        run_ours(points[:1000], init[:8])
        times = least_times({n: lambda n=n, p=points, i=init: run_ours(p, i, n) for n in (1, 2)}, repeats)
        row = ", ".join(f"{n} threads {seconds * 1e3:.0f} ms" for n, seconds in times.items())
        print(f"{name}, K=256: {row}: {times[1] / times[2]:.2f} times")


def notebook_loop(points, centroids, n_iter):
    """The notebook's code: every difference of point and centroid in one array of N×K×3."""
    for _ in range(n_iter):
        distances = np.sqrt(((points[:, np.newaxis, :] - centroids[np.newaxis, :, :]) ** 2).sum(axis=2))
        labels = np.argmin(distances, axis=1)
        centroids = np.array([points[labels == k].mean(axis=0) for k in range(len(centroids))])
    return centroids, labels


def notebook(repeats):
    points = photo(1).reshape(-1, 3)
    init = spread(points, 16)
    as_float = points.astype(np.float64)
    options = {"init": init, "max_iter": 3, "algorithm": "dense"}
    kf.kmeans(points[:1000], 16, **options)
    times = least_times(
        {
            # three assignments and updates each; ours makes the last assignment to the last average too
            "notebook": lambda: notebook_loop(as_float, init, 3),
            "kmeans_fast": lambda: kf.kmeans(points, 16, **options),
            "by colour": lambda: kf.kmeans(points, 16, init=init, max_iter=3),
        },
        repeats,
    )
    for name in ("kmeans_fast", "by colour"):
        ratio = times["notebook"] / times[name]
        print(f"3 iterations: notebook {times['notebook']:.2f} s, {name} {times[name] * 1e3:.1f} ms, {ratio:.0f} times")
    for name in ("notebook", "kmeans_fast"):
        command = [sys.executable, __file__, "memory", name]
        # glibc would otherwise keep freed arrays, and serve new ones from them unseen
        environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
        finished = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        print(f"{name}: {finished.stdout.strip()}")


def memory(name):
    """Print the peak of this process above the input; Linux only."""

    def peak():
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
        raise OSError("no VmHWM in /proc/self/status")

    points = photo(1).reshape(-1, 3)
    if name == "notebook":
        points = points.astype(np.float64)
    init = spread(points, 16)
    options = {"init": init, "max_iter": 1, "algorithm": "dense"}
    kf.kmeans(points[:200_000], 16, **options)  # compiles
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to what is used now
    before = peak()
    if name == "notebook":
        notebook_loop(points, init, 1)
    else:
        kf.kmeans(points, 16, **options)
    print(f"{(peak() - before) / len(points):.2f} bytes a pixel above the input at the peak")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["rivals", "notebook", "threads", "memory"])
    parser.add_argument("name", nargs="?", choices=["notebook", "kmeans_fast"], help="for memory")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.what == "memory":
        memory(arguments.name)
        return
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, Numba {version('numba')}")
    {"rivals": rivals, "threads": threads, "notebook": notebook}[arguments.what](arguments.repeats)


if __name__ == "__main__":
    main()
