"""`kmeans`, `assign` and `settle` against the textbook loop of reference.py, bit for bit."""

import itertools

import numpy as np
import pytest
import reference
from conftest import ENGINES, locked, needs_compiled_code
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import kmeans_fast as kf
from kmeans_fast import engines, session
from kmeans_fast.draws import Draws
from kmeans_fast.engines import obstacles
from kmeans_fast.lending import machine_for
from kmeans_fast.machine.chunks import CHUNK_SIZE
from kmeans_fast.points.access import Points
from kmeans_fast.points.dense import NO_WEIGHTS

DTYPES = [np.uint16, np.int16, np.float32, np.float64]
ANSWERS = {}
WIDENED = [np.bool_, np.int8, np.float16, np.int32, np.uint32, np.int64, np.uint64, ">f4", ">u2"]


def as_dtype(image, dtype):
    """The picture in another dtype: spread over the range of integers, shifted and scaled to odd numbers for floats."""
    dtype = np.dtype(dtype)
    if dtype == np.bool_:
        return locked(image > 100)
    if dtype.kind == "f":
        return locked(((image.astype(np.float64) - 100) / 37).astype(dtype))
    shifted = image.astype(np.int64) - (128 if dtype.kind == "i" else 0)
    factor = {1: 1, 2: 200, 4: 70_001, 8: 70_001}[dtype.itemsize]
    return locked((shifted * factor).astype(dtype))


@pytest.fixture(scope="module", autouse=True)
def filtered_though_few():
    """Let the compiled engine filter the small arrays of these tests too, as it does many points."""
    with pytest.MonkeyPatch.context() as patch:
        if "numba" in ENGINES:
            patch.setattr("kmeans_fast.engines.numba_dense.PLAIN_WORK", 0)
        yield


def spread_points(points, n_clusters):
    """Evenly spaced points as first centroids, so that a test needs no draw."""
    places = np.linspace(0, len(points) - 1, n_clusters).astype(int)
    return points[places].astype(np.float64)


def assert_same_bytes(actual, expected):
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    assert actual.tobytes() == expected.tobytes()


def textbook(flat, init, max_iter, tol, weights):
    """The oracle's answer, worked out once for all engines: it is slow."""
    arrays = (flat, np.asarray(init), weights if weights is not None else np.empty(0))
    key = (flat.dtype.str, flat.shape, max_iter, tol, *(hash(array.tobytes()) for array in arrays))
    if key not in ANSWERS:
        ANSWERS[key] = reference.lloyd(flat, init, max_iter, tol, weights)
    return ANSWERS[key]


def assert_is_textbook(result, points, init, max_iter, tol=0.0, weights=None):
    flat = points.reshape(-1, points.shape[-1])
    centroids, labels, shifts = textbook(flat, init, max_iter, tol, weights)
    assert_same_bytes(result.centroids, centroids)
    assert np.array_equal(result.labels.reshape(-1), labels)
    assert_same_bytes(result.shifts, np.array(shifts))
    assert result.n_iter == len(shifts)
    assert result.converged == (shifts[-1] <= tol)
    assert np.array_equal(result.counts, np.bincount(labels, minlength=len(centroids)))
    if flat.dtype.kind == "f":
        assert result.inertia == reference.inertia(flat, centroids, labels, weights)
    else:
        assert result.inertia == pytest.approx(reference.inertia(flat, centroids, labels, weights), rel=1e-12)


@pytest.mark.parametrize("algorithm", ["dense", "histogram"])
@pytest.mark.parametrize("n_clusters", [1, 2, 7, 64])
def test_both_algorithms_give_the_textbook_result(small_cat, engine, algorithm, n_clusters):
    init = spread_points(small_cat.reshape(-1, 3), n_clusters)
    for max_iter in (1, 2, 12):
        result = kf.kmeans(small_cat, n_clusters, init=init, max_iter=max_iter, engine=engine, algorithm=algorithm)
        assert result.algorithm == algorithm
        assert_is_textbook(result, small_cat, init, max_iter)


