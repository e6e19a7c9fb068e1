"""Counting in hash tables, and finding numbers there, against np.unique; tables that run full, and both engines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import kmeans_fast as kf
from kmeans_fast import engines
from kmeans_fast.colors import counting, hashing
from kmeans_fast.colors.counts import Counts, Total
from kmeans_fast.engines.codes import encode
from kmeans_fast.lending import machine_for
from kmeans_fast.points.access import Points

DTYPES = [np.uint8, np.uint16]
# Other pixels are counted in tables, or sorted.
KINDS = [(np.uint8, 1), (np.uint8, 4), (np.uint16, 1), (np.uint16, 2), (np.uint16, 3), (np.uint16, 4)]
NO_LABELS = np.empty(0, np.uint32)


def counted(pixels, engine="auto", n_threads=1):
    """Count in hash tables whatever the pixels."""
    with machine_for(engine, n_threads, len(pixels), 10**9) as machine:
        return counting._count_by_hashing(Points(pixels), machine.engine.hashing, machine.workers)


def assert_counts(found, pixels):
    codes, numbers = np.unique(encode(pixels), return_counts=True)
    assert np.array_equal(found.codes, codes)
    assert np.array_equal(found.counts, numbers)
    assert (found.codes.dtype, found.counts.dtype) == (codes.dtype, np.int64)


def noise(dtype, n_channels, n_pixels=3000, most=None):
    """Pixels of which some are equal, black and white among them."""
    limit = np.iinfo(dtype).max
    pixels = np.random.default_rng(n_channels).integers(0, most or limit, (n_pixels, n_channels), dtype, endpoint=True)
    pixels[5:9], pixels[70:73] = 0, limit
    return pixels


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize(("dtype", "n_channels"), KINDS)
def test_noise_and_few_colours(engine, dtype, n_channels, n_threads, monkeypatch):
    monkeypatch.setattr(counting, "PIXELS_PER_TASK", 700)
    for most in (None, 3):
        pixels = noise(dtype, n_channels, most=most)
        assert_counts(counted(pixels, engine, n_threads), pixels)


@pytest.mark.parametrize("dtype", DTYPES)
def test_tables_that_grow_and_are_emptied(engine, dtype, monkeypatch):
    """At most 192 of 256 rows are used; the engines put another number of colours into each part."""
    monkeypatch.setattr(counting, "PIXELS_PER_TASK", 30)
    monkeypatch.setattr(hashing, "MOST_BYTES", 512 * np.dtype(dtype).itemsize * 4)
    pixels = noise(dtype, 4)
    assert_counts(counted(pixels, engine, n_threads=2), pixels)


def test_counts_that_a_table_cannot_hold(engine, monkeypatch):
    monkeypatch.setattr(counting, "PIXELS_PER_TASK", 1000)
    monkeypatch.setattr(hashing, "MOST_PIXELS", 1500)
    pixels = noise(np.uint8, 4, most=2)
    assert_counts(counted(pixels, engine), pixels)


@given(hnp.arrays(st.sampled_from(DTYPES), st.tuples(st.integers(1, 30), st.integers(1, 4))))
def test_any_pixels(pixels):
    if (pixels.dtype, pixels.shape[1]) not in KINDS:
        pixels = pixels[:, :1].copy()
    for engine in ("auto", "numpy"):
        assert_counts(counted(pixels, engine), pixels)


@pytest.mark.parametrize(("dtype", "n_channels"), KINDS[1:])
def test_numbers_are_found(engine, dtype, n_channels):
    colors = np.unique(noise(dtype, n_channels), axis=0)
    kernels = engines.load(engine).hashing
    table = hashing.numbered(colors, kernels)
    labels = np.empty(len(colors), np.uint32)
    kernels.find(
        colors[::-1].copy(), table, hashing.MULTIPLIER, np.arange(len(colors), dtype=np.uint32), NO_LABELS, labels
    )
    assert np.array_equal(labels, np.arange(len(colors))[::-1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_each_engine_goes_on_with_what_the_other_left(dtype):
    """As kernels come to hand one by one."""
    pixels = noise(dtype, 4)
    compiled, plain = engines.load("auto").hashing, engines.load("numpy").hashing
    for first, second in ((compiled, plain), (plain, compiled)):
        table = hashing.CountingTable(4, pixels.dtype, 100, first)
        parts = [part for start in range(0, 1500, 100) for part in table.count(pixels[start : start + 100])]
        table._kernels = second
        parts += [part for start in range(1500, 3000, 100) for part in table.count(pixels[start : start + 100])]
        assert parts == []
        assert_counts(table.empty(), pixels)
        colors = np.unique(pixels, axis=0)
        labels = np.empty(len(colors), np.uint32)
        places = np.arange(len(colors), dtype=np.uint32)
        second.find(colors, hashing.numbered(colors, first), hashing.MULTIPLIER, places, NO_LABELS, labels)
        assert np.array_equal(labels, places)


def test_colours_that_want_the_same_row_take_no_longer(monkeypatch):
    """A picture can be made so for one multiplier, which is another in each process; one that is bad is survived."""
    monkeypatch.setattr(hashing, "MULTIPLIER", 1)  # all keys belong into the first row
    pixels = noise(np.uint8, 4, n_pixels=150)
    for engine in ("auto", "numpy"):
        assert_counts(counted(pixels, engine), pixels)
    monkeypatch.undo()
    assert hashing.MULTIPLIER % 2 == 1
    assert 2**62 < hashing.MULTIPLIER < 2**63


def test_colours_with_steps_between_values_spread_over_the_rows(cat, engine, monkeypatch):
    """Multiplied by this alone, they would lie in runs of a thousand rows, which take NumPy up to minutes to fill."""
    monkeypatch.setattr(hashing, "MULTIPLIER", 0x61C8ED83959C3A23)
    colors = np.unique(cat[..., :2].reshape(-1, 2).astype(np.uint16) * np.uint16(251), axis=0)
    table = hashing.numbered(colors, engines.load(engine).hashing)
    free = np.flatnonzero(table[:, 1] == 0)
    assert np.diff(free).max() < 100


def test_a_total_does_not_grow_with_its_parts():
    total = Total()
    part = Counts(np.arange(100, dtype=np.uint32), np.ones(100, np.int64))
    for _ in range(1000):
        total.add(part)
        assert len(total._parts) < 3
    assert total.result().counts.tolist() == [1000] * 100


@pytest.mark.parametrize("n_channels", [3, 4])
def test_a_histogram_of_a_large_picture_with_alpha(cat, engine, n_channels):
    image = np.dstack([np.concatenate([cat] * 2), np.concatenate([cat[..., 0], cat[..., 1]])])[..., :n_channels]
    result = kf.ColorHistogram.from_image(image, engine=engine, n_threads=2)
    assert_counts(Counts(result.codes, result.counts), image.reshape(-1, n_channels))
