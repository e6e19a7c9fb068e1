"""Thousands of mixed calls in one process: memory, open files, threads and objects must stay where they are.

``python tests/soak.py --calls 20000`` prints a curve and a verdict, and ends with status 1 if something grew or if an
answer was wrong. Each call follows from the seed and its number alone. Every hundredth is compared with what the NumPy
engine gives on one thread; a part of the others is made from several Python threads at once.

Resident memory includes what the allocator keeps free. glibc has an arena for each of several threads, and these go on
growing for longer than 20,000 calls; ``MALLOC_ARENA_MAX=1`` in the environment leaves it one.
"""
# ruff: noqa: T201 -- printing is its job

import argparse
import csv
import ctypes
import gc
import hashlib
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

import kmeans_fast as kf

PAGE = os.sysconf("SC_PAGE_SIZE")
LARGEST_SIDE = 400
LARGE_EVERY, LARGE_SIDE = 200, 1000
CHECK_EVERY = 100
SAMPLE_EVERY = 200
# With fewer calls, samples are taken more often: at least so many of them make a curve.
LEAST_SAMPLES = 40
PRINTED_ROWS = 20
# Of every four stretches between two samples one is run from so many threads at once.
CALLERS = 4
MEMORY_FACTOR, MEMORY_MARGIN = 1.05, 2e6
# A kernel compiled for another dtype makes some thousand objects; one object kept by each of 20,000 calls makes 10,000.
OBJECTS_FACTOR, OBJECTS_MARGIN = 1.01, 5000
CAT = kf.read_image(kf.sample_path())


class Usage(NamedTuple):
    """What the process uses after a number of calls."""

    calls: int
    seconds: float
    memory: int
    in_use: int
    files: int
    threads: int
    objects: int


class MallocInfo(ctypes.Structure):
    """What glibc says of all its arenas together, since version 2.33."""

    _fields_ = (
        ("_before", ctypes.c_size_t * 4),
        ("hblkhd", ctypes.c_size_t),  # bytes in maps of their own
        ("_between", ctypes.c_size_t * 2),
        ("uordblks", ctypes.c_size_t),  # bytes in use in arenas
        ("_after", ctypes.c_size_t * 2),
    )


@dataclass(frozen=True)
class Work:
    """One call: a function of this module, what it works on, and options."""

    function: str
    image: np.ndarray
    n_colors: int
    options: dict

    def run(self, **where):
        """Return a checksum of all that comes back."""
        arrays = FUNCTIONS[self.function](self.image, self.n_colors, **{**self.options, **where})
        return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


# ------------------------------------------------------------------------------------------------ the functions called


def quantize(image, n_colors, **options):
    palette, result = kf.palette(image, n_colors, **options), kf.quantize(image, n_colors, **options)
    return [palette.palette, result.palette, result.counts, np.array([result.mse, result.n_iter]), result.labels]


def compress(image, n_colors, **options):
    with tempfile.TemporaryDirectory() as folder:
        source, destination = Path(folder) / "a.png", Path(folder) / "b.png"
        kf.quantize(image, 30, engine="numpy", max_iter=1, init="random", n_threads=1).save(source)
        report = kf.compress(source, destination, n_colors, **options)
        return [kf.read_image(destination), np.array([report.mse, report.n_iter, report.bytes_after])]


def kmeans(points, n_clusters, **options):
    result = kf.kmeans(points, min(n_clusters, points[..., 0].size), **options)
    return [result.centroids, result.labels, result.counts, np.array([result.inertia, result.n_iter])]


def assign(points, n_clusters, **options):
    return [kf.assign(points, points.reshape(-1, points.shape[-1])[:n_clusters].astype(np.float64) + 0.5, **options)]


def histogram(image, n_clusters, **options):
    where = {name: options[name] for name in ("engine", "n_threads")}
    counted = kf.ColorHistogram.from_image(image, **where)
    counted.update(image[::2], **where)
    both = counted + counted
    result = kf.kmeans(both, min(n_clusters, len(both)), **options)
    labels = both.labels_of(image, result.labels, **where)
    return [both.codes, both.counts, result.centroids, labels, np.array([result.inertia])]


