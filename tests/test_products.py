"""Points of more than 4 features: whatever the float32 products make of them, the labels are the textbook's."""

from functools import lru_cache

import numpy as np
import pytest
import reference
from conftest import locked
from test_kmeans import assert_is_textbook

import kmeans_fast as kf
from kmeans_fast import engines
from kmeans_fast.engines import numpy_products
from kmeans_fast.machine.chunks import CHUNK_SIZE, FEWEST_IN_A_PIECE, chunk_bounds, count_pieces
from kmeans_fast.machine.threads import Workers
from kmeans_fast.points.access import Points
from kmeans_fast.points.dense import NO_WEIGHTS
from kmeans_fast.points.many_features import ManyFeatures

# Around the sizes of steps, tiles, strips and groups.
N_FEATURES = [5, 6, 7, 8, 9, 16, 31, 32, 33, 64, 65, 511, 513, 800]
N_CLUSTERS = [1, 2, 3, 4, 5, 64, 65, 255, 257, 300]
DTYPES = [np.uint8, np.uint16, np.int16, np.float32, np.float64]


pytestmark = pytest.mark.usefixtures("filtered_though_few")


@lru_cache(maxsize=32)
def draw(n_points, n_features, dtype=np.float32, seed=0):
    """Points around a few dozen places; all values of integer types occur."""
    rng = np.random.Generator(np.random.PCG64(seed))
    places = rng.normal(0, 1, (40, n_features))
    values = places[rng.integers(0, 40, n_points)] + rng.normal(0, 0.5, (n_points, n_features))
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return locked(values.astype(dtype))
    info = np.iinfo(dtype)
    span = float(info.max) - float(info.min)
    return locked(np.clip(np.rint((values / 6 + 0.5) * span + info.min), info.min, info.max).astype(dtype))


def assert_labels(points, centroids, engine, n_threads=2):
    labels = kf.assign(points, centroids, engine=engine, n_threads=n_threads)
    assert np.array_equal(labels, reference.assign(points, np.asarray(centroids, np.float64)))
    return labels


@pytest.mark.parametrize("n_features", N_FEATURES)
@pytest.mark.parametrize("n_clusters", N_CLUSTERS)
def test_any_number_of_features_and_clusters(engine, n_features, n_clusters):
    places = draw(max(N_CLUSTERS), n_features, seed=4)  # of so many features, which hardly any point is amid two of
    assert_labels(places[-141:], places[:n_clusters] + np.float32(0.01), engine)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize(("n_features", "n_clusters"), [(5, 7), (8, 16), (66, 9)])
def test_iterations_with_every_dtype(engine, dtype, n_features, n_clusters):
    points = draw(2111, n_features, dtype)
    init = np.unique(points, axis=0)[:: 2111 // n_clusters][:n_clusters].astype(np.float64)
    result = kf.kmeans(points, n_clusters, init=init, max_iter=4, engine=engine)
    assert_is_textbook(result, points, init, 4)


@pytest.mark.parametrize(
    ("n_points", "n_features", "n_chunks"),
    [
        (FEWEST_IN_A_PIECE - 1, 5, 1),
        (FEWEST_IN_A_PIECE + 1, 5, 1),
        (5 * FEWEST_IN_A_PIECE + 129, 5, 1),
        (5 * FEWEST_IN_A_PIECE + 129, 100, 2),
    ],
)
def test_pieces_are_summed_by_any_number_of_threads(engine, monkeypatch, n_points, n_features, n_chunks):
    points, weights = draw(n_points, n_features), np.linspace(0, 2, n_points)
    assert len(chunk_bounds(n_points, 6, n_features)) == n_chunks
    init = points[:6].astype(np.float64)
    monkeypatch.setattr("kmeans_fast.machine.chunks.PIECE_WORK", 1)
    for sample_weight in (None, weights):
        options = {"init": init, "max_iter": 2, "sample_weight": sample_weight, "engine": engine}
        result, *others = (kf.kmeans(points, 6, n_threads=n_threads, **options) for n_threads in (1, 2, 3, 7))
        assert_is_textbook(result, points, init, 2, weights=sample_weight)
        assert all(other == result for other in others)


def test_pieces_are_small_enough_for_threads_to_end_together():
    points = Points(np.zeros((100_000, 5), np.float32))
    sizes = {}
    for n_threads in (1, 2):
        dense = ManyFeatures(points, NO_WEIGHTS, 4, engines.load("numpy"), Workers(n_threads, None))
        sizes[n_threads] = [stop - start for start, stop in dense._shared(4)]
        assert sum(sizes[n_threads]) == 100_000
    assert max(sizes[1]) == 50_000
    assert max(sizes[2]) <= 100_000 / 8


def test_pieces_of_one_chunk_keep_several_threads_busy():
    assert count_pieces(20_000, 784, 10) > 8
    assert count_pieces(150, 4, 3) == count_pieces(150, 5, 3) == count_pieces(FEWEST_IN_A_PIECE, 800, 300) == 1
    assert count_pieces(10**6, 3, 10**5) == -(-(10**6) // CHUNK_SIZE)


@pytest.mark.parametrize("n_features", [5, 16, 100])
def test_ties_go_to_the_lowest_index(engine, n_features):
    """Each point is as far from several centroids: equal ones, and mirror images."""
    points = locked(np.zeros((300, n_features), np.float32))
    corners = np.vstack([np.eye(n_features), -np.eye(n_features)])
    assert not assert_labels(points, corners, engine).any()
    twice = draw(300, n_features)
    labels = assert_labels(twice, np.vstack([twice[:9], twice[8::-1]]), engine)
    assert labels.max() < 9


@pytest.mark.parametrize("n_features", [5, 8, 64, 300])
@pytest.mark.parametrize("exponent", range(-50, -18, 4))
def test_leads_from_far_below_the_margin_to_above(engine, n_features, exponent):
    """Two centroids straddle points that are off the middle by as little as float64 can tell."""
    rng = np.random.Generator(np.random.PCG64(exponent % 97))
    direction = rng.normal(0, 1, n_features)
    along = rng.normal(0, 2.0**exponent, 400)
    across = rng.normal(0, 1, (400, n_features))
    across -= np.outer(across @ direction, direction) / (direction @ direction)
    points = across + np.outer(along, direction)
    for dtype in (np.float32, np.float64):
        labels = assert_labels(points.astype(dtype), np.array([direction, -direction]), engine)
        assert 0 < labels.sum() < 400


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16])
@pytest.mark.parametrize("n_features", [6, 70])
def test_huge_offsets(engine, dtype, n_features):
    """Differences of 1 around 1e6, or 6e4 in 16 bits, for which float32 products alone would be of no use."""
    offset = 60_000 if dtype == np.uint16 else 1e6
    steps = np.random.Generator(np.random.PCG64(2)).integers(0, 3, (2000, n_features))
    points = locked((steps + offset).astype(dtype))
    init = np.unique(points, axis=0)[:12].astype(np.float64)
    assert_is_textbook(kf.kmeans(points, 12, init=init, max_iter=3, engine=engine), points, init, 3)