@pytest.mark.parametrize(
    ("dtype", "n_clusters"), [*itertools.product(DTYPES, [1, 2, 7, 64]), *itertools.product(WIDENED, [2, 7])], ids=str
)
def test_every_dtype_gives_the_textbook_result(small_cat, engine, dtype, n_clusters):
    points = as_dtype(small_cat[::2], dtype)
    if dtype == np.bool_ and n_clusters > 2:
        n_clusters = 3
    distinct = np.unique(points.reshape(-1, 3), axis=0)
    init = spread_points(distinct, n_clusters)
    result = kf.kmeans(points, n_clusters, init=init, max_iter=5, engine=engine)
    assert_is_textbook(result, points, init, 5)


@pytest.mark.parametrize(
    ("dtype", "algorithm", "n_clusters"),
    [
        (np.uint8, "histogram", 8),
        (np.uint8, "histogram", 257),
        (np.uint8, "dense", 8),
        (np.float32, "dense", 257),
        (np.float64, "dense", 8),
    ],
)
def test_whole_picture_on_any_number_of_threads(cat, engine, dtype, algorithm, n_clusters):
    points = as_dtype(cat, dtype)
    if algorithm == "dense" or n_clusters == 257:
        points = points[:150]  # keeps the N×K oracle small, and still makes two chunks
    assert points.size // 3 > CHUNK_SIZE
    init, max_iter = spread_points(points.reshape(-1, 3), n_clusters), 1 if n_clusters == 257 else 2
    options = {"init": init, "max_iter": max_iter, "algorithm": algorithm, "engine": engine}
    results = [kf.kmeans(points, n_clusters, n_threads=n_threads, **options) for n_threads in (1, 7)]
    assert results[0].algorithm == algorithm
    assert_is_textbook(results[0], points, init, max_iter)
    for result in results[1:]:
        assert_same_bytes(result.centroids, results[0].centroids)
        assert_same_bytes(result.labels, results[0].labels)
        assert result.inertia == results[0].inertia


def test_picture_to_its_fixed_point(small_cat, engine):
    init = spread_points(small_cat.reshape(-1, 3), 6)
    result = kf.kmeans(small_cat, 6, init=init, max_iter=1000, engine=engine)
    assert result.converged
    assert result.shifts[-1] == 0
    assert_is_textbook(result, small_cat, init, 1000)


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(lambda image: np.asfortranarray(image), id="F-ordered image"),
        pytest.param(lambda image: image[::2, 1::3], id="strided view"),
        pytest.param(lambda image: image[::-1, ::-1], id="negative strides"),
        pytest.param(lambda image: image[..., ::-1], id="BGR"),
        pytest.param(lambda image: image.swapaxes(0, 1), id="transposed image"),
        pytest.param(lambda image: np.asfortranarray(image.reshape(-1, 3)), id="F-ordered points"),
        pytest.param(lambda image: image.reshape(-1, 3)[::5], id="every fifth point"),
        pytest.param(lambda image: np.stack([image, image])[:, 3:, :, :2], id="4 axes, 2 features"),
        pytest.param(lambda image: np.broadcast_to(image[0, 0], (5, 7, 3)), id="broadcast"),
    ],
)
def test_every_layout_gives_the_result_of_its_copy(cat, engine, view):
    points = view(cat[:150])  # in two chunks, as a whole
    copy = locked(np.ascontiguousarray(points))
    result = kf.kmeans(points, 4, max_iter=3, engine=engine, init="random")
    expected = kf.kmeans(copy, 4, max_iter=3, engine=engine, init="random")
    assert_same_bytes(result.labels, expected.labels)
    assert_same_bytes(result.centroids, expected.centroids)


@pytest.mark.parametrize("n_features", [1, 2, 3, 4, 5, 8, 33, 64])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_any_number_of_features(engine, dtype, n_features):
    generator = np.random.default_rng(n_features)
    points = locked((generator.integers(0, 256, (1501, n_features))).astype(dtype))
    init = spread_points(points, 9)
    result = kf.kmeans(points, 9, init=init, max_iter=4, engine=engine)
    assert_is_textbook(result, points, init, 4)


