"""Sums that are exact are corrected where labels change; others are added up anew, in their order."""

import math

import numpy as np
import pytest
from conftest import locked
from test_kmeans import assert_is_textbook
from test_products import draw

import kmeans_fast as kf
from kmeans_fast import engines
from kmeans_fast.machine.chunks import CHUNK_SIZE
from kmeans_fast.machine.threads import Workers
from kmeans_fast.points.access import Points
from kmeans_fast.points.exactness import sums_are_exact

PICTURE = np.random.Generator(np.random.PCG64(3)).integers(0, 256, (3000, 6)).astype(np.uint8)
ALONE = Workers(1, None)


def with_one(value):
    """Whole numbers and one more, which comes late."""
    points = np.ones((70_000, 5))
    points[-1, -1] = value
    return points


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (PICTURE, True),
        (PICTURE.astype(np.int64), True),
        (np.float32(PICTURE) / np.float32(255), True),
        (np.float32(PICTURE) * np.float32(2.0**-90), False),
        (np.float32(PICTURE) * np.float32(2.0**40), False),
        (PICTURE / 255, False),
        (draw(3000, 6, np.float64), False),
        (with_one(1 + 2.0**-36), True),
        (with_one(1 + 2.0**-37), False),
        (with_one(2.0**-1074), False),
        (with_one(2.0**36), True),
        (with_one(2.0**36 + 0.5), False),
        (np.zeros((9, 5)), False),
    ],
)
def test_what_is_exact(points, expected):
    checked = Points(locked(points))
    checked.check_values()
    assert sums_are_exact(checked, CHUNK_SIZE, ALONE) == expected


def test_whether_sums_of_what_is_taken_for_exact_are():
    """`math.fsum` rounds once."""
    points = np.float32(PICTURE) / np.float32(255)
    for column in points.astype(np.float64).T:
        assert math.fsum(column) == np.add.accumulate(column)[-1] == np.add.accumulate(column[::-1])[-1]


def test_unchecked_values_are_not_taken_for_exact():
    assert not sums_are_exact(Points(with_one(1)), CHUNK_SIZE, ALONE)


@pytest.mark.parametrize("n_points", [3000, CHUNK_SIZE + 300])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_many_iterations_with_points_that_change_hands(engine, dtype, n_points):
    """From a start where clusters are emptied; with floats that aren't whole."""
    unit = 1 if np.dtype(dtype).kind == "u" else 1 / 4
    points = locked((draw(n_points, 5, np.uint8) * unit).astype(dtype))
    init = np.vstack([np.unique(points[:20], axis=0)[:9], points[:1] + 300.0])
    assert_is_textbook(kf.kmeans(points, init=init, max_iter=12, engine=engine), points, init, 12)


@pytest.mark.parametrize(("points", "n_passes"), [(draw(3000, 5, np.uint8) / 4, 1), (draw(3000, 5, np.float64), 9)])
def test_exact_sums_are_added_up_once(monkeypatch, points, n_passes):
    added, load = [], engines.load

    def load_counting(name):
        engine = load(name)
        add = engine.dense.add
        engine.dense.add = lambda points, *rest: added.append(len(points)) or add(points, *rest)
        return engine

    monkeypatch.setattr(engines, "load", load_counting)
    result = kf.kmeans(points, 8, init=points[:8], max_iter=9, engine="numpy")
    assert result.n_iter == 9
    assert sum(added) == 3000 * n_passes