def test_more_digits_than_float32_has(engine):
    points = locked(1 + 1e-9 * draw(1000, 6, np.float64))
    init = points[:8]
    assert_is_textbook(kf.kmeans(points, 8, init=init, max_iter=3, engine=engine), points, init, 3)


@pytest.mark.parametrize("scale", [1e-160, 1e-45, 1e-38, 1e-30, 1e-20, 1e-13, 1e-11, 1e15, 1e19, 1e30, 1e39, 1e139])
def test_scales_that_float32_products_cannot_take(engine, scale):
    points = draw(500, 7, np.float64) * scale
    assert_labels(points, points[:9], engine)
    if 1e-44 < scale < 1e37:
        assert_labels(points.astype(np.float32), points[:9], engine)


@pytest.mark.parametrize("far", [1e18, 1e25, 1e38, 1e100])
def test_one_value_that_is_far_off(engine, far):
    """Among the points, it must not spoil its neighbours in a block; among the centroids, it takes the filter's use."""
    points = np.array(draw(500, 6, np.float64))
    points[77, 3] = far
    assert_labels(points, points[:5], engine)
    assert_labels(points, points[75:80], engine)
    assert_labels(points[:70], points[75:80] - far, engine)


def test_one_far_point_amid_centroids_that_are_close(engine):
    """What rounds off ‖x‖² in the textbook is more than what keeps the centroids apart."""
    points = np.array(draw(500, 6, np.float64))
    points[::7] *= 1e9
    assert_labels(points, 1e-6 * points[1:6], engine)


def test_digits_that_are_drawn_on_a_grid(engine):
    """Small integers in many features: sums are exact, and ties are many."""
    rng = np.random.Generator(np.random.PCG64(5))
    points = locked(rng.integers(0, 2, (900, 40)).astype(np.uint8))
    init = np.unique(points, axis=0)[:30].astype(np.float64)
    assert_is_textbook(kf.kmeans(points, 30, init=init, max_iter=3, engine=engine), points, init, 3)


def test_few_points_are_left_undecided():
    """The labels would be right without, but slow."""
    points, settled = draw(20_000, 64), []

    def textbook(points, _, labels):
        settled.append(len(points))
        labels[:] = 0

    numpy_products.assign(points, points[:64].astype(np.float64), np.zeros(len(points), np.uint8), textbook)
    assert sum(settled) <= 64


@pytest.mark.parametrize(("n_features", "n_clusters"), [(5, 2), (65, 3), (65, 65), (129, 66), (800, 300)])
def test_products_are_small_enough_for_blas_to_work_alone(monkeypatch, n_features, n_clusters):
    points, sizes = draw(5000, n_features), []

    class Factor(np.ndarray):
        def __matmul__(self, other):
            sizes.append((*self.shape, other.shape[1]))
            return np.asarray(self) @ other

    contiguous = np.ascontiguousarray
    monkeypatch.setattr(numpy_products.np, "ascontiguousarray", lambda array: contiguous(array).view(Factor))
    numpy_products.products(points[:n_clusters], contiguous(points.T))
    assert max(m * k * n for m, k, n in sizes) <= numpy_products.SERIAL_PRODUCT
    assert sum(m * k * n for m, k, n in sizes) == n_clusters * n_features * 5000
    assert min(min(size) for size in sizes) > 1