@pytest.mark.parametrize("n_points", [1, 2, 511, 512, 513, 4095, 4097, CHUNK_SIZE, CHUNK_SIZE + 1])
def test_sizes_on_and_off_the_blocks(engine, n_points):
    points = locked(np.random.default_rng(n_points).normal(size=(n_points, 3)))
    n_clusters = min(n_points, 3)
    init = spread_points(points, n_clusters)
    result = kf.kmeans(points, n_clusters, init=init, max_iter=3, engine=engine)
    if n_points > n_clusters:
        assert_is_textbook(result, points, init, 3)
    else:
        assert_same_bytes(result.centroids, init)


@pytest.mark.parametrize(
    ("init", "weight"), [("k-means++", 1), ("k-means++", 0.25), ("k-means++", 3), ("random", 0.25)]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_equal_weights_change_nothing_but_the_inertia(small_cat, engine, dtype, init, weight):
    points = as_dtype(small_cat, dtype) if dtype != np.uint8 else small_cat
    plain = kf.kmeans(points, 5, init=init, max_iter=4, engine=engine)
    weights = np.full(points.shape[:-1], weight)
    weighted = kf.kmeans(points, 5, init=init, max_iter=4, engine=engine, sample_weight=weights)
    assert_same_bytes(weighted.centroids, plain.centroids)
    assert_same_bytes(weighted.labels, plain.labels)
    assert weighted.inertia == weight * plain.inertia


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_draws_are_by_weight(init):
    """Of 1,000 seeds' first draws: points of weight 1, 2, 0 and 7 come up as often, within five standard deviations."""
    weights = np.array([1, 2, 0, 7])
    points = np.array([[0], [100], [300], [1000]])
    with machine_for("numpy", 1, 4, 4) as machine:
        data = session.PointData(Points(points), weights.astype(np.float64), machine)
        drawn = [data.start(init, 1, Draws(seed))[0, 0] for seed in range(1000)]
    firsts = np.array([drawn.count(value) for value in points[:, 0]])
    expected = 1000 * weights / 10
    assert firsts[2] == 0
    assert (abs(firsts - expected) <= 5 * np.sqrt(expected)).all()
    seen = []
    options = {"init": init, "sample_weight": weights, "max_iter": 1, "engine": "numpy"}
    for seed in range(50):
        kf.kmeans(points, 1, seed=seed, callback=lambda *step: seen.append(step[1][0, 0]), **options)
    assert seen == drawn[:50]


def test_random_draws_by_weight_are_without_replacement():
    """Even where one point has nearly all of the weight, and others next to none."""
    points = np.arange(40).reshape(20, 2)
    weights = 10.0 ** -np.arange(20)
    seen = []
    kf.kmeans(points, 19, init="random", sample_weight=weights, max_iter=1, callback=lambda *step: seen.append(step[1]))
    assert len(np.unique(seen[0], axis=0)) == 19


def test_points_too_close_for_the_squares_of_their_distances():
    """They count as one: no centroid is without points."""
    result = kf.kmeans([[0.0], [1e-170], [1.0]], 3)
    assert result.centroids.tolist() == [[0.0], [1.0]]
    assert result.counts.tolist() == [2, 1]
    result = kf.kmeans([[0.0], [1e-170], [2e-170], [1.0]], 3, init=[[0.0], [1e-170], [2e-170]])
    assert (result.counts > 0).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_weights_count_as_repeats(small_cat, engine, dtype):
    points = as_dtype(small_cat, dtype).reshape(-1, 3)
    weights = locked(np.random.default_rng(0).integers(0, 4, len(points)))
    init = spread_points(points, 5)
    result = kf.kmeans(points, 5, init=init, max_iter=3, engine=engine, sample_weight=weights)
    assert_is_textbook(result, points, init, 3, weights=weights.astype(np.float64))
    if dtype == np.uint8:
        repeated = kf.kmeans(np.repeat(points, weights, axis=0), 5, init=init, max_iter=3, engine=engine)
        assert_same_bytes(result.centroids, repeated.centroids)


@pytest.mark.parametrize("algorithm", ["dense", "histogram"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, "noise"], ids=str)
def test_whole_weights_keep_points_among_their_colors(small_cat, engine, dtype, algorithm):
    """In any dtype, with zeros for single pixels and for all of a colour, and with large ones."""
    points = small_cat if dtype != "noise" else noisy(small_cat)
    points = as_dtype(points, dtype) if dtype == np.uint16 else points
    rng = np.random.default_rng(5)
    weights = rng.integers(0, 3, points.shape[:2]) * rng.integers(1, 2**16, points.shape[:2])
    weights[points[..., 0] > 0.7 * points.max()] = 0
    init = spread_points(points.reshape(-1, 3), 9)
    for as_given in (weights, weights.astype(np.float32)):
        options = {"engine": engine, "algorithm": algorithm, "sample_weight": as_given}
        result = kf.kmeans(points, init=init, max_iter=4, **options)
        assert result.algorithm == algorithm
        assert_is_textbook(result, points, init, 4, weights=weights.reshape(-1).astype(np.float64))


def noisy(image):
    """16 bits of which the lower ones are noise, so that nearly all colours are distinct."""
    return locked(image * np.uint16(256) + np.random.default_rng(2).integers(0, 256, image.shape, np.uint16))


@pytest.mark.parametrize("init", ["k-means++", "variance", "cubes"])
def test_a_start_by_whole_weights_is_that_of_repeats(small_cat, engine, init):
    points = small_cat[::2].reshape(-1, 3)
    weights = np.random.default_rng(0).integers(0, 4, len(points))
    options = {"init": init, "max_iter": 2, "seed": 4, "engine": engine}
    repeated = kf.kmeans(np.repeat(points, weights, axis=0), 12, **options)
    for algorithm in ("auto", "dense"):
        result = kf.kmeans(points, 12, sample_weight=weights, algorithm=algorithm, **options)
        assert_same_bytes(result.centroids, repeated.centroids)
        assert_same_bytes(result.labels, kf.assign(points, repeated.centroids))
        assert result.counts.tolist() == np.bincount(result.labels, minlength=12).tolist()
        assert result.inertia == pytest.approx(repeated.inertia, rel=1e-12)


def test_drawn_colors_are_distinct_however_much_they_weigh(engine):
    points = locked(np.arange(40, dtype=np.uint8).reshape(20, 2))
    weights = 3 ** np.arange(20)
    seen = []
    options = {"max_iter": 1, "engine": engine, "callback": lambda *step: seen.append(step[1])}
    result = kf.kmeans(points, 19, init="random", sample_weight=weights, **options)
    assert result.algorithm == "histogram"
    assert len(np.unique(seen[0], axis=0)) == 19


def test_whole_weights_of_what_a_mask_keeps(small_cat, engine):
    kept = small_cat[..., 0] > 90
    weights = np.random.default_rng(3).integers(0, 9, kept.shape)
    options = {"seed": 2, "engine": engine}
    expected = kf.kmeans(small_cat[kept], 6, sample_weight=weights[kept], **options)
    result = kf.kmeans(small_cat, 6, sample_weight=weights, mask=kept, **options)
    assert_same_bytes(result.centroids, expected.centroids)
    assert_same_bytes(result.labels.compressed(), expected.labels)
    assert result.counts.tolist() == expected.counts.tolist()
    assert result.counts.sum() == kept.sum()


def test_few_colors_that_weigh_something(engine):
    """Exactly those, and what weighs nothing gets the nearest."""
    points = locked(np.array([[9], [9], [200], [190], [9]], np.uint8))
    result = kf.kmeans(points, 3, sample_weight=[0, 2, 1, 0, 3], engine=engine)
    assert (result.centroids.tolist(), result.labels.tolist()) == ([[9], [200]], [0, 0, 1, 1, 0])
    assert (result.counts.tolist(), result.inertia, result.algorithm) == ([3, 2], 0, "histogram")


@pytest.mark.parametrize("weights", [[1, 2.5, 3], [2**45, 1, 2]], ids=["fractions", "large"])
def test_other_weights_take_the_dense_algorithm(engine, weights):
    points = locked(np.array([[0], [1], [200]], np.uint8))
    assert kf.kmeans(points, 2, sample_weight=weights, engine=engine).algorithm == "dense"


def test_fractional_weights(small_cat, engine):
    weights = locked(np.random.default_rng(1).random(small_cat.shape[:2]))
    init = spread_points(small_cat.reshape(-1, 3), 5)
    result = kf.kmeans(small_cat, 5, init=init, max_iter=3, engine=engine, sample_weight=weights)
    assert_is_textbook(result, small_cat, init, 3, weights=weights.reshape(-1))


def test_points_of_no_weight_get_a_label_but_pull_nothing(engine):
    points = locked(np.array([[0], [2], [90], [92], [1000]], np.uint16))
    result = kf.kmeans(points, 2, sample_weight=[1, 1, 1, 1, 0], engine=engine)
    assert sorted(result.centroids.ravel()) == [1, 91]
    assert result.labels[4] == result.labels[3]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("weights", [None, "whole"])
def test_fractions_are_clustered_as_their_integers_where_asked(small_cat, engine, dtype, depth, weights):
    most = np.iinfo(depth).max
    integers = small_cat if depth == np.uint8 else noisy(small_cat)
    fractions = locked((integers / most).astype(dtype))
    if weights is not None:
        weights = locked(np.random.default_rng(0).integers(0, 4, small_cat.shape[:2]))
    init = spread_points(small_cat.reshape(-1, 3), 6) / 255
    seen, expected_seen = [], []
    options = {"max_iter": 20, "engine": engine, "sample_weight": weights, "algorithm": "histogram"}
    result = kf.kmeans(fractions, init=init, tol=1e-5, callback=lambda *step: seen.append(step), **options)
    expected = kf.kmeans(
        integers,
        init=init * most,
        tol=1e-5 * most**2,
        callback=lambda *step: expected_seen.append(step),
        **options,
    )
    assert_same_bytes(result.centroids, expected.centroids / most)
    assert_same_bytes(result.labels, expected.labels)
    assert_same_bytes(result.shifts, expected.shifts / most**2)
    assert result.inertia == expected.inertia / most**2
    assert (result.n_iter, result.algorithm) == (expected.n_iter, "histogram")
    assert result.counts.tolist() == expected.counts.tolist()
    assert_same_bytes(seen[-1][2], expected_seen[-1][2] / most)
    assert seen[-1][3] == result.shifts[-1]


def test_fractions_as_they_are_unless_asked(small_cat, engine):
    fractions = locked((small_cat / 255).astype(np.float32))
    init = spread_points(fractions.reshape(-1, 3), 5)
    for algorithm in ("auto", "dense"):
        result = kf.kmeans(fractions, init=init, max_iter=3, engine=engine, algorithm=algorithm)
        assert_is_textbook(result, fractions, init, 3)
    as_integers = kf.kmeans(fractions, init=init, max_iter=3, engine=engine, algorithm="histogram")
    assert np.allclose(as_integers.centroids, result.centroids, atol=1e-6)
    assert as_integers.inertia == pytest.approx(result.inertia, rel=1e-6)


def test_starts_of_colors_for_fractions(small_cat, engine):
    options = {"init": "variance", "max_iter": 2, "algorithm": "histogram", "engine": engine}
    expected = kf.kmeans(small_cat, 7, **options)
    result = kf.kmeans(small_cat * (1 / 255), 7, **options)
    assert_same_bytes(result.centroids, expected.centroids / 255)


def test_ties_go_to_the_lowest_index(engine):
    points = locked(np.array([[2], [2], [6], [4]], np.uint8))
    assert kf.assign(points, [[4], [0], [8]], engine=engine).tolist() == [0, 0, 0, 0]
    assert kf.assign(points, [[0], [4], [8]], engine=engine).tolist() == [0, 0, 1, 1]
    assert kf.assign(points, [[8], [4], [4], [0]], engine=engine).tolist() == [1, 1, 0, 1]


def test_centroids_a_hair_apart_are_told_apart(engine, small_cat):
    """What the float32 filter can't see, float64 decides."""
    base = small_cat[30, 40].astype(np.float64)
    centroids = np.array([base + 1e-9, base, base + 2e-9, base - 1e-12, [1e9, 0, 0]])
    labels = kf.assign(small_cat, centroids, engine=engine)
    assert np.array_equal(labels.reshape(-1), reference.assign(small_cat.reshape(-1, 3), centroids))


@pytest.mark.parametrize("scale", [1e-160, 1e-30, 1e-12, 1.0, 1e15, 1e30, 1e130])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_any_magnitude(engine, scale, offset):
    points = locked((np.random.default_rng(3).normal(size=(2000, 3)) + offset) * scale)
    centroids = points[:40]
    assert np.array_equal(kf.assign(points, centroids, engine=engine), reference.assign(points, centroids))


@pytest.mark.parametrize("init", ["random", "k-means++"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_draws_are_the_same_on_every_engine_and_thread(cat, engine, init, dtype):
    points = as_dtype(cat[:150], dtype)
    options = {"init": init, "max_iter": 1}
    result = kf.kmeans(points, 12, seed=5, engine=engine, n_threads=3, **options)
    expected = kf.kmeans(points, 12, seed=5, engine="numpy", n_threads=1, algorithm="dense", **options)
    assert_same_bytes(result.centroids, expected.centroids)
    other = kf.kmeans(points, 12, seed=6, engine=engine, **options)
    assert not np.array_equal(other.centroids, expected.centroids)


def test_a_histogram_gives_the_centroids_of_its_picture(small_cat, engine):
    histogram = kf.ColorHistogram.from_image(small_cat[:30])
    histogram.update(small_cat[30:])
    for init in ("random", "k-means++"):
        of_image = kf.kmeans(small_cat, 9, init=init, max_iter=30, engine=engine)
        of_colors = kf.kmeans(histogram, 9, init=init, max_iter=30, engine=engine)
        assert_same_bytes(of_colors.centroids, of_image.centroids)
        assert_same_bytes(of_colors.counts, of_image.counts)
        assert of_colors.inertia == of_image.inertia
        assert of_colors.labels.shape == (len(histogram),)
        assert_same_bytes(histogram.labels_of(small_cat, of_colors.labels, engine=engine), of_image.labels)


def test_n_init_keeps_the_best_run(small_cat, engine):
    single = kf.kmeans(small_cat, 9, init="random", max_iter=2, engine=engine)
    several = kf.kmeans(small_cat, 9, init="random", max_iter=2, n_init=6, engine=engine)
    assert several.inertia < single.inertia
    assert np.array_equal(several.labels, kf.assign(small_cat, several.centroids, engine=engine))


def test_inertia_never_rises(small_cat, engine):
    inertias = [kf.kmeans(small_cat, 11, init="random", max_iter=n, engine=engine).inertia for n in range(1, 13)]
    assert all(later <= earlier for earlier, later in itertools.pairwise(inertias))
    assert inertias[-1] < inertias[0]


def test_labels_are_the_smallest_dtype_that_holds_them(engine):
    points = locked(np.arange(70_000, dtype=np.float32).reshape(-1, 1))
    for n_clusters, dtype in [(256, np.uint8), (257, np.uint16)]:
        assert kf.kmeans(points[:600], n_clusters, init="random", max_iter=1, engine=engine).labels.dtype == dtype
    quickest = "numba" if obstacles.numba_is_installed() else "numpy"  # no wheel brings code for so many clusters
    assert kf.assign(points[:3], points[:65_537], engine=quickest).dtype == np.uint32
    labels, kernels = np.empty(3, np.uint32), engines.load(quickest if engine == "numba" else "numpy").dense
    kernels.assign(points[:3], points[2::-1].astype(np.float64), labels)
    assert labels.tolist() == [2, 1, 0]


def test_no_more_distinct_points_than_clusters_gives_exactly_those(engine, small_cat):
    flat = np.full((40, 50, 3), 7, np.uint8)
    result = kf.kmeans(flat, 16, engine=engine)
    assert result.centroids.tolist() == [[7, 7, 7]]
    assert (result.n_iter, result.converged, result.inertia) == (0, True, 0)

    few = small_cat // 128
    result = kf.kmeans(few, 8, engine=engine, init="random")
    assert_same_bytes(result.centroids, np.unique(few.reshape(-1, 3), axis=0).astype(np.float64))
    assert np.array_equal(result.centroids[result.labels], few)


def test_zeros_of_either_sign_are_one_point(engine):
    result = kf.kmeans([[0.0], [-0.0], [1.0]], 2, engine=engine)
    assert result.centroids.tolist() == [[0.0], [1.0]]


def test_emptied_clusters_move_to_the_farthest_points(engine):
    points = locked(np.array([[0], [1], [10], [30], [31]], np.uint8))
    init = [[15], [15], [15], [200]]
    result = kf.kmeans(points, 4, init=init, max_iter=1, engine=engine)
    assert_is_textbook(result, points, np.array(init, float), 1)
    assert (result.counts > 0).all()


@given(
    points=hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 5)), elements=st.integers(0, 3)),
    data=st.data(),
)
def test_small_crowded_arrays(points, data):
    """Few values make ties, equal centroids and empty clusters the rule."""
    distinct = len(np.unique(points, axis=0))
    n_clusters = data.draw(st.integers(1, min(len(points), 12)))
    places = data.draw(st.lists(st.integers(0, len(points) - 1), min_size=n_clusters, max_size=n_clusters))
    init = points[places].astype(np.float64)
    results = [
        kf.kmeans(points, n_clusters, init=init, max_iter=20, engine=engine, algorithm=algorithm)
        for engine in ("auto", "numpy")
        for algorithm in ("auto", "dense")
    ]
    for result in results[1:]:
        assert_same_bytes(result.labels, results[0].labels)
        assert_same_bytes(result.centroids, results[0].centroids)
    if distinct > n_clusters:
        assert_is_textbook(results[0], points, init, 20)
        assert len(np.unique(results[0].centroids, axis=0)) == n_clusters
        assert (results[0].counts > 0).all()
    else:
        assert_same_bytes(np.unique(results[0].centroids, axis=0), np.unique(points, axis=0).astype(np.float64))
        _, first_rows = np.unique(init, axis=0, return_index=True)
        known = init[np.sort(first_rows)]
        order = [results[0].centroids.tolist().index(row) for row in known.tolist()]
        assert order == sorted(order), "what init has keeps its order"


