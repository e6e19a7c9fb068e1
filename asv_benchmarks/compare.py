"""The table of rivals: ``python asv_benchmarks/compare.py [--picture FILE] [--megapixels 1] [--repeat 3] [--record]``.

Two tasks, each for K = 16 and 256, on a picture or on one that is made, with a camera's noise:

iterations  the same pixels, the same first centroids, 8 iterations
palettes    each tool's own way from the pixels to an 8-bit palette and a label for each pixel

Every tool gets the pixels in the form that it takes, made before the clock starts; ours takes them as they are, and in
`iterations` also as the rivals do. All are pinned to two threads. Times are the least of `--repeat` interleaved calls
in one process, after a call on a small picture; whoever takes longer than two seconds is called once, rival or not.
Peak memory is what a process of its own needs beyond the input, the result included; Linux only. The error is the mean
over the pixels of the squared RGB distance: in `iterations` to the nearest of the centroids that come back, in
`palettes` to the colour that the tool gave the pixel.

In `iterations` some do a little less than the others: OpenCV is given the labels of the first centroids and leaves out
the last assignment; SciPy, faiss and the textbook leave the labels one step behind. MiniBatchKMeans does not make such
iterations, so it is in `palettes` alone, and the textbook, which has no way of its own to start or stop, in
`iterations` alone. In `palettes` nothing is dithered, and the tools' defaults hold but for what the tables' text says.

``--record`` writes compare.json, compare.md and compare.png to the folder ``recorded``, which the README shows, and
``--from-record`` writes the latter two again without measuring. A rival that cannot be imported is left out and named:
``pip install -e '.[bench,plot]' scipy opencv-python-headless scikit-learn-intelex``.
"""

import argparse
import io
import json
import math
import os
import platform
import subprocess
import sys
import textwrap
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
from PIL import Image, features

sys.path.insert(0, str(Path(__file__).parent))
from benchmarks.common import photo
from dense_pass import ITERATIONS, least_times, notebook_loop, run_faiss, run_ours, run_sklearn
from quality import SLOW, as_rgb, cpu_name, imagequant_version, libimagequant, mean_squared_distance, pillow, version_of

import kmeans_fast as kf

RECORDED = Path(__file__).parent / "recorded"
CLUSTERS = (16, 256)
KINDS = ("time", "memory", "error")
THREADS = 2
PAUSE = 0.2  # seconds before each call: threads of the tool before may go on spinning, on the processors of the next
FITS = 1e9  # bytes that the textbook's two arrays of N×K×3 may take; it gets every n-th pixel if they took more
OUR_COLOR, RIVAL_COLOR, INK = "#1f6fb2", "#b9bec5", "#333333"
SMALL = 20_000  # pixels of the call that warms up
PINNED = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), str(THREADS)
)


@dataclass(frozen=True)
class Tool:
    """One row of a task's table."""

    name: str
    make: Callable  # the input of the task -> what is timed; see `prepare`
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


# `iterations`: points (N, 3) and first centroids (K, 3) -> a function that returns the last centroids


def ours_by_colour(points, init):
    return lambda: kf.kmeans(points, len(init), init=init, max_iter=ITERATIONS, n_threads=THREADS).centroids


def ours_dense(points, init):
    return lambda: run_ours(points, init, THREADS).centroids


def textbook_step(n_points, n_clusters):
    return math.ceil(n_points * n_clusters * 3 * 2 * 8 / FITS)


def textbook(points, init):
    part = points[:: textbook_step(len(points), len(init))]
    return lambda: notebook_loop(part, init, ITERATIONS)[0]


def scipy_from_centroids(points, init):
    from scipy.cluster.vq import kmeans2

    return lambda: kmeans2(points, init.astype(points.dtype), ITERATIONS, minit="matrix")[0]


def sklearn_from_centroids(points, init):
    return lambda: run_sklearn(points, init).cluster_centers_


def intelex_from_centroids(points, init):
    from sklearnex.cluster import KMeans

    options = {"init": init, "n_init": 1, "max_iter": ITERATIONS, "tol": 0, "algorithm": "lloyd"}
    return lambda: KMeans(len(init), **options).fit(points).cluster_centers_


def faiss_from_centroids(points, init):
    return lambda: run_faiss(points, init).centroids


