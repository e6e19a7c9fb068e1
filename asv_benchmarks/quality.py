"""Error and time of palettes, beside other tools: ``python asv_benchmarks/quality.py [PICTURES] [--colors 16,256]``.

For each picture and number of colours: the mean squared RGB distance of a pixel, and milliseconds, of

kmeans_fast     `quantize` with its defaults, labels included
scikit-learn    KMeans(K, n_init=1, tol=0, max_iter=25), greedy k-means++, on the weighted colours; its centres are not
                rounded and no pixel gets a label, which is to its advantage
libimagequant   PyPI's `imagequant`, its defaults without dithering
octree, median cut, max coverage
                Pillow's three methods, without dithering

The lowest error of a row is marked. Takes the sample picture where none is given. Needs the extra ``bench``.
"""

import argparse
import io
import sys
from importlib.metadata import version
from pathlib import Path

import imagequant
import numpy as np
from PIL import Image
from sklearn.cluster import KMeans

sys.path.insert(0, str(Path(__file__).parent))
from dense_pass import least_times

import kmeans_fast as kf

TOOLS = ("kmeans-fast", "numpy", "numba", "scikit-learn", "imagequant", "pillow")
METHODS = {
    "octree": Image.Quantize.FASTOCTREE,
    "median cut": Image.Quantize.MEDIANCUT,
    "max coverage": Image.Quantize.MAXCOVERAGE,
}


def image_error(image, other):
    difference = image.astype(np.int32) - np.asarray(other.convert("RGB")).astype(np.int32)
    return float((difference**2).sum(axis=-1).mean())


def fit_sklearn(image, n_colors):
    histogram = kf.ColorHistogram.from_image(image)
    n_clusters = min(n_colors, len(histogram))
    model = KMeans(n_clusters, n_init=1, tol=0, max_iter=25, random_state=0)
    model.fit(histogram.colors.astype(np.float32), sample_weight=histogram.counts)
    return model.inertia_ / histogram.n_pixels


def rivals_of(image, n_colors):
    """For each tool a call that returns its error; what only measures the error is done outside of the clock."""
    picture = Image.fromarray(image)
    with_alpha = picture.convert("RGBA")
    calls = {
        "kmeans_fast": lambda: kf.quantize(image, n_colors),
        "scikit-learn": lambda: fit_sklearn(image, n_colors),
        "libimagequant": lambda: imagequant.quantize_pil_image(with_alpha, dithering_level=0.0, max_colors=n_colors),
    }
    for name, method in METHODS.items():
        calls[name] = lambda method=method: picture.quantize(n_colors, method=method, dither=Image.Dither.NONE)
    return calls


def error_of(image, result):
    if isinstance(result, float):
        return result
    return result.mse if isinstance(result, kf.QuantizedImage) else image_error(image, result)


def measure(image, n_colors, repeats):
    calls = rivals_of(image, n_colors)
    errors = {name: error_of(image, call()) for name, call in calls.items()}  # and warm up
    slow = {"scikit-learn", "libimagequant"}
    times = least_times({name: call for name, call in calls.items() if name not in slow}, repeats)
    times |= least_times({name: call for name, call in calls.items() if name in slow}, 1)
    return {name: (errors[name], times[name] * 1e3) for name in calls}


def row_of(n_colors, measured):
    best = min(error for error, _ in measured.values())
    cells = [f"{'**' if error == best else ''}{error:.2f}{'**' if error == best else ''}, {milliseconds:.0f} ms"
             for error, milliseconds in measured.values()]  # fmt: skip
    return f"| {n_colors} | " + " | ".join(cells) + " |"


def report(path, colors, repeats):
    data = path.read_bytes()
    image = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    decode = least_times({"decode": lambda: Image.open(io.BytesIO(data)).load()}, repeats)["decode"]
    print(f"\n{path.name}, {image.shape[1]}×{image.shape[0]} pixels, decoded by Pillow in {decode * 1e3:.0f} ms\n")
    losses = []
    for i, n_colors in enumerate(colors):
        measured = measure(image, n_colors, repeats)
        if i == 0:
            print("| K | " + " | ".join(measured) + " |")
            print("|---:" * (len(measured) + 1) + "|")
        print(row_of(n_colors, measured), flush=True)
        ours = measured["kmeans_fast"][0]
        losses += [f"K={n_colors} by {name} ({error / ours - 1:+.1%})"
                   for name, (error, _) in measured.items() if error < ours]  # fmt: skip
    print("\nlower errors than ours: " + (", ".join(losses) or "none"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", type=Path, default=[Path(kf.sample_path())])
    parser.add_argument("--colors", default="2,4,8,16,32,64,128,256")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(", ".join(f"{tool} {version(tool)}" for tool in TOOLS))
    for path in options.pictures:
        report(path, [int(n_colors) for n_colors in options.colors.split(",")], options.repeats)


if __name__ == "__main__":
    main()