@given(
    points=hnp.arrays(
        np.float32, st.tuples(st.integers(2, 60), st.integers(1, 6)), elements=st.floats(-1e4, 1e4, width=32)
    ),
    n_clusters=st.integers(1, 9),
)
def test_drawn_float_arrays(points, n_clusters):
    n_clusters = min(n_clusters, len(points))
    init = points[:n_clusters].astype(np.float64)
    result = kf.kmeans(points, n_clusters, init=init, max_iter=6)
    if len(np.unique(points + np.float32(0), axis=0)) > n_clusters:
        assert_is_textbook(result, points, init, 6)


def settled(points, centroids, engine):
    """What `settle` makes of centroids, with its labels."""
    points, centroids = Points(np.asarray(points)), np.asarray(centroids, np.float64)
    with machine_for(engine, 1, points.size, points.size) as machine:
        data = session.PointData(points, NO_WEIGHTS, machine)
        partition = session.settle(data, data.algorithm(len(centroids)), centroids)
        return partition, data.labels(partition.algorithm)


def test_unused_and_equal_centroids_are_filled(small_cat, engine):
    init = np.array([[0.0, 0, 0], [120, 110, 90], [120, 110, 90], [-500, 0, 0]])
    flat = small_cat.reshape(-1, 3)
    partition, labels = settled(flat, init, engine)
    centroids, expected = reference.fill_empty(flat, None, init, reference.assign(flat, init))
    assert_same_bytes(partition.centroids, centroids)
    assert np.array_equal(labels, expected)
    assert (partition.measure.counts > 0).all()


