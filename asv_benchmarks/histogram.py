"""The histogram algorithm on pictures: ``python asv_benchmarks/histogram.py {rivals,fixed-point,stages,scaling}``.

rivals       whole call, 8 iterations from given centroids, beside faiss-cpu and scikit-learn on the same pixels
fixed-point  mean cost of an iteration over a run until nothing moves, K=256, on one thread; a figure with --figure
stages       counting colours and spreading labels, in ns a pixel
scaling      the whole call against K and against the number of pixels; a figure with --figure

Takes pictures as arguments, and makes one of 6 megapixels where none are given. Times are the least of several
interleaved repeats. ``rivals`` needs the extra ``bench``, figures need ``plot``.
"""

import argparse
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from benchmarks.common import photo, spread
from dense_pass import least_times, run_faiss, run_sklearn
from matplotlib.figure import Figure

import kmeans_fast as kf

ITERATIONS = 8


def rivals(name, image, options):
    pixels = image.reshape(-1, image.shape[-1]).astype(np.float32)
    for n_clusters in (16, 256):
        init = spread(pixels, n_clusters) + 0.25  # no two of them alike

        def ours(init=init):
            kf.kmeans(image, len(init), init=init, max_iter=ITERATIONS)

        ours()
        times = least_times({"kmeans_fast": ours, "faiss": lambda init=init: run_faiss(pixels, init)}, options.repeats)
        # takes half a minute, so once is enough
        times |= least_times({"scikit-learn": lambda init=init: run_sklearn(pixels, init)}, 1)
        row = ", ".join(f"{rival} {seconds * 1e3:.0f} ms" for rival, seconds in times.items())
        ratios = [f"{times['kmeans_fast'] / times[rival]:.4f} of {rival}" for rival in ("faiss", "scikit-learn")]
        print(f"{name}, K={n_clusters}: {row}; {', '.join(ratios)}", flush=True)


def note_time(times, *_):
    times.append(time.perf_counter())


def fixed_point(name, image, options):
    histogram = kf.ColorHistogram.from_image(image)
    init = histogram.colors[np.linspace(0, len(histogram) - 1, 256).astype(int)] + 0.25
    best = None
    for _ in range(options.repeats):
        times: list[float] = []
        note = partial(note_time, times)
        result = kf.kmeans(histogram, 256, init=init, max_iter=10_000, n_threads=1, callback=note)
        steps = np.diff(times) * 1e3
        best = steps if best is None else np.minimum(best, steps)
    print(f"{name}, {len(histogram)} colours: {result.n_iter} iterations, mean {best.mean():.2f} ms, "
          f"the 2nd to 9th {best[:8].mean():.2f} ms, the last 20 {best[-20:].mean():.2f} ms")  # fmt: skip
    return {name: (np.arange(2, len(best) + 2), best)}


def stages(name, image, options):
    histogram = kf.ColorHistogram.from_image(image)
    labels = (np.arange(len(histogram)) % 251).astype(np.uint8)
    times = least_times(
        {
            "counting": lambda: kf.ColorHistogram.from_image(image),
            "labels": lambda: histogram.labels_of(image, labels),
        },
        options.repeats,
    )
    n_pixels = image[..., 0].size
    row = ", ".join(f"{stage} {seconds / n_pixels * 1e9:.2f} ns a pixel" for stage, seconds in times.items())
    print(f"{name}, {len(histogram)} colours, {n_pixels} pixels: {row}")


def scaling(name, image, options):
    curves = {}
    points = []
    for n_clusters in (8, 16, 32, 64, 128, 256):
        init = spread(image, n_clusters) + 0.25
        call = {"call": lambda i=init: kf.kmeans(image, len(i), init=i, max_iter=ITERATIONS)}
        points.append((n_clusters, least_times(call, options.repeats)["call"] * 1e3))
    curves["milliseconds against K"] = tuple(np.array(points).T)
    init = spread(image, 64) + 0.25
    points = []
    for copies in (1, 2, 4, 8):
        tall = np.concatenate([image] * copies)
        call = {"call": lambda t=tall: kf.kmeans(t, 64, init=init, max_iter=ITERATIONS)}
        points.append((tall[..., 0].size / 1e6, least_times(call, options.repeats)["call"] * 1e3))
    curves["milliseconds against megapixels of the same colours, K=64"] = tuple(np.array(points).T)
    for title, (x, y) in curves.items():
        print(f"{name}, {title}: " + ", ".join(f"{a:g}: {b:.0f}" for a, b in zip(x, y, strict=True)))
    (megapixels, milliseconds) = curves["milliseconds against megapixels of the same colours, K=64"]
    print(f"{name}: {np.polyfit(megapixels, milliseconds, 1)[0]:.2f} ns for each further pixel")
    return curves


def draw(curves, path, y_label):
    figure = Figure(figsize=(7, 4 * len(curves)), layout="constrained")
    for axes, (title, (x, y)) in zip(np.ravel(figure.subplots(len(curves))), curves.items(), strict=True):
        axes.plot(x, y, marker="." if len(x) > 50 else "o", markersize=3 if len(x) > 50 else 6, linewidth=0.8)
        axes.set(title=title, ylabel=y_label)
        axes.set_ylim(bottom=0)
        axes.grid(color="#e3e3e3")
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["rivals", "fixed-point", "stages", "scaling"])
    parser.add_argument("pictures", nargs="*", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--figure", type=Path, help="where to draw the curves of fixed-point and scaling")
    options = parser.parse_args()
    run = {"rivals": rivals, "fixed-point": fixed_point, "stages": stages, "scaling": scaling}[options.what]
    pictures = {path.name: kf.read_image(path) for path in options.pictures} or {"made": photo(6)}
    curves = {}
    for name, image in pictures.items():
        curves |= run(name, image, options) or {}
    if options.figure is not None:
        draw(curves, options.figure, "ms")


if __name__ == "__main__":
    main()
