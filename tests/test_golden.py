"""The sample picture's clusters: the same bytes on every engine, thread count, operating system and Python.

The file golden.json holds, for each number of colours and seeding, checksums of centroids and labels at the fixed point
and the palette, and for each space those of a palette of 8. They may change only with the algorithm itself: ``python
tests/test_golden.py`` writes them anew.
"""

import hashlib
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import ENGINES
from PIL import Image

import kmeans_fast as kf

GOLDEN = Path(__file__).with_name("golden.json")
CASES = [(n_colors, init) for n_colors in (2, 8, 16) for init in ("random", "k-means++")]
# NumPy takes long: with each number of colours it has one number of threads.
RUNS = [
    (engine, n_threads, *case)
    for engine, n_threads, case in itertools.product(ENGINES, (1, 3), CASES)
    if engine == "numba" or n_threads == {2: 3, 8: 3, 16: 1}[case[0]]
]
SPACES = ("linear", "oklab", "lab")


def checksum(array):
    little_endian = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return hashlib.sha256(little_endian.tobytes()).hexdigest()


def fingerprint(image, n_colors, init, **options):
    result = kf.kmeans(image, n_colors, init=init, seed=1, max_iter=1000, **options)
    quantized = kf.quantize(image, n_colors, init=init, seed=1, **options)
    return {
        "iterations": result.n_iter,
        "centroids": checksum(result.centroids),
        "labels": checksum(result.labels),
        "palette": quantized.hex_colors,
        "picture": checksum(quantized.to_array()),
    }


def fingerprint_in(space, image, **options):
    quantized = kf.quantize(image, 8, space=space, seed=1, **options)
    return [checksum(quantized.palette), checksum(quantized.labels), quantized.mse.hex()]


def as_floats(image):
    """Float points that aren't integers: here the order of summation shows."""
    return (image.astype(np.float32) / np.float32(255)) ** np.float32(2)


@pytest.mark.parametrize(("engine", "n_threads", "n_colors", "init"), RUNS)
def test_the_sample_picture(cat, engine, n_threads, n_colors, init):
    golden = json.loads(GOLDEN.read_text())
    actual = fingerprint(cat, n_colors, init, engine=engine, n_threads=n_threads)
    assert actual == golden[f"{n_colors} {init}"]


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("space", SPACES)
def test_spaces(cat, engine, n_threads, space):
    golden = json.loads(GOLDEN.read_text())
    assert fingerprint_in(space, cat, engine=engine, n_threads=n_threads) == golden[space]


def test_float_points(cat, engine):
    golden = json.loads(GOLDEN.read_text())
    result = kf.kmeans(as_floats(cat), 16, max_iter=10, engine=engine, n_threads=3)
    assert [checksum(result.centroids), checksum(result.labels), result.inertia.hex()] == golden["float32"]


if __name__ == "__main__":
    with Image.open(kf.sample_path()) as picture:
        sample = np.array(picture.convert("RGB"))
    contents = {f"{n_colors} {init}": fingerprint(sample, n_colors, init) for n_colors, init in CASES}
    floats = kf.kmeans(as_floats(sample), 16, max_iter=10)
    contents["float32"] = [checksum(floats.centroids), checksum(floats.labels), floats.inertia.hex()]
    contents |= {space: fingerprint_in(space, sample) for space in SPACES}
    GOLDEN.write_text(json.dumps(contents, indent=1) + "\n")
