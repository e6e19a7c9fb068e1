"""Points rounded to 16 bits: what they decide is what the textbook says, and the rest is left to others."""

import numpy as np
import pytest
import reference
import skimage.data
from conftest import needs_compiled_code
from test_kmeans import assert_is_textbook
from test_limits import true_leads
from test_products import DTYPES, draw

import kmeans_fast as kf
from kmeans_fast import engines
from kmeans_fast.engines import shorts
from kmeans_fast.points.access import Points
from kmeans_fast.points.dense import NO_WEIGHTS
from kmeans_fast.points.pieces import Pieces
from kmeans_fast.points.shorts import Shorts

pytestmark = pytest.mark.usefixtures("filtered_though_few")


def piece_of(points, labels):
    return Pieces(Points(points), NO_WEIGHTS, labels).piece(0, len(points))


def settle(engine, points, centroids, rounded_about=None):
    """Return the labels and limits of points that had none, and the places of those that were left."""
    first = centroids if rounded_about is None else rounded_about
    kept = Shorts(Points(points), first, engines.load(engine).shorts)
    piece = piece_of(points, np.full(len(points), len(centroids) - 1, np.uint16))
    limits = np.zeros(len(points), np.float32)
    places = kept.labelling(centroids)(piece, np.zeros(len(centroids)), limits)
    return piece.labels, limits, places


def assert_settled(points, centroids, labels, limits, places):
    is_left = np.zeros(len(points), np.bool_)
    is_left[places] = True
    expected = reference.assign(points, centroids)
    assert np.array_equal(labels[~is_left], expected[~is_left])
    assert (limits[~is_left] <= true_leads(points[~is_left], centroids)).all()
    assert (limits[is_left] == 0).all()
    assert (labels[is_left] == len(centroids) - 1).all()
    return is_left.mean()