def fail(image, n_colors, **options):
    """Leave a call in the middle, by an exception."""

    def stop(iteration, *_):
        raise StopIteration(iteration)

    try:
        kf.quantize(image, n_colors, callback=stop, **options)
    except StopIteration:
        return [np.array([1])]
    return [np.array([0])]  # few colours, no iteration


FUNCTIONS = {function.__name__: function for function in (quantize, compress, kmeans, assign, histogram, fail)}


# ------------------------------------------------------------------------------------------------------ what is called


def draw_work(seed, number, threads_max):
    """Return the call of that number."""
    rng = np.random.default_rng([seed, number])
    name = rng.choice(list(FUNCTIONS), p=[0.4, 0.04, 0.3, 0.1, 0.11, 0.05])
    is_large = number % LARGE_EVERY == LARGE_EVERY // 2
    image = draw_image(rng, (LARGE_SIDE, LARGE_SIDE) if is_large else draw_shape(rng))
    where = {
        "engine": "numpy" if rng.random() < 0.1 and not is_large else "numba",
        "n_threads": int(rng.integers(1, threads_max + 1)),
    }
    n_colors = int(rng.choice([2, 3, 5, 8, 13, 16, 24, 64, 200, 256, 300], p=[0.1] * 7 + [0.1, 0.05, 0.1, 0.05]))
    options = {"seed": int(rng.integers(1000)), "max_iter": int(rng.integers(2, 12)), **where}
    if name in ("quantize", "fail"):
        return Work(name, maybe_transparent(rng, image), n_colors, draw_quantize_options(rng, name, options))
    if name == "compress":
        return Work(name, image, n_colors, options | {"sort": draw_sort(rng)})
    if name == "histogram":
        return Work(name, image, n_colors, options | {"init": str(rng.choice(["k-means++", "random", "variance"]))})
    points = image.astype(rng.choice(["uint8", "uint16", "int16", "float32", "float64", "int32"]))
    if rng.random() < 0.2:
        points = points[:, ::-1]  # strides that no kernel reads in place
    if name == "assign":
        return Work(name, points, n_colors, where)
    return Work(name, points, min(n_colors, 64), draw_kmeans_options(rng, points, options))


def draw_shape(rng):
    """Return height and width, from 1 to the largest side; in one of four calls each order of magnitude as often."""
    sides = LARGEST_SIDE ** rng.random(2) if rng.random() < 0.25 else LARGEST_SIDE * rng.random(2)
    return tuple(int(side) for side in np.ceil(sides))


