"""The table of rivals: ``python asv_benchmarks/compare.py [--picture FILE] [--megapixels 1] [--repeat 3] [--record]``.

Two tasks, each for K = 16 and 256, on a picture or on one that is made, with a camera's noise:

iterations  the same pixels, the same first centroids, 8 iterations
palettes    each tool's own way from the pixels to an 8-bit palette and a label for each pixel

What each tool is called with, and what some of them leave out, is in rivals.py. Every tool gets the pixels in the form
that it takes, made before the clock starts; ours takes them as they are, and in `iterations` also as the rivals do. All
are pinned to two threads. Times are the least of `--repeat` interleaved calls in one process, after a call on a small
picture; whoever takes longer than two seconds is called once, rival or not. Peak memory is what a process of its own
needs beyond the input, the result included; Linux only. The error is the mean over the pixels of the squared RGB
distance: in `iterations` to the nearest of the centroids that come back, in `palettes` to the colour that the tool gave
the pixel.

``--record`` writes compare.json, compare.md and compare.png to the folder ``recorded``, which README.md here shows, and
``--from-record`` writes the latter two again without measuring. A rival that cannot be imported is left out and named.
"""

import argparse
import io
import json
import math
import os
import platform
import sys
import textwrap
import warnings
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
import rivals
from benchmarks.common import photo

import kmeans_fast as kf

RECORDED = Path(__file__).parent / "recorded"
TASKS = {"iterations": rivals.ITERATIONS, "palettes": rivals.PALETTES}
CLUSTERS = (16, 256)
KINDS = ("time", "memory", "error")
N_ITERATIONS = 8
FITS = 1e9  # bytes that the textbook's two arrays of N×K×3 may take; it gets every n-th pixel if they took more
OUR_COLOR, RIVAL_COLOR, INK = "#1f6fb2", "#b9bec5", "#333333"
SMALL = 20_000  # pixels of the call that warms up


# Measuring


def first_centroids(image, n_clusters):
    """Points near K of the picture's colours: (K, 3) float64, no two alike.

    They are off the grid of the colours, where many would be as near to one centroid as to another: there the tools go
    different ways, whose errors differ by luck.
    """
    colors = kf.ColorHistogram.from_image(image).colors
    chosen = colors[np.linspace(0, len(colors) - 1, n_clusters).astype(int)]
    return chosen + np.random.Generator(np.random.PCG64(0)).uniform(-0.4, 0.4, chosen.shape)


def step_of(task, tool, image, n_clusters):
    """One pixel in how many the tool gets: all, but for the textbook."""
    if task == "palettes" or tool.make is not rivals.textbook_from:
        return 1
    return math.ceil(image[..., 0].size * n_clusters * 3 * 2 * 8 / FITS)


def prepare(task, tool, image, n_clusters):
    """Return what is timed, without arguments, and what gives the error of its result."""
    if task == "palettes":
        run, paint = tool.make(image)
        return partial(run, n_clusters), lambda result: rivals.mean_squared_distance(image, paint(result))
    points = image.reshape(-1, 3)[:: step_of(task, tool, image, n_clusters)].astype(tool.dtype)
    init = first_centroids(image, n_clusters)
    return tool.make(points, init, N_ITERATIONS), partial(rivals.error_of_centroids, image)


def warm_up(task, tool, image, n_clusters):
    """Let the tool do all that it does only once: load, compile, start threads."""
    if tool.is_ours:
        kf.warmup()  # a small picture leaves out steps that others need
    step = math.ceil((image[..., 0].size / SMALL) ** 0.5)
    prepare(task, tool, np.ascontiguousarray(image[::step, ::step]), n_clusters)[0]()


def measure_times(image, repeat, tasks, clusters):
    """Return a row for each task, K and tool, and why tools were left out."""
    rows, left_out = [], {}
    for task, tools in tasks.items():
        present, missing = rivals.split(tools)
        left_out |= missing
        for n_clusters in clusters:
            print(f"{task}, K={n_clusters}", file=sys.stderr, flush=True)
            for tool in present:
                warm_up(task, tool, image, n_clusters)
            cells = {tool.name: prepare(task, tool, image, n_clusters) for tool in present}
            times = rivals.take_turns({name: run for name, (run, _) in cells.items()}, repeat)
            for tool in present:
                seconds, calls, result = times.pop(tool.name)
                row = {"task": task, "tool": tool.name, "ours": tool.is_ours, "n_clusters": n_clusters}
                row |= {"seconds": seconds, "calls": calls, "bytes": None, "error": cells[tool.name][1](result)}
                rows.append(row | {"step": step_of(task, tool, image, n_clusters)})
    return rows, left_out