def opencv_from_centroids(points, init):
    import cv2

    cv2.setNumThreads(THREADS)
    labels = kf.assign(points, init).astype(np.int32)[:, np.newaxis]  # it cannot start from centroids
    criteria = (cv2.TERM_CRITERIA_MAX_ITER, ITERATIONS, 0)
    # labels are overwritten
    return lambda: cv2.kmeans(points, len(init), labels.copy(), criteria, 1, cv2.KMEANS_USE_INITIAL_LABELS)[2]


# `palettes`: an image and K -> a function that returns a palette and labels, and one that gives the error of those


def whole_palette(run):
    """Make a tool of a function from points and K to centres and labels."""

    def make(image, n_colors):
        points = image.reshape(-1, 3).astype(np.float32)

        def call():
            centers, labels = run(points, n_colors)
            return np.clip(np.rint(centers), 0, 255).astype(np.uint8), labels

        def error(result):
            palette, labels = result
            return mean_squared_distance(image, palette[labels.reshape(image.shape[:2])])

        return call, error

    return make


def from_quality(tool):
    """Make a tool of one that quality.py times."""

    def make(image, n_colors):
        run, error = tool(image)
        return partial(run, n_colors), error

    return make


def ours_palette(image, n_colors):
    def error(result):
        return mean_squared_distance(image, result.to_array())

    return partial(kf.quantize, image, n_colors, n_threads=THREADS), error


def scipy_palette(points, n_colors):
    from scipy.cluster.vq import kmeans2

    return kmeans2(points, n_colors, minit="points", rng=0)


def sklearn_palette(points, n_colors):
    from sklearn.cluster import KMeans

    model = KMeans(n_colors, random_state=0).fit(points)
    return model.cluster_centers_, model.labels_


def minibatch_palette(points, n_colors):
    from sklearn.cluster import MiniBatchKMeans

    model = MiniBatchKMeans(n_colors, random_state=0).fit(points)
    return model.cluster_centers_, model.labels_


def intelex_palette(points, n_colors):
    from sklearnex.cluster import KMeans

    model = KMeans(n_colors, random_state=0).fit(points)
    return model.cluster_centers_, model.labels_


def faiss_palette(points, n_colors):
    import faiss

    model = faiss.Kmeans(points.shape[1], n_colors)
    model.train(points)
    return model.centroids, model.index.search(points, 1)[1]


def opencv_palette(points, n_colors):
    import cv2

    cv2.setNumThreads(THREADS)
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
    _, labels, centers = cv2.kmeans(points, n_colors, None, criteria, 1, cv2.KMEANS_PP_CENTERS)
    return centers, labels


def pillow_palette(method):
    return from_quality(partial(pillow, method))


TASKS = {
    "iterations": [
        Tool("kmeans_fast, 8 bits", ours_by_colour, dtype=np.uint8),
        Tool("kmeans_fast, 8 bits, dense", ours_dense, dtype=np.uint8),
        Tool("kmeans_fast, float32", ours_dense),
        Tool("textbook NumPy", textbook, "numpy", np.float64),
        Tool("SciPy kmeans2", scipy_from_centroids, "scipy.cluster.vq"),
        Tool("scikit-learn KMeans", sklearn_from_centroids, "sklearn.cluster"),
        Tool("scikit-learn-intelex KMeans", intelex_from_centroids, "sklearnex.cluster"),
        Tool("faiss-cpu", faiss_from_centroids, "faiss"),
        Tool("OpenCV kmeans", opencv_from_centroids, "cv2"),
    ],
    "palettes": [
        Tool("kmeans_fast", ours_palette),
        Tool("SciPy kmeans2", whole_palette(scipy_palette), "scipy.cluster.vq"),
        Tool("scikit-learn KMeans", whole_palette(sklearn_palette), "sklearn.cluster"),
        Tool("scikit-learn MiniBatchKMeans", whole_palette(minibatch_palette), "sklearn.cluster"),
        Tool("scikit-learn-intelex KMeans", whole_palette(intelex_palette), "sklearnex.cluster"),
        Tool("faiss-cpu", whole_palette(faiss_palette), "faiss"),
        Tool("OpenCV kmeans", whole_palette(opencv_palette), "cv2"),
        Tool("libimagequant", from_quality(libimagequant), "imagequant"),
        Tool("Pillow LIBIMAGEQUANT", pillow_palette(Image.Quantize.LIBIMAGEQUANT), "PIL"),
        Tool("Pillow MEDIANCUT", pillow_palette(Image.Quantize.MEDIANCUT), "PIL"),
        Tool("Pillow MAXCOVERAGE", pillow_palette(Image.Quantize.MAXCOVERAGE), "PIL"),
        Tool("Pillow FASTOCTREE", pillow_palette(Image.Quantize.FASTOCTREE), "PIL"),
    ],
}