def draw_image(rng, shape):
    """Return a part of the cat, noise, few colours, or one colour."""
    kind = rng.choice(["cat", "noise", "few", "one"], p=[0.6, 0.25, 0.1, 0.05])
    if kind == "cat":
        wide = np.tile(CAT, (-(-shape[0] // len(CAT)), -(-shape[1] // CAT.shape[1]), 1))
        return np.ascontiguousarray(wide[: shape[0], : shape[1]])
    if kind == "noise":
        return rng.integers(0, 256, (*shape, 3), np.uint8)
    palette = rng.integers(0, 256, (20 if kind == "few" else 1, 3), np.uint8)
    return palette[rng.integers(len(palette), size=shape)]


def maybe_transparent(rng, image):
    if rng.random() < 0.8:
        return image
    alpha = rng.choice(np.array([0, 90, 255], np.uint8), image.shape[:2])
    alpha[0, 0] = 200
    return np.dstack([image, alpha])


def draw_quantize_options(rng, name, options):
    options = options | {"sort": draw_sort(rng)}
    if rng.random() < 0.3:
        options |= {"init": str(rng.choice(["k-means++", "random"])), "n_init": int(rng.integers(1, 3))}
    return options


def draw_kmeans_options(rng, points, options):
    options = options | {"init": str(rng.choice(["k-means++", "random"])), "n_init": int(rng.integers(1, 3))}
    if rng.random() < 0.3:
        return options | {"sample_weight": rng.integers(1, 5, points.shape[:2])}
    return options | {"algorithm": str(rng.choice(["auto", "dense"]))}


def draw_sort(rng):
    return str(rng.choice(["none", "count", "luma", "hue"]))


# ------------------------------------------------------------------------------------------------------------- the run


def soak(calls, threads_max, seed):
    """Make the calls, and print the curve; return usages and the numbers of those with a wrong answer."""
    stretch = min(SAMPLE_EVERY, max(1, calls // LEAST_SAMPLES))
    begin, wrong, usages = time.perf_counter(), [], []
    print(f"{'calls':>8}{'seconds':>10}{'MB':>8}{'in use':>8}{'files':>7}{'threads':>9}{'objects':>10}")
    for first in range(0, calls, stretch):
        numbers = range(first, min(first + stretch, calls))
        wrong += run_stretch(numbers, first // stretch % 4 == 3, threads_max, seed)
        usages.append(usage(numbers.stop, time.perf_counter() - begin))
        if numbers.stop * PRINTED_ROWS % calls < stretch * PRINTED_ROWS:
            print_row(usages[-1])
    return usages, wrong


def run_stretch(numbers, from_threads, threads_max, seed):
    """Make some calls, from one thread or from several; return the numbers of those with a wrong answer."""

    def is_right(number):
        work = draw_work(seed, number, threads_max)
        found = work.run()
        return number % CHECK_EVERY or found == work.run(engine="numpy", n_threads=1)

    if from_threads:
        with ThreadPoolExecutor(CALLERS) as pool:
            right = list(pool.map(is_right, numbers))
    else:
        right = [is_right(number) for number in numbers]
    return [number for number, fine in zip(numbers, right, strict=True) if not fine]


def usage(calls, seconds):
    gc.collect()
    memory = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    files, threads = (len(list(Path("/proc/self", name).iterdir())) for name in ("fd", "task"))
    return Usage(calls, round(seconds, 1), memory, bytes_in_use(), files, threads, len(gc.get_objects()))


def bytes_in_use():
    """Return how much of the memory is not kept free by the allocator; 0 if the C library doesn't say."""
    function = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if function is None:
        return 0
    function.restype = MallocInfo
    info = function()
    return info.uordblks + info.hblkhd


def complaints(usages, wrong):
    """Return what is not as it should be: the last quarter of the run against the second."""
    quarter = len(usages) // 4
    second, last = usages[quarter : 2 * quarter], usages[-quarter:]

    def medians(name):
        return (median(getattr(one, name) for one in part) for part in (second, last))

    found = [f"call {number} gave another answer than the NumPy engine on one thread" for number in wrong]
    for name, what in (("memory", "resident memory"), ("in_use", "memory in use")):
        before, after = medians(name)
        if after > before * MEMORY_FACTOR + MEMORY_MARGIN:
            found.append(f"{what} grew from {before / 1e6:.1f} to {after / 1e6:.1f} MB")
    before, after = medians("objects")
    if after > before * OBJECTS_FACTOR + OBJECTS_MARGIN:
        found.append(f"Python objects grew from {before:.0f} to {after:.0f}")
    for name in ("files", "threads"):
        counts = sorted({getattr(one, name) for one in second + last})
        if len(counts) > 1:
            found.append(f"the number of {name} was not always the same: {counts}")
    return found


def print_row(one):
    sizes = f"{one.memory / 1e6:>8.1f}{one.in_use / 1e6:>8.1f}"
    print(f"{one.calls:>8}{one.seconds:>10}{sizes}{one.files:>7}{one.threads:>9}{one.objects:>10}", flush=True)


def write_report(path, usages):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([Usage._fields, *usages])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--threads-max", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", type=Path, help="a CSV file for the curve")
    arguments = parser.parse_args()
    usages, wrong = soak(arguments.calls, arguments.threads_max, arguments.seed)
    if arguments.report:
        write_report(arguments.report, usages)
    found = complaints(usages, wrong)
    print("\n".join(found) if found else "flat, and every answer that was checked is right")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