def test_what_too_few_points_cannot_fill_is_left_out(engine):
    partition, _ = settled([[3], [3], [5]], [[9], [4], [0], [4]], engine)
    assert sorted(partition.centroids.ravel()) == [3, 5]
    assert partition.measure.inertia == 0


def test_callback_sees_each_iteration_and_can_stop(small_cat, engine):
    seen = []

    def watch(iteration, centroids, new_centroids, shift):
        with pytest.raises(ValueError, match="read-only"):
            centroids[0] = 0
        seen.append((iteration, centroids, new_centroids, shift))
        return iteration == 4

    init = spread_points(small_cat.reshape(-1, 3), 6)
    result = kf.kmeans(small_cat, 6, init=init, engine=engine, callback=watch)
    assert [iteration for iteration, *_ in seen] == [1, 2, 3, 4]
    assert result.n_iter == 4
    assert not result.converged
    assert np.array_equal(seen[0][1], init)
    assert all(np.array_equal(a[2], b[1]) for a, b in itertools.pairwise(seen))
    assert_same_bytes(result.centroids, seen[-1][2])
    assert result.shifts.tolist() == [shift for *_, shift in seen]
    assert np.array_equal(result.labels, kf.assign(small_cat, result.centroids))


def test_a_callbacks_exception_passes_through(small_cat):
    def fail(*_):
        raise RuntimeError("from the callback")

    with pytest.raises(RuntimeError, match="from the callback"):
        kf.kmeans(small_cat, 4, callback=fail)


