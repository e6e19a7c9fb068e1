"""scikit-learn's interface: its own checks, its own tests, and the same centroids."""

import inspect
from importlib import import_module

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn.cluster
from sklearn import datasets
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import kmeans_fast as kf
import kmeans_fast.sklearn as ours
from kmeans_fast.sklearn import KMeans, k_means, kmeans_plusplus

THEIRS = {name: getattr(sklearn.cluster, name) for name in ("KMeans", "k_means", "kmeans_plusplus")}

# Of scikit-learn's tests of k-means those that can't apply, and why; and below, what values of the others' parameters.
NOT_APPLICABLE = {
    "test_dense_sparse": "sparse input",
    "test_euclidean_distance": "a private function",
    "test_feature_names_out": "of MiniBatchKMeans too",
    "test_inertia": "a private function",
    "test_is_same_clustering": "a private function",
    "test_kmeans_convergence": "of the other algorithm",
    "test_kmeans_elkan_iter_attribute": "the other algorithm",
    "test_kmeans_elkan_results": "the other algorithm",
    "test_kmeans_init_auto_with_initial_centroids": "asks for a private attribute",
    "test_kmeans_plusplus_norms": "has a parameter that only saved theirs some time",
    "test_kmeans_relocated_clusters": "an empty centroid goes to the farthest point of all: an iteration more",
    "test_kmeans_verbose": "iterations are printed in other words",
    "test_n_init_auto": "asks for a private attribute",
    "test_predict_dense_sparse": "sparse input",
    "test_relocate_empty_clusters": "a private function",
    "test_sample_weight_init": "calls a private method",
    "test_sample_weight_zero": "calls a private method",
    "test_warning_elkan_1_cluster": "the other algorithm",
}


def applies(value):
    """Whether a parameter's value is neither sparse, nor of another class or algorithm."""
    if isinstance(value, tuple | list):
        return all(map(applies, value))
    if isinstance(value, dict):
        return "x_squared_norms" not in value
    is_sparse = sp.issparse(value) or (isinstance(value, type) and issubclass(value, sp.spmatrix | sp.sparray))
    return not (is_sparse or value is sklearn.cluster.MiniBatchKMeans or (isinstance(value, str) and value == "elkan"))


def their_tests():
    """scikit-learn's tests, collected with these functions in place of theirs."""
    for name in THEIRS:
        setattr(sklearn.cluster, name, getattr(ours, name))
    try:
        module = import_module("sklearn.cluster.tests.test_k_means")
    finally:
        for name, value in THEIRS.items():
            setattr(sklearn.cluster, name, value)
    for name, test in vars(module).items():
        if not name.startswith("test_") or "minibatch" in name or name in NOT_APPLICABLE:
            continue
        marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
        values = [[value for value in mark.args[1] if applies(getattr(value, "values", value))] for mark in marks]
        if any(not kept for kept in values):
            continue
        test.pytestmark = [
            pytest.mark.parametrize(mark.args[0], kept).mark for mark, kept in zip(marks, values, strict=True)
        ]
        yield f"{name}_of_theirs", test


@pytest.fixture
def global_random_seed():
    return 42


@pytest.fixture
def global_dtype():
    return np.float64


globals().update(their_tests())


def test_most_of_their_tests_are_run():
    assert sum(name.endswith("_of_theirs") for name in globals()) >= 25


# Some check with fewer distinct points than there are clusters by default.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([KMeans()])
def test_estimator_checks(estimator, check):
    check(estimator)


def test_parameters_are_theirs():
    for name, theirs in THEIRS.items():
        missing = {"x_squared_norms"} if name == "kmeans_plusplus" else set()
        expected = {key: value.default for key, value in inspect.signature(theirs).parameters.items()}
        found = {key: value.default for key, value in inspect.signature(getattr(ours, name)).parameters.items()}
        assert found == {key: value for key, value in expected.items() if key not in missing}