# Measuring


def first_centroids(image, n_clusters):
    """Points near K of the picture's colours: (K, 3) float64, no two alike.

    They are off the grid of the colours, where many would be as near to one centroid as to another: there the tools go
    different ways, whose errors differ by luck.
    """
    colors = kf.ColorHistogram.from_image(image).colors
    chosen = colors[np.linspace(0, len(colors) - 1, n_clusters).astype(int)]
    return chosen + np.random.Generator(np.random.PCG64(0)).uniform(-0.4, 0.4, chosen.shape)


def error_of_centroids(image, centroids):
    """Mean squared distance of the pixels to their nearest centroids."""
    histogram = kf.ColorHistogram.from_image(image)
    colors = histogram.colors.astype(np.float64)
    nearest = np.full(len(colors), np.inf)
    for centroid in centroids.astype(np.float64):
        np.fmin(nearest, ((colors - centroid) ** 2).sum(axis=1), out=nearest)  # NaN is the mean of no points
    return float(nearest @ histogram.counts / histogram.n_pixels)


def prepare(task, tool, image, n_clusters):
    """Return what is timed, without arguments, and what gives the error of its result."""
    if task == "palettes":
        return tool.make(image, n_clusters)
    points = image.reshape(-1, 3).astype(tool.dtype)
    return tool.make(points, first_centroids(image, n_clusters)), partial(error_of_centroids, image)


def warm_up(task, tool, image, n_clusters):
    """Let the tool do all that it does only once: load, compile, start threads."""
    if tool.is_ours:
        kf.warmup()  # a small picture leaves out steps that others need
    step = math.ceil((image[..., 0].size / SMALL) ** 0.5)
    prepare(task, tool, np.ascontiguousarray(image[::step, ::step]), n_clusters)[0]()


def keep(results, name, run):
    results[name] = run()


def spaced(calls):
    """Put a pause before each call."""
    found = {}
    for name, call in calls.items():
        found["pause", name] = partial(time.sleep, PAUSE)
        found[name] = call
    return found


def least_times_and_errors(task, tools, image, n_clusters, repeat):
    """Return {name: (seconds, calls, error)} of tools that take turns."""
    cells = {}
    for tool in tools:
        warm_up(task, tool, image, n_clusters)
        cells[tool.name] = prepare(task, tool, image, n_clusters)
    results = {}
    first = least_times(spaced({name: partial(keep, results, name, run) for name, (run, _) in cells.items()}), 1)
    errors = {name: float(error(results.pop(name))) for name, (_, error) in cells.items()}
    fast = {name: run for name, (run, _) in cells.items() if first[name] <= SLOW}
    more = least_times(spaced(fast), repeat - 1)
    found = {}
    for name in cells:
        seconds = min(first[name], more.get(name, math.inf))
        found[name] = (seconds, repeat if name in fast else 1, errors[name])
    return found


def measure_times(image, repeat, tasks, clusters):
    """Return a row for each task, K and tool, and why tools were left out."""
    rows, left_out = [], {}
    for task, tools in tasks.items():
        reasons = {tool.name: tool.missing() for tool in tools}
        left_out |= {name: reason for name, reason in reasons.items() if reason is not None}
        present = [tool for tool in tools if reasons[tool.name] is None]
        for n_clusters in clusters:
            print(f"{task}, K={n_clusters}", file=sys.stderr, flush=True)
            found = least_times_and_errors(task, present, image, n_clusters, repeat)
            for tool in present:
                seconds, calls, error = found[tool.name]
                row = {"task": task, "tool": tool.name, "ours": tool.is_ours, "n_clusters": n_clusters}
                row |= {"seconds": seconds, "calls": calls, "bytes": None, "error": error, "step": 1}
                if tool.make is textbook:
                    row["step"] = textbook_step(image[..., 0].size, n_clusters)
                rows.append(row)
    return rows, left_out