def test_tol_is_the_largest_squared_move(small_cat, engine):
    init = spread_points(small_cat.reshape(-1, 3), 6)
    result = kf.kmeans(small_cat, 6, init=init, tol=0.5, engine=engine)
    assert result.converged
    assert result.shifts[-1] <= 0.5 < result.shifts[-2]
    assert_is_textbook(result, small_cat, init, 300, tol=0.5)


@needs_compiled_code
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_few_points_get_the_same_without_the_filter(small_cat, monkeypatch, dtype):
    points = as_dtype(small_cat, dtype) if dtype != np.uint8 else small_cat
    init = spread_points(points.reshape(-1, 3), 10)
    filtered = kf.kmeans(points, 10, init=init, max_iter=5, algorithm="dense", engine="numba")
    monkeypatch.setattr("kmeans_fast.engines.numba_dense.PLAIN_WORK", 10**9)
    plain = kf.kmeans(points, 10, init=init, max_iter=5, algorithm="dense", engine="numba")
    assert_same_bytes(plain.centroids, filtered.centroids)
    assert_same_bytes(plain.labels, filtered.labels)


@pytest.mark.parametrize("is_noisy", [False, True])
def test_16_bits_counted_either_way(small_cat, engine, is_noisy, monkeypatch):
    """Points that are mostly distinct are sorted, others counted: with the same result."""
    noise = np.random.default_rng(0).integers(0, 256, small_cat.shape, np.uint16) * is_noisy
    points = locked(small_cat.astype(np.uint16) << 8 | noise.astype(np.uint16))
    options = {"n_clusters": 9, "max_iter": 8, "engine": engine}
    results = [kf.kmeans(points, algorithm=algorithm, **options) for algorithm in ("auto", "dense", "histogram")]
    monkeypatch.setattr("kmeans_fast.colors.counting.MOSTLY", 0.0 if not is_noisy else 2.0)
    results.append(kf.kmeans(points, **options))
    assert [result.algorithm for result in results] == ["histogram", "dense", "histogram", "histogram"]
    for result in results[1:]:
        assert np.array_equal(result.centroids, results[0].centroids)
        assert np.array_equal(result.labels, results[0].labels)
        assert np.array_equal(result.counts, results[0].counts)


