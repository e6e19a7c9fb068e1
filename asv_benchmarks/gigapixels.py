"""Pictures larger than memory: ``python asv_benchmarks/gigapixels.py [--gigapixels 10] [--limit 300MiB]``.

First, what Dask costs: 100 megapixels on two workers of one thread each, who hold the pixels, beside a single call on
two threads; in turn, the least of all rounds. Then a picture that is nowhere as a whole: its tiles are made when they
are asked for, counted, and made again to be labelled. Prints time, and the memory of each worker while it runs; a
worker above its limit would be ended by Dask. That the labels are as many of each kind as the colours counted is
checked.
"""

import argparse
import os
import resource
import time
from functools import cache
from pathlib import Path
from threading import Event, Thread

import dask
import dask.array as da
import numpy as np
from benchmarks.common import photo
from dask.distributed import Client, LocalCluster, wait

import kmeans_fast as kf
import kmeans_fast.dask

# Of the tiles: where workers hold them, and where they have to be small.
LARGE, SMALL = 4096, 1024
PART = 512
N_COLORS = 16
# Else glibc's heap keeps arrays of up to 32 MB that are freed, and Dask a profile of each second: workers are paused
# for what they don't use.
NARROW = {
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 2**17,
    "distributed.worker.profile.enabled": False,
}
# Between two looks at the memory.
SECONDS = 0.25
# Lines of the memory curve.
N_LINES = 20


@cache
def base(side):
    """A made picture with a camera's noise, again and again until it fills a tile."""
    part = photo(0.5)[:PART, :PART]
    return np.tile(part, (side // PART, side // PART, 1))


def tile(side, block_info):
    """One tile: the base moved and lit otherwise, by where the tile is."""
    row, column, _ = block_info[None]["chunk-location"]
    moved = np.roll(base(side), (331 * row + 7 * column, 173 * column), axis=(0, 1))
    for channel, step in enumerate((row % 23 - 11, column % 19 - 9, (row + column) % 17 - 8)):
        values = np.clip(np.arange(256) + step, 0, 255).astype(np.uint8)
        moved[..., channel] = values[moved[..., channel]]
    return moved


def picture(gigapixels, side):
    """A square of tiles, or almost."""
    n_tiles = max(1, round(gigapixels * 1e9 / side**2))
    n_rows = max(1, int(n_tiles**0.5))
    chunks = ((side,) * n_rows, (side,) * -(-n_tiles // n_rows), (3,))
    return da.map_blocks(tile, side, chunks=chunks, dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8))


class MemoryCurve:
    """Looks at the resident memory of workers while something runs (Linux)."""

    def __init__(self, cluster):
        self.pids = [worker.pid for worker in cluster.workers.values()]
        self.samples = []
        self._ended = Event()

    def __enter__(self):
        self._began = time.perf_counter()
        self._thread = Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _look(self):
        while not self._ended.wait(SECONDS):
            seconds = time.perf_counter() - self._began
            self.samples.append((seconds, [resident_megabytes(pid) for pid in self.pids]))

    def print(self, title):
        """Print the most of each of so many parts of the time."""
        print(f"\n{title}: resident memory of the workers, MiB")
        parts = np.array_split(np.arange(len(self.samples)), min(N_LINES, len(self.samples)))
        for part in parts:
            most = [max(self.samples[i][1][worker] for i in part) for worker in range(len(self.pids))]
            print(f"{self.samples[part[-1]][0]:8.1f} s  " + "  ".join(f"{megabytes:5.0f}" for megabytes in most))
        print(f"     most   {max(max(sample) for _, sample in self.samples):5.0f}")


def resident_megabytes(pid):
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def workers(limit):
    dask.config.set(NARROW)
    return LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=limit, dashboard_address=":0")


def print_overhead(megapixels, rounds):
    """Print what it takes to quantize on two workers, beside a single call on two threads."""
    with workers("2GiB") as cluster, Client(cluster):
        chunks = picture(megapixels / 1000, LARGE).persist()
        wait(chunks)
        image = chunks.compute()
        pids = [os.getpid(), *(worker.pid for worker in cluster.workers.values())]
        single, on_workers = [], []
        for _ in range(rounds + 1):  # the first one warms up
            with Stopwatch(pids, single):
                expected = kf.quantize(image, N_COLORS, engine="numba", n_threads=2)
            with Stopwatch(pids, on_workers):
                result = kf.dask.quantize(chunks, N_COLORS, engine="numba", n_threads=2)
                labels = result.labels.persist()
                wait(labels)
        assert np.array_equal(result.palette, expected.palette)
        assert np.array_equal(labels.compute(), expected.labels)
    print(f"{image.shape[0] * image.shape[1] / 1e6:.0f} megapixels in {N_COLORS} colors, least of {rounds}:")
    for i, what in enumerate(("seconds", "seconds of processors")):
        one, two = (min(times[i] for times in side[1:]) for side in (single, on_workers))
        print(f"{what}: single call {one:.2f}, two workers {two:.2f}: {two / one - 1:+.0%}", flush=True)


class Stopwatch:
    """Adds how long something took, by the clock and by all processes' processors, to a list (Linux)."""

    def __init__(self, pids, times):
        self.pids, self.times = pids, times

    def __enter__(self):
        self._began = time.perf_counter(), sum(map(processor_seconds, self.pids))

    def __exit__(self, *_):
        began, used = self._began
        self.times.append((time.perf_counter() - began, sum(map(processor_seconds, self.pids)) - used))


def processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def counts_in(labels):
    """How many labels of each kind there are, counted chunk by chunk."""
    parts = labels.map_blocks(
        lambda block: np.bincount(block.ravel(), minlength=N_COLORS)[np.newaxis, np.newaxis],
        chunks=(1, 1, N_COLORS),
        new_axis=2,
        dtype=np.int64,
    )
    return parts.sum(axis=(0, 1)).compute()


def print_gigapixels(gigapixels, limit):
    """Print the time and memory of a picture that no worker could hold."""
    with workers(limit) as cluster, Client(cluster):
        image = picture(gigapixels, SMALL)
        pixels = image.shape[0] * image.shape[1]
        print(f"\n{pixels / 1e9:.2f} gigapixels in {image.npartitions} tiles, two workers of {limit}", flush=True)
        began = time.perf_counter()
        with MemoryCurve(cluster) as curve:
            result = kf.dask.kmeans(image, N_COLORS)
        curve.print(f"{result}\ncounted and clustered in {time.perf_counter() - began:.1f} s")
        began = time.perf_counter()
        with MemoryCurve(cluster) as curve:
            counts = counts_in(result.labels)
        curve.print(f"labels made and counted in {time.perf_counter() - began:.1f} s")
        assert np.array_equal(counts, result.counts)
        assert counts.sum() == pixels
        assert [worker.pid for worker in cluster.workers.values()] == curve.pids, "a worker was ended"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigapixels", type=float, default=10.0)
    parser.add_argument("--limit", default="300MiB", help="memory of each worker")
    parser.add_argument("--megapixels", type=float, default=100.0, help="of the comparison with a single call")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print_overhead(arguments.megapixels, arguments.rounds)
    print_gigapixels(arguments.gigapixels, arguments.limit)
