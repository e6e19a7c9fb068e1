"""Error and time beside other tools, as Markdown: ``python asv_benchmarks/quality.py [PICTURES] [--colors 2 16]``.

Each cell is the error and the milliseconds of one tool; the lowest error of a row is bold. The error is the mean over
the pixels of the squared RGB difference, summed over the channels. The last lines name the rows that we lose.

Every tool gets the picture in the form that it takes, made before the clock starts; all are pinned to two threads. The
time of scikit-learn includes counting the colours, which is done by `ColorHistogram`, and not predicting; its error is
that of its centres in floats, all others' that of 8-bit palettes, whose rounding adds 1/12 a channel, 0.25 in all.
libimagequant weighs colours in its own way, not by this error, and nothing is dithered. Ours and scikit-learn start
once, from seed 0, so that a difference of a percent may be luck.

Times are the least of interleaved repeats. Pictures are taken as RGB, without alpha; without arguments, the sample
picture is taken. A rival that cannot be imported is left out and named.
"""

import argparse
import os
import platform
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import rivals

import kmeans_fast as kf

OURS = "kmeans_fast"
OTHERS = ("libimagequant", "Pillow MEDIANCUT", "Pillow MAXCOVERAGE", "Pillow FASTOCTREE")
TOOLS = [rivals.find(rivals.PALETTES, OURS), rivals.WEIGHTED, *(rivals.find(rivals.PALETTES, name) for name in OTHERS)]
COLORS = (2, 4, 8, 16, 32, 64, 128, 256)


def measure(image, made, n_colors, repeats):
    """Return {tool: (error, seconds)} for one K."""
    times = rivals.take_turns({name: partial(run, n_colors) for name, (run, _) in made.items()}, repeats)
    return {
        name: (rivals.mean_squared_distance(image, made[name][1](result)), seconds)
        for name, (seconds, _, result) in times.items()
    }


def winners(row):
    # what is equal in exact arithmetic may differ in the last bits, of float32 for scikit-learn's centres
    least = min(error for error, _ in row.values()) * (1 + 1e-9) + 1e-6
    return {name for name, (error, _) in row.items() if error <= least}


def cells(n_colors, row):
    best = winners(row)
    yield str(n_colors)
    for name, (error, seconds) in row.items():
        shown = f"**{error:.2f}**" if name in best else f"{error:.2f}"
        yield f"{shown} / {seconds * 1e3:.1f}"


def loss(name, n_colors, row):
    """Name the tools with a lower error than ours, and by how much; None if there is none."""
    if OURS in winners(row):
        return None
    our_error = row[OURS][0]
    lower = {tool: 1 - error / our_error for tool, (error, _) in row.items() if error < our_error}
    return f"{name} K={n_colors}: " + ", ".join(f"{tool} {share:.2%} lower" for tool, share in lower.items())


def compare(path, tools, options):
    """Print the table of a picture, row by row; return what we lose, None for each row that we don't."""
    image = rivals.as_rgb(kf.read_image(path))
    made = {tool.name: tool.make(image) for tool in tools}
    height, width = image.shape[:2]
    n_distinct = len(kf.ColorHistogram.from_image(image))
    print(f"\n{path.name}, {width} x {height}, {n_distinct} colours\n")
    print(f"| K: error / ms | {' | '.join(made)} |\n{'|---:' * (len(made) + 1)}|")
    measure(image, made, 2, 1)  # loads and starts threads
    found = []
    for n_colors in options.colors:
        row = measure(image, made, n_colors, options.repeats)
        print(f"| {' | '.join(cells(n_colors, row))} |", flush=True)
        found.append(loss(path.name, n_colors, row))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", type=Path, default=[kf.sample_path()])
    parser.add_argument("--colors", type=int, nargs="+", choices=range(2, 257), default=COLORS, metavar="K")
    parser.add_argument("--repeats", type=int, choices=range(1, 100), default=3, metavar="N")
    options = parser.parse_args()
    rivals.pin()
    kf.warmup()
    tools, left_out = rivals.split(TOOLS)
    packages = ", ".join(f"{name} {number}" for name, number in rivals.versions().items())
    print(f"{rivals.cpu_name()}, {os.cpu_count()} processors, Python {platform.python_version()}; {packages}")
    for name, reason in left_out.items():
        print(f"Left out: {name} ({reason})")
    rows = [row for path in options.pictures for row in compare(path, tools, options)]
    lost = [row for row in rows if row is not None]
    print(f"\n{OURS}: another tool has a lower error in {len(lost)} of {len(rows)} rows" + (":\n" if lost else ""))
    print("".join(f"- {line}\n" for line in lost), end="")


if __name__ == "__main__":
    main()