def answer(request):
    """Do in a child what `measure` asks for."""
    rivals.pin()
    warnings.simplefilter("ignore")  # rivals warn of empty clusters
    image = read(request["picture"], request["megapixels"])
    if "tool" in request:
        task = request["task"]
        case = task, rivals.find(TASKS[task], request["tool"]), image, request["n_clusters"]
        warm_up(*case)
        return rivals.peak_beyond(prepare(*case)[0])
    return measure_times(image, request["repeat"], TASKS, CLUSTERS)


def read(picture, megapixels):
    return photo(megapixels) if picture is None else rivals.as_rgb(kf.read_image(picture))


def measure(options):
    """Return the record of a new run: all that compare.json holds."""
    picture = None if options.picture is None else str(options.picture.resolve())
    source = {"picture": picture, "megapixels": options.megapixels}
    image = read(**source)
    name = "a made picture with a camera's noise" if picture is None else options.picture.name
    colors = len(kf.ColorHistogram.from_image(image))
    rows, left_out = rivals.in_a_child(__file__, {**source, "repeat": options.repeat})
    for row in rows if rivals.MEMORY_IS_KNOWN else ():
        print(f"memory: {row['task']}, K={row['n_clusters']}, {row['tool']}", file=sys.stderr, flush=True)
        request = source | {name: row[name] for name in ("task", "tool", "n_clusters")}
        row["bytes"] = rivals.in_a_child(__file__, request, rivals.UNKEPT)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": rivals.cpu_name(),
        "processors": os.cpu_count(),
        "threads": rivals.THREADS,
        "python": platform.python_version(),
        "system": platform.platform(),
        "versions": rivals.versions(),
        "picture": {"name": name, "width": image.shape[1], "height": image.shape[0], "colors": colors},
        "iterations": N_ITERATIONS,
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


def verdict(rows):
    """Yield a sentence that counts where we lose, and a line for each such figure."""
    lost, n_figures = {}, 0
    for row in (row for row in rows if row["ours"]):
        others = [other for other in rows if other["n_clusters"] == row["n_clusters"]]
        n_figures += len(figures(row))
        for kind in KINDS:
            names = tuple(rival["tool"] for rival in beaters(row, kind, others))
            if names:
                lost.setdefault((row["tool"], kind, names), []).append(row["n_clusters"])
    if not lost:
        yield f"No other tool beats any of our {n_figures} figures."
        return
    yield f"Other tools beat {sum(map(len, lost.values()))} of our {n_figures} figures (▼, by what is bold):"
    yield ""
    rivals_here = {row["tool"] for row in rows if not row["ours"]}
    for (name, kind, names), clusters in lost.items():
        by = "all others" if set(names) == rivals_here else ", ".join(names)
        yield wrapped(f"- {kind} of {name}, K={' and '.join(map(str, clusters))}: {by}", "  ")


def wrapped(text, indent=""):
    return textwrap.fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def markdown(record):
    """Return the tables as README.md here shows them."""
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
            f"more than {rivals.SLOW:g} s. Memory is the peak beyond the input, known to about 0.3 MB; error is the "
            "mean squared distance of a pixel." + scaling_note(record["rows"])
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
    pixels = record["picture"]["width"] * record["picture"]["height"]
    figure.suptitle(f"{pixels:,} pixels, {record['threads']} threads of {record['cpu']}; less is better", fontsize=10)
    buffer = io.BytesIO()  # it hardly has more than 32 colours, which take a third of the bytes
    figure.savefig(buffer, format="png", dpi=130)
    with Image.open(buffer) as picture:
        kf.quantize(rivals.as_rgb(np.asarray(picture)), 32).save(path)


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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, help="instead of the made one")
    parser.add_argument("--megapixels", type=float, default=1.0, help="of the made picture")
    parser.add_argument("--repeat", type=int, choices=range(1, 100), default=3, metavar="N")
    parser.add_argument("--record", action="store_true", help="write the result, and the figure and tables of it")
    parser.add_argument("--from-record", action="store_true", help="measure nothing, show what is recorded")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        print(json.dumps(answer(options.child)))
        return
    path = RECORDED / "compare.json"
    record = json.loads(path.read_text("utf-8")) if options.from_record else measure(options)
    if options.record:
        RECORDED.mkdir(exist_ok=True)
        path.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    text = markdown(record)
    if options.record or options.from_record:
        (RECORDED / "compare.md").write_text(text, "utf-8")
        draw(record, RECORDED / "compare.png")
    print(text, end="")


if __name__ == "__main__":
    main()
