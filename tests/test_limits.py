"""Points that are left with their centroids while no rival can have caught up: the labels stay the textbook's."""

import numpy as np
import pytest
import reference
from test_products import draw

import kmeans_fast as kf
from kmeans_fast import engines
from kmeans_fast.engines import numpy_products
from kmeans_fast.engines.product_space import work_space
from kmeans_fast.points.limits import Limits


def true_leads(points, centroids):
    distances = np.sqrt(reference.squared_distances(points, centroids))
    first, second = np.partition(distances, 1, axis=1)[:, :2].T
    return second - first


def relabel(engine, points, centroids, gains, limits, labels):
    dense, places = engines.load(engine).dense, np.empty(len(points), np.int32)
    n_open = dense.find_open(gains, limits, labels, places)
    space = work_space(*centroids.shape[::-1], points.dtype)
    dense.relabel(points, centroids, gains, places[:n_open], space, limits, labels)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize(("n_features", "n_clusters"), [(5, 40), (70, 12), (400, 3)])
def test_limits_are_just_below_the_leads(engine, dtype, n_features, n_clusters):
    points = draw(700, n_features, dtype)
    centroids, labels = points[:n_clusters].astype(np.float64) + 0.25, np.zeros(700, np.uint8)
    limits = np.zeros(700, np.float32)
    relabel(engine, points, centroids, np.zeros(n_clusters), limits, labels)
    assert np.array_equal(labels, reference.assign(points, centroids))
    leads = true_leads(points, centroids)
    assert (limits <= leads).all()
    assert np.mean(limits > 0.9 * leads) > 0.9


def test_only_points_within_the_limits_are_looked_at(engine):
    """Labels that are wrong show which: those of clusters whose rivals have gained more than their points allow."""
    points, centroids = draw(30_000, 6), draw(9, 6, np.float64, seed=1)
    gains = np.where(np.arange(9) % 2, 1.0, 3.0)
    labels = np.arange(30_000).astype(np.uint8) % 9
    limits = np.full(30_000, 2, np.float32)
    expected = np.where(labels % 2, labels, reference.assign(points, centroids))
    relabel(engine, points, centroids, gains, limits, labels)
    assert np.array_equal(labels, expected)
    assert (limits[expected % 2 == 1][:100] >= 1).all()


@pytest.mark.parametrize("step", [{}, {"relaxation": 1.9, "momentum": 0.6}])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_labels_after_many_iterations(engine, step, dtype):
    """From a start where clusters are emptied and moved far."""
    points = draw(5000, 5, dtype)
    init = np.vstack([points[:10], points[:2], points[:1] + 200.0])
    weights = np.arange(5000) % 5
    result = kf.kmeans(points, init=init, max_iter=40, sample_weight=weights, engine=engine, **step)
    assert np.array_equal(result.labels, reference.assign(points, result.centroids))
    again = kf.kmeans(points, init=init, max_iter=40, sample_weight=weights, engine=engine, n_threads=1, **step)
    assert again.centroids.tobytes() == result.centroids.tobytes()


@pytest.mark.parametrize("scale", [1e-150, 1e-20, 1e15, 1e30, 1e60, 1e139])
def test_scales_that_float32_cannot_take(engine, scale):
    points = draw(1000, 6, np.float64) * scale
    for max_iter in (2, 3, 9):
        result = kf.kmeans(points, init=points[:25], max_iter=max_iter, engine=engine)
        assert np.array_equal(result.labels, reference.assign(points, result.centroids))


def test_late_iterations_look_at_few_points(monkeypatch):
    points, looked_at = draw(20_000, 8), []
    assign = numpy_products.assign
    monkeypatch.setattr(numpy_products, "assign", lambda *args: looked_at.append(len(args[0])) or assign(*args))
    result = kf.kmeans(points, 30, max_iter=40, engine="numpy", init=points[:30], n_threads=1)
    n_passes = result.n_iter + 1
    passes = np.array(looked_at).reshape(n_passes, -1).sum(axis=1)
    assert (passes[:2] == 20_000).all()
    assert (passes[-10:] < 10_000).all()


def test_gains_are_a_centroids_move_and_its_fastest_rivals():
    limits, centroids = Limits(4, np.zeros((3, 5))), np.zeros((3, 5))
    for _ in range(2):
        centroids = centroids + np.array([[1], [2], [0]]) * [3, 0, 0, 0, 4]
        gains = limits.gains_at(centroids)
    assert np.allclose(gains, [30, 30, 20], rtol=1e-8)
    assert (gains >= [30, 30, 20]).all()
    assert limits.limits.tolist() == [0, 0, 0, 0]
    assert Limits(1, centroids[:1]).gains_at(centroids[:1] + 1)[0] > np.sqrt(5)
