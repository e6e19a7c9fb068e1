"""Steps of palette entries: what each changes, and that none is left that lowers the error by much."""

import numpy as np
import pytest
import reference

import kmeans_fast as kf
from kmeans_fast import engines
from kmeans_fast.imaging.rounding import LEAST_GAIN, STEPS


def error_of(colors, counts, entries):
    """The sum of squared distances to the nearest entries."""
    points, entries = colors.astype(np.float64), entries.astype(np.float64)
    labels = reference.assign(points, entries)
    return int((((points - entries[labels]) ** 2).sum(axis=1) * counts).sum())


def changes_of(colors, counts, entries, neighbors, engine):
    labels = reference.assign(colors.astype(np.float64), entries.astype(np.float64)).astype(np.int32)
    changes = np.zeros((len(entries), 6), np.int64)
    engines.load(engine).rounding.add_changes(colors, counts, labels, entries, neighbors, changes)
    return changes


def others_by_distance(entries):
    squares = ((entries[:, np.newaxis] - entries) ** 2).sum(axis=2)
    np.fill_diagonal(squares, squares.max() + 1)
    return np.argsort(squares, axis=1, kind="stable")[:, :-1].copy()


@pytest.fixture
def colors():
    rng = np.random.default_rng(1)
    distinct = np.unique(rng.integers(256, size=(400, 3)), axis=0).astype(np.uint8)
    return distinct, rng.integers(1, 2**30, len(distinct))


@pytest.mark.parametrize("n_entries", [2, 3, 9])
def test_a_change_is_certain(colors, engine, n_entries):
    """The error changes by that at most; with two entries by exactly that."""
    entries = np.random.default_rng(2).integers(1, 255, size=(n_entries, 3))
    changes = changes_of(*colors, entries, others_by_distance(entries), engine)
    before = error_of(*colors, entries)
    for k, s in np.ndindex(changes.shape):
        moved = entries.copy()
        moved[k] += STEPS[s]
        change = error_of(*colors, moved) - before
        assert change <= changes[k, s]
        assert n_entries > 2 or change == changes[k, s]
    assert (changes < 0).any()


def test_changes_are_added_and_the_same_on_both_engines(colors):
    entries = np.random.default_rng(2).integers(256, size=(40, 3))
    neighbors = others_by_distance(entries)[:, :8].copy()
    numba, numpy = (changes_of(*colors, entries, neighbors, engine) for engine in ("auto", "numpy"))
    assert np.array_equal(numba, numpy)
    first, second = (changes_of(*(part[half] for part in colors), entries, neighbors, "numpy")
                     for half in (slice(0, 100), slice(100, None)))  # fmt: skip
    assert np.array_equal(first + second, numpy)


@pytest.mark.parametrize("channels", [1, 3])
def test_no_step_is_left_that_lowers_the_error_by_much(small_cat, engine, channels):
    image = small_cat[..., :channels]
    histogram = kf.ColorHistogram.from_image(image)
    result = kf.quantize(image, 12, effort=2, engine=engine)
    entries = result.palette.astype(np.int64)
    error = error_of(histogram.colors, histogram.counts, entries)
    assert result.mse == pytest.approx(error / result.labels.size)
    for k, step in np.ndindex(12, 2 * channels):
        moved = entries.copy()
        moved[k] += STEPS[step, :channels]
        assert error_of(histogram.colors, histogram.counts, moved) > error * (1 - 2 * LEAST_GAIN)