def peak():
    """Return the most memory that this process has used, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise OSError("no VmHWM in /proc/self/status")


def peak_beyond(run):
    """Return how far a call takes the peak of this process above what is in use before it."""
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to what is in use now
    before = peak()
    result = run()
    after = peak()
    del result  # it counts
    return after - before


def find_tool(task, name):
    return next(tool for tool in TASKS[task] if tool.name == name)


def measure_memory(task, name, image, n_clusters):
    tool = find_tool(task, name)
    warm_up(task, tool, image, n_clusters)
    return peak_beyond(prepare(task, tool, image, n_clusters)[0])


def in_a_child(script, request, environment=()):
    """Let a script of this folder answer a request, in a process of its own that is pinned to the threads."""
    command = [sys.executable, str(Path(__file__).parent / script), "--child", json.dumps(request)]
    env = {**os.environ, **PINNED, **dict(environment)}
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env)
    return json.loads(finished.stdout.splitlines()[-1])  # what tools print comes before


# glibc would otherwise keep freed arrays, and serve new ones from them unseen
UNKEPT = {"MALLOC_MMAP_THRESHOLD_": "65536"}


def pin():
    """Let this process, in all its libraries, see no more processors than it may use threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])


def answer(request):
    """Do in a child what `in_a_child` asks for."""
    pin()
    warnings.simplefilter("ignore")  # rivals warn of empty clusters
    image = read(request["picture"], request["megapixels"])
    if "tool" in request:
        return measure_memory(request["task"], request["tool"], image, request["n_clusters"])
    return measure_times(image, request["repeat"], TASKS, CLUSTERS)


def read(path, megapixels):
    return photo(megapixels) if path is None else as_rgb(kf.read_image(path))


def versions():
    """Return {name: version} of what is installed."""
    names = {"NumPy": "numpy", "Numba": "numba", "SciPy": "scipy", "scikit-learn": "scikit-learn"}
    names |= {"scikit-learn-intelex": "scikit-learn-intelex", "faiss-cpu": "faiss-cpu"}
    names |= {"opencv": "opencv-python", "OpenCV": "opencv-python-headless", "Pillow": "pillow"}
    found = {"kmeans_fast": kf.__version__} | {name: version_of(package) for name, package in names.items()}
    found["imagequant"] = imagequant_version()
    return {name: number for name, number in found.items() if number is not None}


def describe(picture, image):
    height, width = image.shape[:2]
    colors = len(kf.ColorHistogram.from_image(image))
    name = "a made picture with a camera's noise" if picture is None else Path(picture).name
    return {"name": name, "width": width, "height": height, "colors": colors}


def circumstances():
    """Return when and on what a record is made."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": cpu_name(),
        "processors": os.cpu_count(),
        "threads": THREADS,
        "python": platform.python_version(),
    }


def measure(options):
    """Return the record of a new run: all that compare.json holds."""
    picture = None if options.picture is None else str(options.picture.resolve())
    source = {"picture": picture, "megapixels": options.megapixels}
    rows, left_out = in_a_child("compare.py", {**source, "repeat": options.repeat})
    for row in rows:
        if Path("/proc/self/clear_refs").exists():
            print(f"memory: {row['task']}, K={row['n_clusters']}, {row['tool']}", file=sys.stderr, flush=True)
            request = {**source, "task": row["task"], "tool": row["tool"], "n_clusters": row["n_clusters"]}
            row["bytes"] = in_a_child("compare.py", request, UNKEPT)
    return {
        **circumstances(),
        "system": platform.platform(),
        "versions": versions(),
        "picture": describe(picture, read(picture, options.megapixels)),
        "iterations": ITERATIONS,
        "repeat": options.repeat,
        "left_out": left_out,
        "rows": rows,
    }


# Showing


def figures(row):
    """Return what is shown of a row, as it is shown: {name: (rounded number, text)}, without what is not known.

    Two figures that read the same count as the same: that is about how far times vary.
    """
    found = {}
    scale, note = row["step"], "" if row["step"] == 1 else "†"
    seconds = significant(row["seconds"] * scale)
    found["time"] = seconds, (f"{seconds * 1e3:g} ms" if seconds < 1 else f"{seconds:g} s") + note
    if row["bytes"] is not None:
        megabytes = significant(row["bytes"] * scale / 1e6)
        found["memory"] = megabytes, (f"{megabytes:g} MB" if megabytes < 1000 else f"{megabytes / 1000:g} GB") + note
    if scale == 1:
        found["error"] = round(row["error"], 2), f"{row['error']:.2f}"
    return found


def significant(number):
    return float(f"{number:.1e}")


def beaters(row, kind, rows):
    """Return the rows of rivals that do better than ours in one kind of figure."""
    if kind not in figures(row):
        return []
    number = figures(row)[kind][0]
    return [rival for rival in rows if not rival["ours"] and figures(rival).get(kind, (math.inf,))[0] < number]


def shown(row, kind, rows):
    """Return a figure with its mark: ▼ if ours is beaten, bold if it beats one of ours."""
    text = figures(row).get(kind, (None, "—"))[1]
    if row["ours"]:
        return f"{text} ▼" if beaters(row, kind, rows) else text
    return f"**{text}**" if any(row in beaters(own, kind, rows) for own in rows if own["ours"]) else text


def table(rows):
    """Yield the lines of a task's table."""
    clusters = sorted({row["n_clusters"] for row in rows})
    heads = [f"K={n_clusters}: time, memory | error" for n_clusters in clusters]
    yield f"| | {' | '.join(heads)} |"
    yield "|---|" + "---:|" * (2 * len(clusters))
    for name in dict.fromkeys(row["tool"] for row in rows):
        columns = [name]
        for n_clusters in clusters:
            rivals = [row for row in rows if row["n_clusters"] == n_clusters]
            (row,) = (row for row in rivals if row["tool"] == name)
            time_shown, memory_shown, error_shown = (shown(row, kind, rivals) for kind in KINDS)
            columns += [f"{time_shown}, {memory_shown}", error_shown]
        yield f"| {' | '.join(columns)} |"


