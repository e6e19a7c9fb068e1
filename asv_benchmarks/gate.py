"""Is this commit slower than an earlier one? ``python asv_benchmarks/gate.py [--base COMMIT] [--processes N]``.

Both commits run here and now, in a process each, turn by turn: what disturbs one disturbs the other. Of each side the
least of all rounds counts, as nothing makes a computation faster than it is. How arrays happen to lie in memory lasts
as long as a process and can cost a half, so the rounds are spread over several pairs of processes, and a benchmark
whose ratio is above the threshold is measured again in new ones before it is called slower. Exit status: 0, or 1 if one
is slower.

The base is, unless it is given, the last commit before this one whose results are on the curve (in `results`), and the
parent where there is none. So a slowdown that is meant passes once its results are recorded.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
# A kernel that takes 30 % longer shows as 1.14 to 1.3, and a commit beside itself as 0.95 to 1.05: see README.md.
THRESHOLD = 1.15
# Whose results are kept: those of other machines are for those who ran them.
MACHINE = "shared-2-cores"
# Pairs of processes, and how often each runs a benchmark.
PROCESSES = 4
ROUNDS = 5
# Pairs of processes for what seems slower then, at most.
RETRIES = 12


class Side:
    """One commit's package, in one process after another, each of which runs a benchmark whenever it's told to."""

    def __init__(self, tree, cache):
        self.command = [sys.executable, "-P", __file__, "--worker", str(tree)]
        self.environment = os.environ | {
            "PYTHONPATH": str(tree),
            "NUMBA_CACHE_DIR": str(cache),
            "OMP_NUM_THREADS": "1",
        }
        self.least = {}

    def start(self):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(self.command, env=self.environment, stdin=pipe, stdout=pipe, text=True)

    def get_ready(self):
        """Wait until the process has run everything once."""
        for name in json.loads(self.answer()):
            self.least.setdefault(name, float("inf"))

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"the process of one side has ended, status {self.process.wait()}")
        return line

    def run(self, name):
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        self.least[name] = min(self.least[name], float(self.answer()))

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def work(tree):
    """Run a benchmark for each line on stdin, and answer with the seconds it took."""
    import kmeans_fast

    if not Path(kmeans_fast.__file__).is_relative_to(tree):
        sys.exit(f"kmeans_fast was imported from {kmeans_fast.__file__}, not from {tree}")
    benchmarks = make_benchmarks()
    for name in list(benchmarks):
        try:
            benchmarks[name]()  # compiles
        except (AttributeError, TypeError, ValueError):
            if tree == ROOT:
                raise
            del benchmarks[name]  # an earlier commit doesn't have it yet
    print(json.dumps(list(benchmarks)), flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        benchmarks[line.strip()]()
        print(time.perf_counter() - start, flush=True)


def make_benchmarks():
    """Each stage on its own and whole calls, 5 to 60 ms each, in one thread but for the last."""
    import numpy as np

    sys.path.insert(0, str(Path(__file__).parent))
    from benchmarks.common import float_points, photo, spread

    import kmeans_fast as kf

    picture, large, points, wide = photo(0.3), photo(4), float_points(200_000), float_points(50_000, 16)
    histogram = kf.ColorHistogram.from_image(picture)
    large_histogram = kf.ColorHistogram.from_image(large)
    labels = np.zeros(len(large_histogram), np.uint8)
    start = spread(picture, 64)
    ours = {"n_threads": 1, "engine": "numba"}
    few = ours | {"max_iter": 8}
    return {
        "count colours": lambda: kf.ColorHistogram.from_image(large, **ours),
        "label pixels": lambda: large_histogram.labels_of(large, labels, **ours),
        "k-means++ on colours, K=256": lambda: kf.kmeans(histogram, 256, **few | {"max_iter": 1}),
        "8 iterations on colours, K=64": lambda: kf.kmeans(histogram, 64, init=start, **few),
        "dense pass, 3 features, K=16": lambda: kf.kmeans(points, 16, init=spread(points, 16), **few),
        "dense pass, 3 features, K=256": lambda: kf.kmeans(points[:20_000], 256, init=spread(points, 256), **few),
        "dense pass, 16 features, K=16": lambda: kf.kmeans(wide, 16, init=spread(wide, 16), **few),
        "quantize, K=16": lambda: kf.quantize(picture, 16, **ours),
        "quantize, K=256": lambda: kf.quantize(picture, 256, **ours),
        "quantize, K=64, two threads": lambda: kf.quantize(picture, 64, **ours | {"n_threads": 2}),
    }


def measure(new, old, processes):
    """Run all benchmarks on both sides in turn, in several processes; in more of them those that seem slower."""
    for _ in range(processes):
        run_in_turn(new, old)
    for _ in range(RETRIES):
        suspects = find_slower(new, old)
        if not suspects:
            break
        print(f"once more: {', '.join(suspects)}", flush=True)
        run_in_turn(new, old, suspects)
    return find_slower(new, old)


def run_in_turn(new, old, names=None):
    """Run benchmarks, all that both sides know unless some are named, in a new process of each."""
    sides = (new, old)
    for side in sides:
        side.start()
    for side in sides:
        side.get_ready()
    for _ in range(ROUNDS):
        for name in names or shared(new, old):
            for side in sides:
                side.run(name)
        sides = sides[::-1]
    for side in sides:
        side.stop()


def shared(new, old):
    return [name for name in new.least if name in old.least]


def find_slower(new, old):
    return [name for name in shared(new, old) if ratio(new, old, name) > THRESHOLD]


def ratio(new, old, name):
    return new.least[name] / old.least[name]


def table(new, old, base):
    lines = [f"{'ms, the least of all rounds':<34}{base[:9]:>10}{'now':>10}{'ratio':>8}"]
    slower = find_slower(new, old)
    for name in shared(new, old):
        mark = "  SLOWER" if name in slower else ""
        before, now = old.least[name] * 1e3, new.least[name] * 1e3
        lines.append(f"{name:<34}{before:>10.2f}{now:>10.2f}{ratio(new, old, name):>8.2f}{mark}")
    return "\n".join(lines)


def git(*arguments):
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True).stdout


def find_base(results=None):
    """Return the last commit before HEAD that has results, or else its parent; None if there's none."""
    results = Path(__file__).parent / "results" if results is None else results
    recorded = {path.name.split("-")[0] for path in results.glob(f"{MACHINE}/*-*.json")}
    before = git("log", "--format=%H", "--first-parent", "--skip=1").split()
    return next((commit for commit in before if commit[:8] in recorded), next(iter(before), None))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", help="the commit to compare with")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="of each side (default: %(default)s)")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return work(options.worker)
    base = options.base or find_base()
    if base is None:
        print("there's no commit before this one to compare with")
        return 0
    base = git("rev-parse", base).strip()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "base")
        git("worktree", "add", "--detach", str(tree), base)
        try:
            new, old = Side(ROOT, Path(folder, "new cache")), Side(tree, Path(folder, "old cache"))
            slower = measure(new, old, options.processes)
        finally:
            git("worktree", "remove", "--force", str(tree))
    print(table(new, old, base))
    if slower:
        print(f"slower than {base[:9]} by more than {THRESHOLD - 1:.0%}: {', '.join(slower)}")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
