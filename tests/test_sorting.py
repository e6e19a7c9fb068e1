"""Codes sorted by radix, against np.argsort, on both engines and any number of threads."""

import numpy as np
import pytest

from kmeans_fast import engines
from kmeans_fast.colors import counting, histogram, sorting, translucent
from kmeans_fast.engines.codes import encode
from kmeans_fast.lending import Machine
from kmeans_fast.machine.threads import workers
from kmeans_fast.points.access import Points


@pytest.mark.parametrize("n_in_cache", [50, 10**6])
@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize(("dtype", "n_bits"), [(np.uint32, 24), (np.uint32, 32), (np.uint64, 48), (np.uint64, 64)])
def test_codes_are_sorted_and_equal_ones_stay_in_order(engine, monkeypatch, dtype, n_bits, n_threads, n_in_cache):
    monkeypatch.setattr(sorting, "SHARED_CODES", 100)
    monkeypatch.setattr(sorting, "CODES_PER_TASK", 1000)
    monkeypatch.setattr(sorting, "MOST_IN_CACHE", n_in_cache)
    rng = np.random.default_rng(5)
    codes = (rng.integers(2**20, size=5000).astype(np.uint64) << np.uint64(n_bits - 20)).astype(dtype)
    codes[::3] = codes[0]
    codes[1::3] ^= rng.integers(2**12, size=1667).astype(dtype)
    expected = np.argsort(codes, kind="stable")
    with workers(n_threads) as lent:
        machine = Machine(engines.load(engine), lent)
        in_order, order = sorting.sort(codes.copy(), np.arange(5000, dtype=np.uint32), n_bits, machine)
        alone, nothing = sorting.sort(codes.copy(), sorting.NOTHING, n_bits, machine)
    assert np.array_equal(order, expected)
    assert np.array_equal(in_order, codes[expected])
    assert np.array_equal(alone, in_order)
    assert nothing.size == 0


@pytest.mark.parametrize(("dtype", "n_channels"), [(np.uint8, 4), (np.uint16, 1), (np.uint16, 3), (np.uint16, 4)])
def test_sorting_counts_what_hashing_does(engine, monkeypatch, dtype, n_channels):
    monkeypatch.setattr(counting, "PIXELS_AT_ONCE", 3000)
    rng = np.random.default_rng(6)
    pixels = rng.integers(np.iinfo(dtype).max + 1, size=(7000, n_channels)).astype(dtype)
    pixels[5000:] = pixels[:2000]
    with workers(2) as lent:
        machine = Machine(engines.load(engine), lent)
        by_sorting, _ = counting.count_by_sorting(Points(pixels), machine)
        by_hashing = counting._count_by_hashing(Points(pixels), machine.engine.hashing, lent)
    for ours, theirs in zip(by_sorting, by_hashing, strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("n_opaque", [0, 5, 3000])
def test_labels_of_pixels_that_were_sorted(engine, monkeypatch, n_opaque):
    """Some colours occur twice; opaque pixels were sorted, too, or counted apart."""
    monkeypatch.setattr(counting, "PIXELS_PER_TASK", 1000)
    monkeypatch.setattr(counting, "LEAST_SAMPLE", 0)
    pixels = np.random.default_rng(8).integers(255, size=(7000, 4)).astype(np.uint8)
    pixels[6900:] = pixels[:100]
    pixels[:n_opaque, 3] = 255
    with workers(2) as lent:
        machine = Machine(engines.load(engine), lent)
        counted = histogram.count_and_place(Points(pixels), machine)
        assert counted.placed is not None
        assert counted == histogram.count(Points(pixels), machine)
        numbers = histogram.number_pixels(counted, Points(pixels), machine)
        assert np.array_equal(counted.colors[numbers], pixels)
        others = pixels[::-1]
        assert np.array_equal(counted.colors[histogram.number_pixels(counted, Points(others), machine)], others)


def test_noise_is_mostly_distinct_and_few_colours_are_not():
    rng = np.random.default_rng(7)
    noise = rng.integers(256, size=(200_000, 4)).astype(np.uint8)
    assert counting.are_mostly_distinct(Points(noise))
    assert not counting.are_mostly_distinct(Points(noise // 64))


def random_rgba(n, alphas, seed=9):
    pixels = np.random.default_rng(seed).integers(256, size=(n, 4)).astype(np.uint8)
    pixels[:, 3] = np.random.default_rng(seed).choice(alphas, n)
    return pixels


def steps_of_64():
    """Pixels whose points differ by 4096, which is all that a bucket tells of them."""
    colors = np.array(np.meshgrid(*[[0, 64, 128, 192]] * 3)).reshape(3, -1).T
    return np.repeat(np.column_stack([colors, np.full(len(colors), 64)]), 3, axis=0).astype(np.uint8)


def every_product():
    values, alphas = np.indices((256, 256)).reshape(2, -1)
    return np.column_stack([values, 255 - values, values ^ 85, alphas]).astype(np.uint8)


def whole_stretches():
    """For each of six parts a stretch of opaque pixels, one whose last pixel alone is not, and the start of another."""
    pixels = random_rgba(6 * 1100, [0, 9, 255])
    alphas = pixels[:, 3].reshape(6, 1100)
    alphas[:, :1023], alphas[:, 1023] = 255, 77
    return pixels


@pytest.mark.parametrize(("n_threads", "n_in_cache"), [(1, 5), (3, 5), (3, 10**6)])
@pytest.mark.parametrize(
    "pixels",
    [
        random_rgba(4000, range(256)),
        random_rgba(4000, range(12)),
        random_rgba(4000, [0, 255]),
        random_rgba(50, [255]),
        random_rgba(50, [0]),
        random_rgba(1, [7]),
        random_rgba(3000, [200])[np.random.default_rng(3).integers(40, size=3000)],
        steps_of_64(),
        whole_stretches(),
    ],
    ids=[
        *("all", "faint", "all or nothing", "opaque", "hidden", "one", "repeated", "steps of 64", "whole stretches"),
    ],
)
def test_products_are_counted_in_order(engine, monkeypatch, pixels, n_threads, n_in_cache):
    monkeypatch.setattr(sorting, "CODES_PER_TASK", 100)
    monkeypatch.setattr(sorting, "MOST_IN_CACHE", n_in_cache)
    assert_counted_in_order(engine, pixels, n_threads)


def test_every_product_is_counted(engine):
    assert_counted_in_order(engine, every_product(), 3)


def assert_counted_in_order(engine, pixels, n_threads):
    with workers(n_threads) as lent:
        opaque, others = translucent.count_products(Points(pixels), Machine(engines.load(engine), lent))
    is_opaque = pixels[:, 3] == 255
    codes, counts = np.unique(encode(pixels[is_opaque, :3]), return_counts=True)
    assert np.array_equal(opaque.codes, codes)
    assert np.array_equal(opaque.counts, counts)
    numbers = np.flatnonzero(~is_opaque)
    points = pixels[numbers].astype(np.uint16)
    points *= np.where(np.arange(4) < 3, points[:, 3:], np.uint16(255))
    order = np.argsort(encode(points), kind="stable")
    codes, firsts, counts = np.unique(encode(points), return_index=True, return_counts=True)
    assert np.array_equal(others.order, numbers[order])
    assert np.array_equal(others.codes, codes)
    assert np.array_equal(others.counts, counts)
    assert np.array_equal(others.points, points[firsts])