def losses(rows):
    """Return {(our row's name, kind of figure, who beats it): the Ks}, and how many figures of ours there are."""
    lost, n_figures = {}, 0
    for row in rows:
        if not row["ours"]:
            continue
        others = [other for other in rows if other["n_clusters"] == row["n_clusters"]]
        n_figures += len(figures(row))
        for kind in KINDS:
            names = tuple(rival["tool"] for rival in beaters(row, kind, others))
            if names:
                lost.setdefault((row["tool"], kind, names), []).append(row["n_clusters"])
    return lost, n_figures


def verdict(rows):
    """Yield a sentence that counts where we lose, and a line for each such figure."""
    lost, n_figures = losses(rows)
    rivals = {row["tool"] for row in rows if not row["ours"]}
    if not lost:
        yield f"No other tool beats any of our {n_figures} figures."
        return
    yield f"Other tools beat {sum(map(len, lost.values()))} of our {n_figures} figures (▼, by what is bold):"
    yield ""
    for (name, kind, names), clusters in lost.items():
        by = "all others" if set(names) == rivals else ", ".join(names)
        yield wrapped(f"- {kind} of {name}, K={' and '.join(map(str, clusters))}: {by}", "  ")


def wrapped(text, indent=""):
    return textwrap.fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def markdown(record):
    """Return the tables as the README shows them."""
    picture = record["picture"]
    packages = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    iterations, palettes = ([row for row in record["rows"] if row["task"] == task] for task in TASKS)
    parts = [
        wrapped(
            f"Recorded on {record['date']}: {record['cpu']}, {record['processors']} processors, every tool pinned to "
            f"{record['threads']} threads, Python {record['python']}, {packages}. The picture: {picture['name']}, "
            f"{picture['width']} × {picture['height']} pixels, {picture['colors']:,} colours."
        ),
        wrapped(
            f"**{record['iterations']} iterations** from the same centroids. Rivals take the pixels as float32, the "
            "textbook's loop as float64. The error is that of the last centroids; what computes in float32 ends a "
            "little above or below what is exact."
        ),
        "\n".join(table(iterations)),
        "\n".join(verdict(iterations)),
        wrapped(
            "**A palette and labels**, each tool's own way, of 8 bits a channel and without dithering. Other tools' "
            "k-means has its defaults and takes all pixels; but SciPy starts from drawn pixels, OpenCV makes one "
            "attempt of its tutorial's 10 iterations, and faiss takes a sample of 256 pixels for each colour."
        ),
        "\n".join(table(palettes)),
        "\n".join(verdict(palettes)),
        wrapped(
            f"Times are the least of {record['repeat']} interleaved calls; of one, for every tool alike, if it takes "
            f"more than {SLOW:g} s. Memory is the peak beyond the input, known to about 0.3 MB; error is the mean "
            "squared distance of a pixel." + scaling_note(record["rows"])
        ),
    ]
    if record["left_out"]:
        missing = ", ".join(f"{name} ({reason})" for name, reason in record["left_out"].items())
        parts.append(wrapped(f"Left out: {missing}."))
    return "\n\n".join(parts) + "\n"


