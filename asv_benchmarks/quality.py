"""Error and time beside other tools: ``python asv_benchmarks/quality.py [PICTURES] [--colors 2,16] [--markdown FILE]``.

Each cell is the error and the milliseconds of one tool; the lowest error of a row is marked. The error is the mean over
the pixels of the squared RGB difference, summed over the channels. The last lines name the rows that we lose.

Every tool gets the picture in the form that it takes, made before the clock starts. The time of scikit-learn includes
counting the colours, which is done by `ColorHistogram`, and not predicting; its error is that of its centres in floats,
all others' that of 8-bit palettes, whose rounding adds 1/12 a channel, 0.25 in all. libimagequant weighs colours in its
own way, not by this error, and nothing is dithered. Ours and scikit-learn start once, from seed 0, so that a difference
of a percent may be luck.

Times are the least of interleaved repeats. A tool whose first call takes long isn't called again. Pictures are taken
as RGB, without alpha. Without arguments: the sample picture and, from scikit-image, astronaut, coffee and chelsea.
What is not installed is left out: ``pip install scikit-learn imagequant scikit-image``.
"""

import argparse
import io
import os
import platform
import sys
import time
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from dense_pass import least_times

import kmeans_fast as kf

OURS = "kmeans_fast"
COLORS = "2,4,8,16,32,64,128,256"
SLOW = 2.0  # seconds; a rival's call that takes longer is timed once
WIDTH = 20  # of a column on the terminal


def mean_squared_distance(image, other):
    return ((image.astype(np.int32) - other) ** 2).sum() / image[..., 0].size


# A tool is made for a picture: a function of K, which is timed, and one that gives the error of what it returned.


def ours(image):
    def error(result):
        return mean_squared_distance(image, result.to_array())

    return partial(kf.quantize, image), error


def sklearn(image):
    from sklearn.cluster import KMeans

    def run(n_colors):
        histogram = kf.ColorHistogram.from_image(image)
        model = KMeans(min(n_colors, len(histogram)), n_init=1, tol=0, max_iter=25, random_state=0)
        # float32 because it is faster there, with the same error to four digits
        return histogram, model.fit(histogram.colors.astype(np.float32), sample_weight=histogram.counts)

    def error(result):
        histogram, model = result
        colors = histogram.colors.astype(np.float64)
        nearest = np.full(len(colors), np.inf)
        for center in model.cluster_centers_.astype(np.float64):
            np.minimum(nearest, ((colors - center) ** 2).sum(axis=1), out=nearest)
        return nearest @ histogram.counts / histogram.n_pixels

    return run, error


def libimagequant(image):
    import imagequant

    height, width = image.shape[:2]
    rgba = Image.fromarray(image).convert("RGBA").tobytes()

    def run(n_colors):
        return imagequant.quantize_raw_rgba_bytes(rgba, width, height, dithering_level=0.0, max_colors=n_colors)

    def error(result):
        labels, entries = result
        palette = np.array(entries, np.uint8).reshape(-1, 4)[:, :3]
        return mean_squared_distance(image, palette[np.frombuffer(labels, np.uint8).reshape(height, width)])

    return run, error


def pillow(method, image):
    picture = Image.fromarray(image)

    def run(n_colors):
        return picture.quantize(n_colors, method, dither=Image.Dither.NONE)

    def error(result):
        return mean_squared_distance(image, np.asarray(result.convert("RGB")))

    return run, error


TOOLS = {  # name: what makes it for a picture, and the package it needs
    OURS: (ours, None),
    "scikit-learn": (sklearn, "scikit-learn"),
    "libimagequant": (libimagequant, "imagequant"),
    "Pillow MEDIANCUT": (partial(pillow, Image.Quantize.MEDIANCUT), "pillow"),
    "Pillow MAXCOVERAGE": (partial(pillow, Image.Quantize.MAXCOVERAGE), "pillow"),
    "Pillow FASTOCTREE": (partial(pillow, Image.Quantize.FASTOCTREE), "pillow"),
}