@pytest.mark.parametrize(
    ("dtype", "n_features", "n_clusters"),
    [
        *((dtype, *shape) for dtype in DTYPES for shape in [(5, 4), (6, 41), (33, 9)]),
        *((dtype, *shape) for dtype in (np.uint8, np.float64) for shape in [(64, 300), (801, 10)]),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_nearly_all_labels_are_told_and_right(engine, dtype, n_features, n_clusters):
    points = draw(567, n_features, dtype)
    centroids = np.unique(points, axis=0)[:: 567 // n_clusters][:n_clusters].astype(np.float64) + 0.3 * points.std()
    found = settle(engine, points, centroids, rounded_about=centroids[::-1] + 0.1 * points.std())
    assert assert_settled(points, centroids, *found) < 0.1


def test_limits_are_just_below_the_leads(engine):
    points = draw(1500, 20)
    centroids = points[:30].astype(np.float64) + 0.25
    _, limits, places = settle(engine, points, centroids)
    told = np.setdiff1d(np.arange(1500), places)
    assert np.mean(limits[told] > 0.9 * true_leads(points[told], centroids)) > 0.9


@pytest.mark.parametrize("n_points", [1, 7, 31, 32, 33, 95, 4097])
def test_any_number_of_points(engine, n_points):
    points, centroids = draw(n_points, 7), draw(9, 7, np.float64, seed=1)
    assert_settled(points, centroids, *settle(engine, points, centroids))


@pytest.mark.parametrize("share", [0, 0.01, 0.2, 0.5, 0.9, 1])
@pytest.mark.parametrize(("n_features", "n_clusters"), [(6, 9), (20, 40)])
def test_only_open_points_are_looked_at(engine, share, n_features, n_clusters):
    """Those of several tiles are copied to one, unless nearly all of a tile are open."""
    points, centroids = draw(3000, n_features), draw(n_clusters, n_features, np.float64, seed=1)
    rng = np.random.default_rng(5)
    labels, is_open = rng.integers(0, n_clusters, 3000).astype(np.uint8), rng.random(3000) < share
    before, limits = labels.copy(), np.where(is_open, 2, 4).astype(np.float32)
    kept = Shorts(Points(points), centroids, engines.load(engine).shorts)
    places = kept.labelling(centroids)(piece_of(points, labels), np.full(n_clusters, 3.0), limits)
    is_left = np.isin(np.arange(3000), places)
    assert np.array_equal(labels[~is_open], before[~is_open])
    assert (is_open | ~is_left).all()
    told = is_open & ~is_left
    assert told.sum() > 0.9 * is_open.sum() - 8
    assert np.array_equal(labels[told], reference.assign(points, centroids)[told])
    assert (limits[told] <= 3 + true_leads(points[told], centroids)).all()


@needs_compiled_code
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_both_engines_round_alike(dtype):
    points, centroids = draw(1000, 33, dtype), draw(10, 33, np.float64, seed=2)
    origin, kept = centroids.mean(axis=0).astype(np.float64 if dtype == np.float64 else np.float32), []
    for name in ("numba", "numpy"):
        kernels = engines.load(name).shorts
        values, factors = np.zeros((32, 17, 32, 2), np.int16), np.zeros((5, 17, 2, 2), np.int16)
        norms, squares, terms = np.empty(1000, np.float32), np.empty(10), np.empty(2)
        scale, off = kernels.round_points(points, origin, 3.0, values, norms)
        kernels.lay_out(centroids, origin.astype(np.float64), factors, squares, terms)
        kept.append((values, factors, norms, squares, terms, scale, off))
    for compiled, plain in zip(*kept, strict=True):
        assert np.allclose(compiled, plain, rtol=1e-6, atol=1)
    assert np.mean(kept[0][0] == kept[1][0]) > 0.99


def test_a_piece_is_labelled_again(engine):
    """By the same call as before, with other centroids, gains and limits in the same arrays; or as another piece."""
    points, gains, limits = draw(3000, 20), np.zeros(40), np.zeros(3000, np.float32)
    kept = Shorts(Points(points), points[:40].astype(np.float64), engines.load(engine).shorts)
    piece = piece_of(points, np.zeros(3000, np.uint8))
    for seed in range(3):
        centroids = draw(40, 20, np.float64, seed=seed)
        gains += 100
        for some in (piece, piece._replace(points=points[:900], labels=piece.labels[:900])):
            limits[:] = 0
            places = kept.labelling(centroids)(some, gains, limits)
            told = np.setdiff1d(np.arange(len(some.points)), places)
            assert told.size > 0.9 * len(some.points)
            assert np.array_equal(some.labels[told], reference.assign(some.points[told], centroids))
            assert (limits[told] > 0.999 * gains[0]).all()


def test_points_amid_two_centroids_are_left(engine):
    """As they are as near to both, the first wins, which only exact arithmetic tells."""
    some = np.rint(draw(4, 12, np.float64) * 64)
    centroids = np.vstack([some, some + 2])
    points = np.repeat((some + 1).astype(np.float32), 50, axis=0)
    *_, places = settle(engine, points, centroids)
    assert np.array_equal(np.sort(places), np.arange(200))


@pytest.mark.parametrize("scale", [1e-150, 1e-20, 1e-11, 1e15, 1e17, 1e30, 1e60, 1e139])
def test_scales_that_float32_cannot_take(engine, scale):
    points = draw(1000, 6, np.float64) * scale
    result = kf.kmeans(points, init=points[:25], max_iter=3, tol=0, engine=engine)
    assert np.array_equal(result.labels, reference.assign(points, result.centroids))


@pytest.mark.parametrize("closeness", [1e-3, 1e-6, 1e-9, 1e-12, 1e-14, 1e-15])
def test_centroids_so_close_that_the_textbook_rounds(engine, closeness):
    points, centroids = draw(3000, 20, np.float64), draw(9, 20, np.float64, seed=1) * closeness
    points = np.vstack([points, -points])  # whose middle is amid the centroids
    assert_settled(points, centroids, *settle(engine, points, centroids))


def drawn_points(rng, n_points, n_features):
    points = rng.normal(size=(n_points, n_features))
    kind = rng.integers(0, 7)
    if kind == 1:  # some far, some near
        points *= 10.0 ** rng.uniform(-3, 3, (n_points, 1))
    elif kind == 2:  # curves on different levels
        points = np.cumsum(points, axis=1) + rng.normal(size=(n_points, 1)) * 30
    elif kind == 3:  # close clusters
        centers = rng.normal(size=(8, n_features)) * 10
        points = centers[rng.integers(0, 8, n_points)] + points * 10.0 ** rng.uniform(-6, 0)
    elif kind == 4:
        points = np.rint(points * rng.choice([1, 3, 50]))
    elif kind == 5:
        points *= 10.0 ** rng.uniform(-3, 2, n_features)
    elif kind == 6:
        points += 10.0 ** rng.uniform(0, 6)
    return points.astype(rng.choice([np.float32, np.float64]))


def drawn_centroids(rng, points, n_clusters):
    """Return points, others near them, or ones that are nearly in the middle of all points."""
    some, spread = points[rng.integers(0, len(points), n_clusters)].astype(np.float64), points.std()
    kind = rng.integers(0, 4)
    if kind == 1:
        some += rng.normal(size=some.shape) * spread * 10.0 ** rng.uniform(-6, 0)
    elif kind == 2:
        some = some * rng.uniform(0, 1) + points.mean(axis=0)
    elif kind == 3:
        some = points.mean(axis=0) + rng.normal(size=some.shape) * spread * 10.0 ** rng.uniform(-12, 0)
    return some


@pytest.mark.parametrize("seed", range(8))
def test_drawn_points_and_centroids(engine, seed):
    rng = np.random.default_rng(seed)
    for _ in range(30):
        n_points, n_features, n_clusters = rng.integers(1, 400), rng.choice([5, 8, 17, 40]), rng.integers(4, 50)
        points = drawn_points(rng, n_points, n_features)
        centroids = drawn_centroids(rng, points, n_clusters)
        about = drawn_centroids(rng, points, n_clusters) if rng.integers(2) else centroids
        assert_settled(points, centroids, *settle(engine, points, centroids, rounded_about=about))


@pytest.mark.parametrize("spread", [1e-3, 0.03, 1])
def test_clusters_of_any_spread(engine, spread):
    rng = np.random.default_rng(8)
    centroids = rng.normal(size=(9, 24)) * 10.0 ** rng.uniform(-1, 1, (9, 1))
    points = (centroids[rng.integers(0, 9, 4000)] + spread * rng.normal(size=(4000, 24))).astype(np.float32)
    assert assert_settled(points, centroids, *settle(engine, points, centroids)) < 0.05


def test_patches_of_a_picture(engine):
    """Whose light differs far more than their detail."""
    grey = skimage.data.cat()[..., 1].astype(np.float32)
    patches = np.stack([grey[y : y + 6, x : x + 6].ravel() for y in range(0, 290, 5) for x in range(0, 440, 6)])
    centroids = kf.kmeans(patches, 30, max_iter=3, seed=0, engine=engine).centroids
    assert assert_settled(patches, centroids, *settle(engine, patches, centroids)) < 0.03


@pytest.mark.parametrize("offset", [0, 1e3, 1e6])
@pytest.mark.parametrize("outlier", [1, 1e4, 1e9])
def test_offsets_and_outliers(engine, offset, outlier):
    """With one point far away all others have few different numbers: rounding tells nothing of them, and is left."""
    points = draw(2000, 9, np.float64) + offset
    points[1999] *= outlier
    init = points[:20].copy()
    result = kf.kmeans(points, init=init, max_iter=5, tol=0, engine=engine)
    assert np.array_equal(result.labels, reference.assign(points, result.centroids))


def test_rounding_that_tells_little_is_given_up(engine):
    points = draw(2000, 9, np.float64).copy()
    points[1999] += 1e7
    centroids, kernels = points[:20] + 0.1, engines.load(engine).shorts
    kept, piece = Shorts(Points(points), centroids, kernels), piece_of(points, np.zeros(2000, np.uint8))
    label, gains, limits = kept.labelling(centroids), np.zeros(20), np.zeros(2000, np.float32)
    assert len(label(piece, gains, limits)) > 1000
    assert label(piece, gains, limits) is None


def test_centroids_beyond_what_the_scale_allows_for(engine):
    """Integers of 32 bits would overflow: all is left."""
    points = draw(500, 6)
    centroids = draw(10, 6, np.float64, seed=1) * 1e3
    *_, places = settle(engine, points, centroids, rounded_about=points[:10].astype(np.float64))
    assert places.size == 500


@pytest.mark.parametrize(("n_features", "n_clusters"), [(5, 4), (6, 16), (70, 33)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_iterations_are_the_textbooks(engine, monkeypatch, n_features, n_clusters, dtype):
    """On threads that share pieces of chunks, each rounded by itself."""
    monkeypatch.setattr("kmeans_fast.machine.chunks.PIECE_WORK", 1)
    points = draw(1600, n_features, dtype)
    init = np.unique(points, axis=0)[:: 1600 // n_clusters][:n_clusters].astype(np.float64)
    result = kf.kmeans(points, init=init, max_iter=7, tol=0, engine=engine, n_threads=2)
    assert_is_textbook(result, points, init, 7)


def test_leads_cover_the_largest_errors():
    """Of drawn points and centroids whose roundings all point the wrong way."""
    rng = np.random.default_rng(3)
    n_features, scale, unit, worst = 48, 0.37, 0.11, 0.0
    for spread in (3, 40, 1000) * 100:
        a, b = rng.integers(-1000, 1000, (2, n_features)).astype(float)
        q = np.rint(a * unit / scale + rng.normal(size=n_features) * spread)
        off = np.sign(q) * 0.499
        first, second = (a + off) * unit, (b - off) * unit
        point = (q + np.sign(first - second) * -0.5) * scale
        best, other = (np.rint((c @ c) / (2 * scale * unit)) - q @ p for c, p in ((first, a), (second, b)))
        error = max(np.linalg.norm(first - a * unit), np.linalg.norm(second - b * unit))
        bounds = scale, 0.5 * n_features**0.5, unit, error
        lead = shorts.least_lead(*bounds, shorts.norm_of(q @ q, np.sqrt), best, other, np.sqrt, np.maximum)
        true = np.linalg.norm(point - second) - np.linalg.norm(point - first)
        assert lead <= max(true, 0)
        worst = max(worst, lead / true)
    assert worst > 0.9


def lead_of(q, centroids, off, error=0.0):
    """Return the bound for a point of these numbers, of two centroids by how much of which was rounded; units are 1."""
    best, second = sorted(np.rint((c @ c) / 2) - q @ c for c in centroids)
    return shorts.least_lead(1.0, off, 1.0, error, shorts.norm_of(q @ q, np.sqrt), best, second, np.sqrt, np.maximum)


def assert_is_tight(q, along, centroids):
    """Check the bound for a point that was rounded in a direction as far as can be."""
    near, other = (np.linalg.norm(q - 0.5 * along - c) for c in centroids)
    lead = lead_of(q, centroids, 0.5 * 48**0.5)
    assert 0.95 * (other - near) - 1 < lead <= other - near


@pytest.mark.parametrize("far", [12, 40, 700])
def test_leads_between_two_centroids_are_tight(far):
    """Of a point on the line from one to the other, rounded along it."""
    along, q = np.where(np.arange(48) % 3, 1.0, -1.0), np.arange(48.0) * 30
    centroids = q + 3 * along, q - far * along
    assert_is_tight(q, along, centroids)


@pytest.mark.parametrize("ahead", [1, 2, 20])
def test_leads_beside_two_centroids_are_tight(ahead):
    """Of a point as far from both as can be, where they are as far apart as can be."""
    along, aside = np.where(np.arange(48) % 3, 1.0, -1.0), np.repeat([1.0, -1.0], 24)
    q = 4000 * aside * along + ahead * along
    centroids = 4618 * along, -4618 * along
    assert_is_tight(q, along, centroids)


@pytest.mark.parametrize("error", [0, 0.5, 3])
@pytest.mark.parametrize("off", [0, 3])
@pytest.mark.parametrize("distance", [0, 1, 50, 5000])
def test_equal_values_tell_nothing(distance, off, error):
    q, aside = np.arange(48.0) * 30, np.eye(48)[5] * distance
    assert lead_of(q, (q + aside, q - aside), off, error) <= 0