def scaling_note(rows):
    """Explain †, if there is one."""
    notes = [f"K={row['n_clusters']} on one pixel in {row['step']}" for row in rows if row["step"] > 1]
    return f" † {' and '.join(notes)}, and multiplied: all would need too much memory." if notes else ""


def draw(record, path):
    """Draw the times as bars, for each task and K the fastest on top."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), layout="constrained")
    rows = record["rows"]
    clusters = sorted({row["n_clusters"] for row in rows})
    heights = [len({row["tool"] for row in rows if row["task"] == task}) for task in TASKS]
    grid = figure.subplots(len(TASKS), len(clusters), squeeze=False, height_ratios=heights)
    titles = {"iterations": f"{record['iterations']} iterations", "palettes": "palettes: time, error"}
    for task, line in zip(TASKS, grid, strict=True):
        seconds = [row["seconds"] * row["step"] for row in rows if row["task"] == task]
        limits = min(seconds) / 2, max(seconds) * (30 if task == "palettes" else 8)  # room for the texts
        for n_clusters, axes in zip(clusters, line, strict=True):
            panel = [row for row in rows if (row["task"], row["n_clusters"]) == (task, n_clusters)]
            draw_bars(axes, sorted(panel, key=lambda row: figures(row)["time"][0], reverse=True), task == "palettes")
            axes.set_xlim(limits)
            axes.set_title(f"K = {n_clusters}, {titles[task]}", loc="left", fontsize=9, fontweight="bold")
    megapixels = record["picture"]["width"] * record["picture"]["height"] / 1e6
    figure.suptitle(
        f"{megapixels * 1e6:,.0f} pixels, {record['threads']} threads of {record['cpu']}; less is better", fontsize=10
    )
    save(figure, path)


def save(figure, path):
    """Save a figure in 32 colours, which it hardly has more of: a third of the bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    with Image.open(buffer) as picture:
        kf.quantize(as_rgb(np.asarray(picture)), 32).save(path)


def draw_bars(axes, rows, with_error):
    from matplotlib.ticker import NullLocator

    seconds = [row["seconds"] * row["step"] for row in rows]
    colors = [OUR_COLOR if row["ours"] else RIVAL_COLOR for row in rows]
    axes.barh(range(len(rows)), seconds, color=colors, height=0.72)
    axes.set_yticks(range(len(rows)), [row["tool"] for row in rows], fontsize=8)
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        if row["ours"]:
            label.set(color=OUR_COLOR, fontweight="bold")
    for place, (row, number) in enumerate(zip(rows, seconds, strict=True)):
        text = figures(row)["time"][1]
        if with_error:
            text += f", {row['error']:.1f}"
        axes.text(number * 1.15, place, text, va="center", fontsize=8, color=OUR_COLOR if row["ours"] else INK)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda number, _: f"{number:g} s" if number >= 1 else f"{number * 1e3:g} ms")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e3e3e3")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def write(record):
    """Write what follows from the record: the tables and the figure."""
    (RECORDED / "compare.md").write_text(markdown(record), "utf-8")
    draw(record, RECORDED / "compare.png")


def positive(text):
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
    return number


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, help="instead of the made one")
    parser.add_argument("--megapixels", type=positive, default=1.0, help="of the made picture")
    record = measured_or_recorded(parser, "compare.json", answer, measure, write)
    if record is not None:
        print(markdown(record), end="")


def measured_or_recorded(parser, name, answer, measure, write):
    """Return what was measured, or is recorded, as the command line asks; None in a child, which only answers.

    ``measure(options)`` makes a record, which is kept in the file `name`, and ``write(record)`` what follows from it.
    """
    parser.add_argument("--repeat", type=int, choices=range(1, 100), default=3, metavar="N")
    parser.add_argument("--record", action="store_true", help="write the result, and the figure and tables of it")
    parser.add_argument("--from-record", action="store_true", help="measure nothing, show what is recorded")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        print(json.dumps(answer(options.child)))
        return None
    path = RECORDED / name
    record = json.loads(path.read_text("utf-8")) if options.from_record else measure(options)
    if options.record:
        RECORDED.mkdir(exist_ok=True)
        path.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    if options.record or options.from_record:
        write(record)
    return record


if __name__ == "__main__":
    main()