def version_of(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def installed_tools():
    return {name: make for name, (make, package) in TOOLS.items() if package is None or version_of(package)}


def cpu_name():
    cpuinfo = Path("/proc/cpuinfo")  # Linux only; elsewhere Python may know less
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def imagequant_version():
    """The package's version and that of the library inside, which is another; None without it."""
    if version_of("imagequant") is None:
        return None
    import imagequant

    number = imagequant.lib.liq_version()  # 21501 is 2.15.1
    return f"{version('imagequant')} (libimagequant {number // 10000}.{number // 100 % 100}.{number % 100})"


def head():
    versions = {name: version_of(name) for name in ("numpy", "numba", "scikit-learn", "pillow", "scikit-image")}
    versions["imagequant"] = imagequant_version()
    found = [f"{name} {number}" for name, number in versions.items() if number is not None]
    missing = [name for name, number in versions.items() if number is None]
    yield f"{cpu_name()}, {os.cpu_count()} processors, Python {platform.python_version()}"
    yield f"{OURS} {kf.__version__}, {', '.join(found)}"
    if missing:
        yield f"not installed, left out: {', '.join(missing)}"


def as_rgb(image):
    if image.ndim == 2:
        image = np.stack([image] * 3, axis=-1)
    return np.ascontiguousarray(image[..., :3])


def given_pictures(paths):
    for path in paths:
        yield path.name, as_rgb(kf.read_image(path)), path


def default_pictures():
    (sample,) = given_pictures([kf.sample_path()])
    yield sample
    if version_of("scikit-image") is None:
        return
    import skimage.data

    for name in ("astronaut", "coffee", "chelsea"):
        image = as_rgb(getattr(skimage.data, name)())
        # chelsea is our sample, and would count twice
        if not np.array_equal(image, sample[1]):
            yield name, image, Path(skimage.data.data_dir) / f"{name}.png"


def decoding_time(path, repeats):
    """Say how long Pillow takes to decode the file from memory, or that there is no file."""
    if not path.exists():
        return "not read from a file"
    data = path.read_bytes()

    def decode():
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            return picture.format

    file_format = decode()
    return f"Pillow decodes the {file_format} in {least_times({'': decode}, repeats)[''] * 1e3:.1f} ms"


def measure(tools, n_colors, repeats):
    """Return {tool: (error, seconds)} for one K."""
    errors, calls, times = {}, {}, {}
    # We come last, behind Pillow, which has one thread: after a parallel region OpenMP's threads spin for a while,
    # and whoever follows scikit-learn would share the processors with them.
    for name in sorted(tools, key=lambda name: name == OURS):
        run, error = tools[name]
        begin = time.perf_counter()
        result = run(n_colors)
        seconds = time.perf_counter() - begin
        errors[name] = float(error(result))
        if seconds > SLOW and name != OURS:  # our first call may have been compiling
            times[name] = seconds
        else:
            calls[name] = partial(run, n_colors)
    times |= least_times(calls, repeats)
    return {name: (errors[name], times[name]) for name in tools}


def winners(row):
    # what is equal in exact arithmetic may differ in the last bits, of float32 for scikit-learn's centres
    least = min(error for error, _ in row.values()) * (1 + 1e-9) + 1e-6
    return {name for name, (error, _) in row.items() if error <= least}


def cells(n_colors, row, mark):
    best = winners(row)
    yield str(n_colors)
    for name, (error, seconds) in row.items():
        shown = f"{error:.2f}"
        yield f"{mark.format(shown) if name in best else shown} / {seconds * 1e3:.1f}"


def losses(name, n_colors, row):
    """Name the tools with a lower error than ours, and by how much; empty if there is none."""
    if OURS in winners(row):
        return []
    our_error = row[OURS][0]
    lower = {tool: 1 - error / our_error for tool, (error, _) in row.items() if error < our_error}
    return [f"{name} K={n_colors}: " + ", ".join(f"{tool} {share:.2%} lower" for tool, share in lower.items())]


def summary(rows):
    lost = [line for row in rows for line in losses(*row)]
    yield f"{OURS}: another tool has a lower error in {len(lost)} of {len(rows)} rows" + (":" if lost else "")
    yield from lost


def print_line(columns):
    print(f"{columns[0]:>4}" + "".join(f"{column:>{WIDTH}}" for column in columns[1:]), flush=True)


def compare(picture, options):
    """Print the table of a picture row by row; return its lines in Markdown, and its rows."""
    name, image, path = picture
    height, width = image.shape[:2]
    n_distinct = len(kf.ColorHistogram.from_image(image))
    title = f"{name}, {width} x {height}, {n_distinct} colours; {decoding_time(path, options.repeats)}"
    print(f"\n{title}\nerror / ms, * is the lowest error")
    tools = {tool: make(image) for tool, make in installed_tools().items()}
    print_line(["K", *tools])
    markdown = ["", title, "", f"| K | {' | '.join(tools)} |", "|---:" * (len(tools) + 1) + "|"]
    rows = []
    for n_colors in options.colors:
        row = measure(tools, n_colors, options.repeats)
        print_line([*cells(n_colors, row, "*{}")])
        markdown.append(f"| {' | '.join(cells(n_colors, row, '**{}**'))} |")
        rows.append((name, n_colors, row))
    return markdown, rows


def numbers_of_colors(text):
    numbers = [int(number) for number in text.split(",")]
    if not all(2 <= number <= 256 for number in numbers):
        raise argparse.ArgumentTypeError(f"all tools take 2 to 256 colours, got {text}")
    return numbers


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return number


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", type=Path)
    parser.add_argument("--colors", type=numbers_of_colors, default=COLORS, help="the numbers of colours, with commas")
    parser.add_argument("--repeats", type=positive, default=3)
    parser.add_argument("--markdown", type=Path, help="where to write the tables as Markdown too")
    options = parser.parse_args()
    preface = list(head())
    print("\n".join(preface))
    markdown = ["  \n".join([*preface, "Cells are error / ms; the lowest error is bold."])]
    rows = []
    for picture in given_pictures(options.pictures) if options.pictures else default_pictures():
        more_markdown, more_rows = compare(picture, options)
        markdown += more_markdown
        rows += more_rows
    verdict = list(summary(rows))
    print("\n" + "\n".join(verdict))
    if options.markdown is not None:
        bullets = [f"- {line}" for line in verdict[1:]]
        options.markdown.write_text("\n".join([*markdown, "", verdict[0], "", *bullets]).rstrip() + "\n", "utf-8")


if __name__ == "__main__":
    main()
