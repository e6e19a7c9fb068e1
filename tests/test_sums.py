"""Sums of many features are exact: rounded once, whatever the order, and corrected where labels change."""

import math
from fractions import Fraction

import numpy as np
import pytest
from conftest import locked
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from test_kmeans import assert_is_textbook
from test_products import draw

import kmeans_fast as kf
from kmeans_fast import engines
from kmeans_fast.machine.chunks import CHUNK_SIZE
from kmeans_fast.machine.threads import Workers, workers
from kmeans_fast.points.access import Points
from kmeans_fast.points.dense import NO_WEIGHTS
from kmeans_fast.points.parts import cuts_of, rounded
from kmeans_fast.points.pieces import Pieces
from kmeans_fast.points.sums import ExactSums

PICTURE = np.random.Generator(np.random.PCG64(3)).integers(0, 256, (3000, 6)).astype(np.uint8)
ALONE = Workers(1, None)
WHOLE = np.arange(3000) % 7


def wide(dtype, low, high):
    """Numbers of all magnitudes between powers of two, of both signs, and zeros."""
    rng = np.random.Generator(np.random.PCG64(5))
    values = np.ldexp(rng.uniform(-1, 1, (3000, 5)), rng.integers(low, high, (3000, 5)))
    values[::7, 1] = 0
    return values.astype(dtype)


@pytest.mark.parametrize(
    ("points", "weights", "n_parts"),
    [
        (PICTURE, NO_WEIGHTS, 1),
        (PICTURE, WHOLE.astype(np.float64), 1),
        (PICTURE, WHOLE.astype(np.int64), 1),
        (PICTURE, WHOLE / 7, 2),
        (np.float32(PICTURE) / np.float32(255), NO_WEIGHTS, 1),
        (PICTURE / 255, NO_WEIGHTS, 2),
        (draw(3000, 6, np.float32), NO_WEIGHTS, 1),
        (draw(3000, 6, np.float64), NO_WEIGHTS, 2),
        (wide(np.float32, -20, 9), NO_WEIGHTS, 2),
        (wide(np.float64, -40, 9), NO_WEIGHTS, 3),
        (wide(np.float32, -140, 120), NO_WEIGHTS, 8),
        (np.zeros((3000, 5)), NO_WEIGHTS, 1),
    ],
)
def test_sums_are_rounded_once(engine, points, weights, n_parts):
    labels = np.random.Generator(np.random.PCG64(1)).integers(0, 7, 3000).astype(np.uint8)
    with workers(2) as lent:
        source = Points(locked(points))
        exact, pieces = (
            ExactSums(source, weights, 7, labels, engines.load(engine).sums, lent),
            Pieces(source, weights, labels),
        )
        for _ in range(3):
            lent.for_each(lambda i: exact.follow(pieces.piece(i, i + 500)), range(0, 3000, 500))
            assert exact.rounded().tolist() == sums_by_fsum(points, weights, labels)
            labels[::3] = (labels[::3] + 1) % 7
    assert 1 + len(cuts_of(Points(points), weights, engines.load(engine).sums, ALONE)) == n_parts


def sums_by_fsum(points, weights, labels):
    """`math.fsum` rounds once, and products are rounded as float64 rounds them."""
    weights = weights.astype(np.float64) if weights.size else np.ones(len(points))
    columns = np.column_stack([weights[:, np.newaxis] * points, weights])
    return [[math.fsum(column) for column in columns[labels == k].T] for k in range(7)]


FLOATS = st.floats(-1e100, 1e100, allow_subnormal=True)


@settings(max_examples=200)
@given(arrays(np.float64, st.tuples(st.integers(1, 7), st.integers(1, 3)), elements=FLOATS))
def test_parts_are_rounded_once(parts):
    assert rounded(parts).tolist() == [float(sum(map(Fraction, column))) for column in parts.T.tolist()]


@pytest.mark.parametrize("parts", [(1, 2.0**-53, 2.0**-106), (1, 2.0**-53, -(2.0**-106)), (1, -(2.0**-54), 2.0**-200)])
def test_what_is_next_to_the_middle_of_two_numbers(parts):
    """Where rounding twice would go wrong."""
    assert rounded(np.array(parts)[:, np.newaxis]).tolist() == [math.fsum(parts)]


@pytest.mark.parametrize(
    ("dtype", "n_points", "max_iter"),
    [
        *((dtype, 3000, 12) for dtype in (np.uint8, np.uint16, np.float32, np.float64)),
        (np.float32, CHUNK_SIZE + 300, 5),
    ],
)
def test_many_iterations_with_points_that_change_hands(engine, monkeypatch, dtype, n_points, max_iter):
    """In pieces, from a start where clusters are emptied; with floats that aren't whole."""
    if n_points < CHUNK_SIZE:
        monkeypatch.setattr("kmeans_fast.machine.chunks.PIECE_WORK", 1)
    unit = 1 if np.dtype(dtype).kind == "u" else 1 / 4
    points = locked((draw(n_points, 5, np.uint8) * unit).astype(dtype))
    init = np.vstack([np.unique(points[:20], axis=0)[:9], points[:1] + 300.0])
    assert_is_textbook(kf.kmeans(points, init=init, max_iter=max_iter, engine=engine), points, init, max_iter)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weights", [None, np.linspace(0, 2, 3000)])
def test_iterations_with_numbers_of_all_magnitudes(engine, dtype, weights):
    points = locked(wide(dtype, -70, 20))
    init = points[[1, 500, 1000, 2000]].astype(np.float64)
    result = kf.kmeans(points, init=init, max_iter=6, engine=engine, sample_weight=weights)
    assert_is_textbook(result, points, init, 6, weights=weights)


def test_only_points_that_change_hands_are_added_again(monkeypatch):
    added, load = [], engines.load

    def load_counting(name):
        engine = load(name)
        move = engine.sums.move

        def count(points, weights, labels, cuts, are_new, before, sums, kept):
            added.append(len(points) if are_new else (before != labels).sum())
            move(points, weights, labels, cuts, are_new, before, sums, kept)

        engine.sums.move = count
        return engine

    monkeypatch.setattr(engines, "load", load_counting)
    result = kf.kmeans(draw(3000, 5, np.float64), 8, max_iter=9, engine="numpy")
    assert result.n_iter == 9
    assert added[:1] == [3000]
    assert 0 < sum(added) < 2 * 3000


@pytest.mark.parametrize("n_clusters", [40, 400])
def test_large_sums_are_shared_by_fewer_threads(n_clusters):
    points, labels = Points(draw(3000, 5)), np.arange(3000) % n_clusters
    with workers(3) as lent:
        exact = ExactSums(points, NO_WEIGHTS, n_clusters, labels, engines.load("numpy").sums, lent)
        assert exact._rooms.qsize() == {40: 3, 400: 1}[n_clusters]
        pieces = Pieces(points, NO_WEIGHTS, labels)
        lent.for_each(lambda i: exact.follow(pieces.piece(i, i + 100)), range(0, 3000, 100))
    assert exact.rounded().tolist() == [
        [math.fsum(column) for column in points.array[labels == k].T] + [(labels == k).sum()] for k in range(n_clusters)
    ]
