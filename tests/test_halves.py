"""Points rounded to 16 bits, of whose products the upper halves are kept: labels are the textbook's nevertheless."""

import numpy as np
import pytest
import reference
from conftest import needs_compiled_code
from test_kmeans import assert_is_textbook
from test_products import DTYPES, draw

import kmeans_fast as kf
from kmeans_fast import engines
from kmeans_fast.engines import halves
from kmeans_fast.machine.threads import Workers
from kmeans_fast.points.access import Points
from kmeans_fast.points.dense import NO_WEIGHTS
from kmeans_fast.points.halves import Halves
from kmeans_fast.points.many_features import dense_algorithm
from kmeans_fast.points.pieces import Pieces


def piece_of(points, n_clusters):
    labels = np.zeros(len(points), np.min_scalar_type(n_clusters - 1))
    return Pieces(Points(points), NO_WEIGHTS, labels).piece(0, len(points))


def label(engine, points, centroids, rounded_about=None):
    """Return labels, and whether too many points were left for it to go on."""
    kept = Halves(Points(points), centroids if rounded_about is None else rounded_about, engines.load(engine))
    piece = piece_of(points, len(centroids))
    kept.labelling(centroids)(piece)
    return piece.labels, kept.gave_up


@pytest.mark.parametrize(
    ("n_features", "n_clusters", "dtype"),
    [
        *((n_features, 16, dtype) for n_features in (3, 6) for dtype in DTYPES),
        *((*shape, np.float32) for shape in [(1, 4), (2, 16), (3, 5), (4, 33), (5, 300), (11, 16), (40, 5)]),
    ],
)
def test_labels_are_the_textbooks(engine, n_features, n_clusters, dtype):
    points = draw(1111, n_features, dtype)
    centroids = points[:: 1111 // n_clusters][:n_clusters].astype(np.float64) + 0.3 * points.std()
    about = centroids[::-1] + 0.1 * points.std()
    labels, _ = label(engine, points, centroids, rounded_about=about)
    assert np.array_equal(labels, reference.assign(points, centroids))


@needs_compiled_code
@pytest.mark.parametrize(("n_features", "n_clusters"), [(2, 8), (3, 16), (3, 100), (6, 16), (11, 20)])
def test_few_points_are_left(n_features, n_clusters):
    points, engine = draw(20_000, n_features), engines.load("numba")
    centroids = points[:n_clusters].astype(np.float64)
    kept, piece = Halves(Points(points), centroids, engine), piece_of(points, n_clusters)
    kernels, counts = kept._kernels, []
    kept._kernels = type(kernels)(
        round_points=kernels.round_points, label=lambda *call: counts.append(kernels.label(*call)) or counts[-1]
    )
    kept.labelling(centroids)(piece)
    assert 0 < counts[0] < 0.1 * len(points)
    assert not kept.gave_up


@pytest.mark.parametrize("n_points", [1, 63, 64, 65, 511, 512, 513, 5000])
def test_any_number_of_points(engine, n_points):
    points, centroids = draw(n_points, 3), draw(9, 3, np.float64, seed=1)
    labels, _ = label(engine, points, centroids)
    assert np.array_equal(labels, reference.assign(points, centroids))


@needs_compiled_code
def test_more_points_than_are_settled_at_a_time():
    """Those amid two centroids, which only exact arithmetic tells, are settled as the list of them gets full."""
    some = np.rint(draw(4, 3, np.float64) * 64)
    centroids = np.vstack([some, some + 2])
    points = np.repeat((some + 1).astype(np.float32), 5000, axis=0)
    labels, gave_up = label("numba", points, centroids)
    assert np.array_equal(labels, reference.assign(points, centroids))
    assert gave_up


def test_the_same_arrays_are_used_again(engine):
    """With other centroids, and with other labels and fewer points at the same place."""
    points, centroids = draw(3000, 3), draw(9, 3, np.float64, seed=1)
    kept, piece = Halves(Points(points), centroids, engines.load(engine)), piece_of(points, 9)
    for shift in (0, 0.1, -0.2):
        kept.labelling(centroids + shift)(piece)
        assert np.array_equal(piece.labels, reference.assign(points, centroids + shift))
    fewer = piece_of(points[:100], 9)
    kept.labelling(centroids)(fewer)
    assert np.array_equal(fewer.labels, reference.assign(points[:100], centroids))


@needs_compiled_code
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("n_features", [3, 5])
def test_both_engines_round_alike(dtype, n_features):
    points, kept = draw(1000, n_features, dtype), []
    origin = points[:9].mean(axis=0).astype(np.float64 if dtype == np.float64 else np.float32)
    for name in ("numba", "numpy"):
        values = np.zeros((16, n_features, 64), np.int16)
        scale = engines.load(name).halves.round_points(points, origin, 3.0, values)
        kept.append((values.transpose(0, 2, 1).reshape(-1, n_features)[:1000], scale))
    (compiled, scale), (plain, other) = kept
    assert np.isclose(scale, other, rtol=1e-6)
    assert np.abs(compiled - plain).max() <= 1
    assert np.mean(compiled == plain) > 0.99
    assert np.allclose(compiled * scale + origin, points, atol=0.51 * scale)


@pytest.mark.parametrize("scale", [1e-150, 1e-20, 1e-11, 1e15, 1e17, 1e30, 1e60, 1e139])
@pytest.mark.parametrize("n_features", [3, 6])
def test_scales_that_float32_cannot_take(engine, scale, n_features):
    points = draw(6000, n_features, np.float64) * scale
    result = kf.kmeans(points, init=points[:12], max_iter=3, tol=0, engine=engine, algorithm="dense")
    assert np.array_equal(result.labels, reference.assign(points, result.centroids))


@pytest.mark.parametrize("closeness", [1e-3, 1e-6, 1e-9, 1e-12, 1e-14, 1e-15])
@pytest.mark.parametrize("n_features", [2, 6])
def test_centroids_so_close_that_the_textbook_rounds(engine, closeness, n_features):
    points, centroids = draw(3000, n_features, np.float64), draw(9, n_features, np.float64, seed=1) * closeness
    labels, _ = label(engine, points, centroids)
    assert np.array_equal(labels, reference.assign(points, centroids))


@pytest.mark.parametrize("offset", [0, 1e3, 1e6])
@pytest.mark.parametrize("outlier", [1, 1e4, 1e9])
@pytest.mark.parametrize("n_features", [3, 6])
def test_offsets_and_outliers(engine, offset, outlier, n_features):
    """With one point far away all others have few different numbers: rounding tells nothing of them."""
    points = draw(7000, n_features, np.float64) + offset
    points[6999] *= outlier
    init = points[:10].copy()
    result = kf.kmeans(points, init=init, max_iter=5, tol=0, engine=engine, algorithm="dense")
    assert np.array_equal(result.labels, reference.assign(points, result.centroids))


@needs_compiled_code
def test_rounding_that_tells_little_is_given_up():
    points = draw(2000, 3, np.float64).copy()
    points[1999] += 1e7
    centroids = points[:20] + 0.1
    kept, piece = Halves(Points(points), centroids, engines.load("numba")), piece_of(points, 20)
    for _ in range(2):
        kept.labelling(centroids)(piece)
        assert np.array_equal(piece.labels, reference.assign(points, centroids))
        assert kept.gave_up
        assert not kept._parts[0].values.size
        assert not piece.of_label


@needs_compiled_code
def test_centroids_beyond_what_the_scale_allows_for():
    """Integers of 16 bits would overflow: all is left."""
    points, centroids = draw(500, 3), draw(10, 3, np.float64, seed=1) * 1e3
    labels, gave_up = label("numba", points, centroids, rounded_about=points[:10].astype(np.float64))
    assert np.array_equal(labels, reference.assign(points, centroids))
    assert gave_up


@needs_compiled_code
@pytest.mark.parametrize("n_features", [3, 6])
@pytest.mark.parametrize("is_for_one_pass", [False, True])
def test_points_are_not_rounded_for_a_single_pass(n_features, is_for_one_pass):
    points = Points(draw(9000, n_features))
    algorithm = dense_algorithm(points, NO_WEIGHTS, 12, engines.load("numba"), Workers(1, None))
    algorithm.is_for_one_pass = is_for_one_pass
    algorithm.assign_and_sum(points.array[:12].astype(np.float64))
    assert (algorithm._halves is None) == is_for_one_pass


@pytest.mark.parametrize("weights", [None, np.float64, np.int64])
@pytest.mark.parametrize(("n_features", "n_clusters"), [(2, 4), (3, 16), (4, 7), (6, 16)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_iterations_are_the_textbooks(engine, monkeypatch, n_features, n_clusters, dtype, weights):
    """On threads that share parts of chunks, each rounded by itself; in contiguous memory and not."""
    monkeypatch.setattr("kmeans_fast.machine.chunks.PIECE_WORK", 1)
    monkeypatch.setattr("kmeans_fast.points.dense.PART", 700 * n_features * n_clusters)
    monkeypatch.setattr("kmeans_fast.points.halves.LEAST_WORK", 0)
    points = draw(1500, n_features, dtype)
    given = None if weights is None else (np.arange(1500) % 3 + 1).astype(weights)
    distinct = np.unique(points, axis=0)
    init = distinct[:: len(distinct) // n_clusters][:n_clusters].astype(np.float64)
    results = [
        kf.kmeans(
            some, init=init, max_iter=6, tol=0, engine=engine, n_threads=2, algorithm="dense", sample_weight=given
        )
        for some in (points, np.asfortranarray(points))
    ]
    assert results[0].centroids.tobytes() == results[1].centroids.tobytes()
    if weights is None:
        assert_is_textbook(results[0], points, init, 6)
    else:
        assert np.array_equal(results[0].labels, reference.assign(points, results[0].centroids))


def test_the_margin_covers_the_largest_errors():
    """Of drawn points and centroids whose roundings all point the wrong way."""
    rng = np.random.default_rng(3)
    n_features, scale, unit = 48, 0.37, 0.31
    for _ in range(500):
        a, b, q = rng.integers(-4000, 4000, (3, n_features)).astype(float)
        off = np.sign(q) * 0.499
        first, second = (a + off) * unit, (b - off) * unit
        point = (q + np.sign(a - b) * 0.5) * scale
        step = 2 * scale * unit * halves.HALF

        def value(c, p, q=q, step=step):
            return np.rint((c @ c) / step) + np.floor(-p * q / halves.HALF).sum()

        exact = [(c @ c - 2 * point @ c) / step for c in (first, second)]
        error = (value(first, a) - value(second, b)) - (exact[0] - exact[1])
        worst = max(np.linalg.norm(first - a * unit), np.linalg.norm(second - b * unit))
        assert abs(error) < halves.least_lead(n_features, scale, unit, worst, np.sqrt)
