"""The iteration on points sorted into cells: after every single one, labels are the textbook's, sums the dense ones."""

import numpy as np
import pytest
import reference
from conftest import ENGINES, locked, needs_numba
from hypothesis import given
from hypothesis import strategies as st
from test_cells import textbook_labels

import kmeans_fast as kf
from kmeans_fast import engines
from kmeans_fast.machine.threads import workers
from kmeans_fast.points import cell_passes
from kmeans_fast.points.access import Points
from kmeans_fast.points.cell_passes import CellAlgorithm
from kmeans_fast.points.cells import grid_of
from kmeans_fast.points.dense import DenseAlgorithm

NONE = np.empty(0)


def lloyd_steps(points, n_clusters, n_steps):
    """The centroids of successive iterations from points evenly spaced in memory, by the textbook."""
    places = np.linspace(0, len(points) - 1, n_clusters).astype(int)
    steps = [points[places].astype(np.float64)]
    for _ in range(n_steps - 1):
        steps.append(reference.update(points, None, steps[-1], textbook_labels(points, steps[-1])))
    return steps


def assert_each_step_is_plain(points, steps, engine, n_threads=1, weights=NONE):
    """Go from one set of centroids to the next; engines may take turns."""
    loaded = [engines.load(name) for name in np.atleast_1d(engine)]
    source = Points(locked(points))
    with workers(n_threads) as lent:
        arguments = len(steps[0]), loaded[0], lent
        algorithm = CellAlgorithm(source, weights, grid_of(source.chunk(0, source.size), lent), *arguments)
        dense = DenseAlgorithm(source, weights, *arguments)
        for i, centroids in enumerate(steps):
            algorithm._relabel = loaded[min(i, len(loaded) - 1)].point_cells.relabel
            sums = algorithm.assign_and_sum(centroids)
            assert np.array_equal(algorithm.labels, textbook_labels(points, centroids))
            assert sums.tobytes() == dense.assign_and_sum(centroids).tobytes()


def crowds(n_points, n_features, dtype=np.float32, seed=0):
    """Points around a few places, some of them far out."""
    draw = np.random.Generator(np.random.PCG64(seed))
    middles = draw.normal(0, 50, (12, n_features))
    points = middles[draw.integers(0, 12, n_points)] + draw.normal(0, 6, (n_points, n_features))
    points[:3] *= 5
    return points.astype(dtype)