@pytest.mark.parametrize("name", ["iris", "wine", "digits", "breast_cancer", "diabetes"])
@pytest.mark.parametrize("tol", [0, 1e-4])
def test_the_same_centroids_as_theirs(name, tol):
    points = getattr(datasets, f"load_{name}")().data.astype(np.float64)
    init = points[:: len(points) // 7][:7]
    mine, theirs = (kind(7, init=init, tol=tol).fit(points) for kind in (KMeans, THEIRS["KMeans"]))
    np.testing.assert_allclose(mine.cluster_centers_, theirs.cluster_centers_, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(mine.labels_, theirs.labels_)
    assert mine.n_iter_ == theirs.n_iter_
    assert mine.inertia_ == pytest.approx(theirs.inertia_, rel=1e-10)
    np.testing.assert_allclose(mine.transform(points[:9]), theirs.transform(points[:9]), rtol=1e-6)
    assert mine.score(points) == pytest.approx(theirs.score(points), rel=1e-10)


def test_pixels_are_clustered_by_their_colours():
    pixels = kf.read_image(kf.sample_path()).reshape(-1, 3)
    init = pixels[::20_000][:6].astype(np.float64)
    by_color, by_point = (KMeans(6, init=init, max_iter=20).fit(points) for points in (pixels, pixels.astype(float)))
    np.testing.assert_array_equal(by_color.cluster_centers_, by_point.cluster_centers_)
    np.testing.assert_array_equal(by_color.labels_, by_point.labels_)
    assert by_color.n_iter_ == by_point.n_iter_


def test_few_points_are_drawn_whatever_their_order():
    points = np.random.default_rng(0).integers(0, 50, (300, 2)).astype(float)
    shuffled = np.random.default_rng(1).permutation(points)
    first, second = (KMeans(5, random_state=3).fit(array) for array in (points, shuffled))
    np.testing.assert_allclose(first.cluster_centers_, second.cluster_centers_)


def test_more_points_than_are_sorted():
    points = np.random.default_rng(0).normal(size=(ours.MOST_SORTED + 1, 2)).astype(np.float32)
    model = KMeans(3, random_state=0, max_iter=4).fit(points)
    assert model.cluster_centers_.dtype == np.float32
    np.testing.assert_array_equal(model.labels_, model.predict(points))


def test_in_a_pipeline_and_a_grid():
    points = datasets.load_iris().data
    labels = make_pipeline(StandardScaler(), KMeans(3, random_state=0)).fit_predict(points)
    assert set(labels) == {0, 1, 2}
    grid = GridSearchCV(KMeans(random_state=0), {"n_clusters": [2, 3]}, cv=2).fit(points)
    assert grid.best_params_ == {"n_clusters": 3}


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames(frame):
    points = frame({"lon": [0.0, 0.5, 9.0], "lat": [1.0, 1.5, 7.0]})
    model = KMeans(2, random_state=0).set_output(transform="pandas").fit(points)
    assert model.feature_names_in_.tolist() == ["lon", "lat"]
    assert model.get_feature_names_out().tolist() == ["kmeans0", "kmeans1"]
    assert model.transform(points).columns.tolist() == ["kmeans0", "kmeans1"]


def test_functions():
    points = datasets.load_wine().data
    centroid, label, inertia, n_iter = k_means(points, 3, random_state=0, return_n_iter=True)
    assert (centroid.shape, label.shape, n_iter > 0) == ((3, 13), (178,), True)
    assert inertia == k_means(points, 3, init=centroid)[2]
    weights = np.zeros(178)
    weights[[5, 70]] = 1
    centers, indices = kmeans_plusplus(points, 2, sample_weight=weights, random_state=0, n_local_trials=3)
    assert set(indices) == {5, 70}
    np.testing.assert_array_equal(centers, points[indices])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"algorithm": "elkan"}, "algorithm must be 'lloyd', got 'elkan'; bounds that save work are kept anyway"),
        ({"init": "variance"}, "init must be one of 'k-means\\+\\+', 'random', got 'variance'"),
        ({"n_init": 0}, "n_init must be at least 1"),
        ({"tol": -1.0}, "tol must be at least 0"),
        ({"max_iter": 0}, "max_iter must be at least 1"),
    ],
)
def test_what_is_not_known(parameters, message):
    with pytest.raises(ValueError, match=message):
        KMeans(2, **parameters).fit([[0.0], [1.0], [2.0]])


def test_sparse_input_is_refused_with_a_hint():
    with pytest.raises(TypeError, match="toarray"):
        KMeans(2).fit(sp.csr_array(np.eye(3)))
    with pytest.raises(ValueError, match="n_local_trials must be at least 1"):
        kmeans_plusplus(np.eye(3), 2, n_local_trials=0)


def test_verbose_prints_iterations(capsys):
    KMeans(2, init=[[0.0], [1.0]], verbose=1).fit([[0.0], [1.0], [5.0]])
    assert capsys.readouterr().out.startswith("iteration 1: change in centroid locations")


def test_fewer_distinct_points_than_clusters_warn_as_theirs_do():
    with pytest.warns(sklearn.exceptions.ConvergenceWarning, match=r"distinct clusters \(2\) found smaller"):
        model = KMeans(3, random_state=0).fit([[0.0], [0.0], [1.0]])
    assert model.cluster_centers_.shape == (3, 1)
    assert model.labels_.max() == 1