# ------------------------------------------------------------------------------------------- what a result can be asked


def test_a_result_predicts_transforms_and_paints(cat, engine):
    result = kf.kmeans(cat, 5, max_iter=4, engine=engine)
    np.testing.assert_array_equal(result.predict(cat, engine=engine), result.labels)
    distances = result.transform(cat[:9])
    assert distances.shape == (9, 451, 5)
    np.testing.assert_array_equal(distances.argmin(axis=-1), result.labels[:9])
    painted = result.to_array()
    np.testing.assert_allclose(((painted - cat) ** 2).sum(), result.inertia)
    np.testing.assert_allclose(distances.min(axis=-1), np.sqrt(((painted - cat) ** 2).sum(axis=-1)[:9]))


def test_what_a_mask_leaves_out_is_not_painted():
    result = kf.kmeans([[1.0], [3.0], [50.0]], 1, mask=np.array([True, True, False]))
    assert result.to_array().tolist() == [[2.0], [2.0], [None]]


@pytest.mark.parametrize(("points", "message"), [([[1.0]], "shape"), (3.0, "shape"), ([[np.nan, 1]], "finite")])
def test_points_that_cannot_be_transformed(points, message):
    result = kf.kmeans([[0.0, 0.0], [1.0, 1.0]], 2)
    with pytest.raises(ValueError, match=message):
        result.transform(points)