@pytest.mark.parametrize("n_features", [2, 3, 4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_number_of_features(engine, dtype, n_features):
    points = crowds(5000, n_features, dtype)
    assert_each_step_is_plain(points, lloyd_steps(points, 30, 10), engine)


@pytest.mark.parametrize("n_clusters", [1, 2, 200, 300])
def test_few_and_many_clusters(engine, n_clusters):
    """As many that a list of candidates can't hold them, and labels of two bytes."""
    points = crowds(3000, 3)
    assert_each_step_is_plain(points, lloyd_steps(points, n_clusters, 6), engine)


def test_threads_and_several_chunks(engine):
    """The labels of some chunks no longer change in the end, so that their sums are kept."""
    points = np.concatenate([crowds(70_000, 2, seed=seed) + np.float32(1000 * seed) for seed in range(2)])
    assert_each_step_is_plain(points, lloyd_steps(points, 5, 8), engine, n_threads=3)


def test_weights(engine):
    points = crowds(4000, 3)
    weights = np.random.default_rng(1).random(4000)
    assert_each_step_is_plain(points, lloyd_steps(points, 20, 6), engine, weights=weights)


@pytest.mark.parametrize(
    ("scale", "offset"),
    [(1e-30, 0), (1e-90, 0), (1e130, 0), (1.0, 1e6), (1e-3, 5e6), (1e-6, -48.137)],
    ids=str,
)
def test_units_and_offsets(engine, scale, offset):
    """Map coordinates are large numbers that differ little."""
    points = crowds(3000, 2, np.float64) * scale + offset
    assert_each_step_is_plain(points, lloyd_steps(points, 25, 8), engine)


@pytest.mark.parametrize("n_features", [2, 3, 4])
def test_ties(engine, n_features):
    """Points and centroids on a lattice: many are equally far from several centroids."""
    draw = np.random.default_rng(n_features)
    points = draw.integers(0, 9, (4000, n_features)).astype(np.float32) / 8
    steps = [draw.integers(0, 9, (12, n_features)) / 8 for _ in range(6)]
    assert_each_step_is_plain(points, steps, engine)


@pytest.mark.parametrize("far", [1e5, 1e9])
def test_centroids_far_out(engine, far):
    """And back again."""
    points = crowds(2000, 3)
    steps = lloyd_steps(points, 9, 4)
    out = steps[1].copy()
    out[4] = far
    assert_each_step_is_plain(points, [*steps, out, *steps], engine)


def test_one_that_changes_places_with_others(engine):
    """Centroids that jump leave nothing of what was known."""
    points = crowds(3000, 3)
    draw = np.random.default_rng(2)
    assert_each_step_is_plain(points, [draw.normal(0, 60, (40, 3)) for _ in range(8)], engine)


@needs_numba
def test_numpy_first_and_compiled_code_then():
    points = crowds(3000, 3)
    assert_each_step_is_plain(points, lloyd_steps(points, 20, 8), ["numpy", "numpy", "numba"])


@pytest.mark.parametrize("engine", ENGINES)
@given(st.integers(2, 4), st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([0.1, 3.0, 200.0]))
def test_drawn(engine, n_features, n_clusters, seed, step):
    """Centroids that drift by little and by much."""
    draw = np.random.default_rng(seed)
    points = crowds(600, n_features, np.float32, seed)
    steps = [draw.normal(0, 60, (n_clusters, n_features))]
    steps += [steps[0] + draw.normal(0, step * i, steps[0].shape) for i in range(1, 5)]
    assert_each_step_is_plain(points, steps, engine)


# ------------------------------------------------------------------------------------------------------------- kmeans


@pytest.fixture
def for_few_points(monkeypatch):
    monkeypatch.setattr(cell_passes, "LEAST_POINTS", 1)
    monkeypatch.setattr(cell_passes, "LEAST_COMPARED", 8 * 8 * 300)


@pytest.mark.usefixtures("for_few_points")
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_results_are_the_dense_ones(engine, dtype, weighted):
    points = locked(crowds(2000, 3, dtype))
    weights = np.arange(2000) % 7 if weighted else None
    results = [
        kf.kmeans(points, 25, sample_weight=weights, engine=engine, algorithm=algorithm, seed=3, n_init=2, max_iter=40)
        for algorithm in ("auto", "dense")
    ]
    assert [result.algorithm for result in results] == ["cells", "dense"]
    for field in ("centroids", "labels", "counts", "shifts"):
        assert getattr(results[0], field).tobytes() == getattr(results[1], field).tobytes()
    assert results[0].inertia == results[1].inertia


@pytest.mark.usefixtures("for_few_points")
@pytest.mark.parametrize(
    ("points", "max_iter"),
    [
        (crowds(2000, 5), 300),
        (crowds(2000, 3)[::2], 300),
        (crowds(2000, 3).astype(np.float16), 300),
        (crowds(2000, 3).astype(np.int16), 300),
        (crowds(2000, 3), 1),
        (np.tile(np.float32([0, 1e-60]), (2000, 1)), 300),
        (crowds(2000, 3, np.float64) * 1e-150, 300),
    ],
    ids=["5 features", "strides", "float16", "integers", "one iteration", "all alike", "tiny squares"],
)
def test_what_is_left_to_the_dense_algorithm(points, max_iter):
    result = kf.kmeans(points, 8, init=points[:8].astype(np.float64), max_iter=max_iter, engine="numpy")
    assert result.algorithm == "dense"
