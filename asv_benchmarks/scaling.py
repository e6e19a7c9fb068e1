"""How time and memory grow: ``python asv_benchmarks/scaling.py [--repeat 3] [--record]``.

Time against pixels, distinct colours, K and threads, and memory against pixels, for `quantize` and for 8 iterations of
`kmeans` from given centroids, by colour and as a dense pass, on pictures that are made, with a camera's noise. Each
line gets its slope: the power of x that it follows, the least squares of logarithms. Pictures with fewer colours are
the same with fewer bits a channel. Times are the least of interleaved calls; memory is the peak of a process of its own
beyond the picture, the result included, and only measured on Linux.

``--record`` writes scaling.json and scaling.png to the folder ``recorded``, and ``--from-record`` draws the figure
again. The figure needs the extra ``plot``.
"""

import argparse
import sys
from functools import cache, partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from benchmarks.common import photo
from compare import (
    RECORDED,
    THREADS,
    UNKEPT,
    circumstances,
    first_centroids,
    in_a_child,
    measured_or_recorded,
    peak_beyond,
    pin,
    save,
)
from dense_pass import ITERATIONS, least_times

import kmeans_fast as kf

MEGAPIXELS = (0.25, 0.5, 1, 2, 4, 8, 16)
MEMORY_MEGAPIXELS = (0.25, 1, 4, 16)
CLUSTERS = (8, 16, 32, 64, 128, 256)
BITS = (3, 4, 5, 6, 7, 8)  # a channel
USUAL_MEGAPIXELS = 4
USUAL_CLUSTERS = 64
STYLES = {"quantize": ("#1f6fb2", "o"), "kmeans": ("#d1752b", "s"), "kmeans, dense": ("#5b8c3a", "^")}


def calls(image, n_clusters, n_threads=THREADS):
    """Return {name: what is timed}."""
    options = {"init": first_centroids(image, n_clusters), "max_iter": ITERATIONS, "n_threads": n_threads}
    return {
        "quantize": partial(kf.quantize, image, n_clusters, n_threads=n_threads),
        "kmeans": partial(kf.kmeans, image, n_clusters, **options),
        "kmeans, dense": partial(kf.kmeans, image, n_clusters, algorithm="dense", **options),
    }


@cache
def usual():
    return photo(USUAL_MEGAPIXELS)


def fewer_colors(image, bits):
    """Return the picture with so many bits a channel, and the number of its colours."""
    shift = 8 - bits
    coarse = (image >> shift) << shift
    return coarse, len(kf.ColorHistogram.from_image(coarse))


def cells_of_colors():
    for bits in BITS:
        image, n_colors = fewer_colors(usual(), bits)
        if n_colors > USUAL_CLUSTERS:
            yield n_colors, calls(image, USUAL_CLUSTERS)


# Each panel: what is on its x axis, and pairs of x and calls. Those of a panel take turns: all of its x are kept.
TIMED = {
    "pixels": lambda: ((size * 1e6, calls(photo(size), USUAL_CLUSTERS)) for size in MEGAPIXELS),
    "distinct colours": cells_of_colors,
    "K": lambda: ((n_clusters, calls(usual(), n_clusters)) for n_clusters in CLUSTERS),
    "threads": lambda: ((n, calls(usual(), USUAL_CLUSTERS, n)) for n in range(1, THREADS + 1)),
}


def measure_times(axis, repeat):
    """Return {name: [[x, seconds], ...]} for a panel."""
    cells = {(name, x): call for x, named in TIMED[axis]() for name, call in named.items()}
    times = least_times(cells, repeat)
    found = {}
    for name, x in cells:
        found.setdefault(name, []).append([x, times[name, x]])
    return found


def measure_memory(name, size):
    kf.warmup()
    calls(photo(0.1), USUAL_CLUSTERS)[name]()
    return peak_beyond(calls(photo(size), USUAL_CLUSTERS)[name])


def answer(request):
    """Do in a child what `in_a_child` asks for."""
    pin()
    if "size" in request:
        return measure_memory(request["name"], request["size"])
    kf.warmup()
    return {axis: measure_times(axis, request["repeat"]) for axis in TIMED}


def slope(points):
    """Return the exponent of the power of x that fits best."""
    x, y = np.log(np.array(points)).T
    return float(np.polyfit(x, y, 1)[0])


def measure(repeat):
    """Return the record of a new run: all that scaling.json holds."""
    seconds = in_a_child("scaling.py", {"repeat": repeat})
    sizes = MEMORY_MEGAPIXELS if Path("/proc/self/clear_refs").exists() else ()
    memory = {
        name: [[size * 1e6, in_a_child("scaling.py", {"name": name, "size": size}, UNKEPT)] for size in sizes]
        for name in STYLES
    }
    panels = [{"quantity": "seconds", "axis": axis, "lines": lines} for axis, lines in seconds.items()]
    if sizes:
        panels.append({"quantity": "bytes", "axis": "pixels", "lines": memory})
    for panel in panels:
        panel["slopes"] = {name: slope(points) for name, points in panel["lines"].items()}
    return {
        **circumstances(),
        "kmeans_fast": kf.__version__,
        "iterations": ITERATIONS,
        "repeat": repeat,
        "megapixels": USUAL_MEGAPIXELS,
        "n_clusters": USUAL_CLUSTERS,
        "panels": panels,
    }


def report(record):
    """Yield lines for the terminal."""
    yield f"{record['cpu']}, {record['processors']} processors, Python {record['python']}, {record['date']}"
    for panel in record["panels"]:
        scale, unit = (1e3, "ms") if panel["quantity"] == "seconds" else (1e-6, "MB")
        yield f"\n{unit} against {panel['axis']}"
        for name, points in panel["lines"].items():
            row = ", ".join(f"{x:.6g}: {y * scale:.3g}" for x, y in points)
            yield f"{name}, slope {panel['slopes'][name]:.2f}: {row}"


def fixed(panel, record):
    """Say what does not vary in a panel."""
    parts = [] if panel["axis"] == "pixels" else [f"{record['megapixels']} megapixels"]
    parts += [] if panel["axis"] == "K" else [f"K = {record['n_clusters']}"]
    return ", ".join(parts)


def draw(record, path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    axes_of = figure.subplots(2, 3).ravel()
    for axes, panel in zip(axes_of, record["panels"], strict=False):
        draw_panel(axes, panel, fixed(panel, record))
    draw_legend(axes_of[-1], record)
    for axes in axes_of[len(record["panels"]) : -1]:
        axes.set_axis_off()
    save(figure, path)


def draw_panel(axes, panel, note):
    is_time = panel["quantity"] == "seconds"
    for name, points in panel["lines"].items():
        x, y = np.array(points).T
        color, marker = STYLES[name]
        axes.plot(x, y * (1e3 if is_time else 1e-6), color=color, marker=marker, markersize=4, linewidth=1.4)
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks(axes, panel)
    axes.set_xlabel(f"{panel['axis']}  ({note})", fontsize=8)
    axes.set_ylabel("milliseconds" if is_time else "megabytes beyond the picture", fontsize=8)
    title = f"{'time' if is_time else 'memory'} against {panel['axis']}"
    axes.set_title(f"{title}\nslopes", fontsize=9, loc="left", linespacing=1.4)
    for place, name in enumerate(panel["lines"]):
        text = f"{panel['slopes'][name]:.2f}".replace("-", "−")
        font = {"fontsize": 9, "color": STYLES[name][0], "fontweight": "bold"}
        axes.annotate(text, (0, 1), (38 + 34 * place, 6), "axes fraction", "offset points", **font)
    axes.grid(color="#e3e3e3", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def ticks(axes, panel):
    """Show plain numbers."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

    numbers = [x for x, _ in next(iter(panel["lines"].values()))]
    if panel["axis"] == "pixels":
        numbers = [number for number in numbers if number in {size * 1e6 for size in MEMORY_MEGAPIXELS}]
    if panel["axis"] != "distinct colours":
        axes.xaxis.set_major_locator(FixedLocator(numbers))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: plain(x)))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: plain(y)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=8)


def plain(number):
    """Write 250000 as 250k and 4000000 as 4M."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:g}{letter}"
    return f"{number:g}"


def draw_legend(axes, record):
    from matplotlib.lines import Line2D

    labels = {
        "quantize": "quantize",
        "kmeans": f"kmeans, {record['iterations']} iterations",
        "kmeans, dense": 'the same with algorithm="dense"',
    }
    lines = [Line2D([], [], color=color, marker=marker, markersize=5) for color, marker in STYLES.values()]
    axes.set_axis_off()
    axes.legend(lines, [labels[name] for name in STYLES], loc="upper left", fontsize=9, frameon=False)
    text = (
        f"{record['cpu']}, {record['threads']} threads,\n{record['date']}. Both axes are logarithmic:\na slope of 1 is "
        "proportional,\n0 is no growth, −1 for threads\nis twice as fast with two."
    )
    axes.text(0.03, 0.52, text, transform=axes.transAxes, fontsize=8, va="top", linespacing=1.5)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    record = measured_or_recorded(
        parser,
        "scaling.json",
        answer,
        lambda options: measure(options.repeat),
        lambda record: draw(record, RECORDED / "scaling.png"),
    )
    if record is not None:
        print("\n".join(report(record)))


if __name__ == "__main__":
    main()
