"""What `kmeans` and `assign` refuse, and what they say: what came and what is allowed."""

import re

import numpy as np
import pytest

import kmeans_fast as kf
from kmeans_fast import validation

POINTS = np.arange(12, dtype=np.uint8).reshape(4, 3)
NAN = np.array([[0.0, 1.0], [np.nan, 2.0]])


@pytest.mark.parametrize(
    ("points", "error", "message"),
    [
        pytest.param(np.empty((0, 3)), ValueError, "points must not be empty, got shape (0, 3)", id="empty"),
        pytest.param(
            np.empty((4, 0, 3)), ValueError, "points must not be empty, got shape (4, 0, 3)", id="empty image"
        ),
        pytest.param(np.empty((5, 0)), ValueError, "points must have features, got shape (5, 0)", id="no features"),
        pytest.param([1, 2, 3], ValueError, "points of one feature use channel_axis=None", id="1-D"),
        pytest.param(np.float64(3), ValueError, "at least 2 axes", id="scalar"),
        pytest.param(NAN, ValueError, "points must be finite, got NaN or infinity", id="NaN"),
        pytest.param(NAN.astype(np.float32), ValueError, "points must be finite", id="NaN float32"),
        pytest.param(NAN.astype(np.float16), ValueError, "points must be finite", id="NaN float16"),
        pytest.param([[0.0], [-np.inf]], ValueError, "points must be finite", id="infinity"),
        pytest.param([[0.0], [1e150]], ValueError, "at most 1e+140 in magnitude, got 1e+150", id="too large"),
        pytest.param([[0], [2**60]], ValueError, "at most 9.0072e+15 in magnitude", id="too large an integer"),
        pytest.param(
            [["a"], ["b"]], TypeError, "points must be real numbers of up to 64 bits, got dtype <U1", id="str"
        ),
        pytest.param(np.array([[None], [1]]), TypeError, "got ndarray with None in it", id="object"),
        pytest.param([[1j], [2j]], TypeError, "got dtype complex128", id="complex"),
        pytest.param(np.zeros((2, 1), "M8[s]"), TypeError, "got dtype datetime64[s]", id="datetime"),
    ],
)
def test_points(engine, points, error, message):
    with pytest.raises(error, match=re.escape(message)):
        kf.kmeans(points, 1, engine=engine)
    with pytest.raises(error, match=re.escape(message)):
        kf.assign(points, [[0.0]] if np.ndim(points) < 2 else np.zeros((1, np.shape(points)[-1])), engine=engine)


def test_nan_in_the_last_of_many_points_is_found(engine):
    points = np.zeros((200_000, 3), np.float32)
    points[-1, -1] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity among points 196608 to 199999"):
        kf.kmeans(points, 2, engine=engine)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_clusters": 0}, ValueError, "n_clusters must be at least 1, got 0"),
        ({"n_clusters": -3}, ValueError, "n_clusters must be at least 1, got -3"),
        ({"n_clusters": 5}, ValueError, "n_clusters must be at most the number of points, 4, got 5"),
        ({"n_clusters": 2.0}, TypeError, "n_clusters must be an integer, got 2.0"),
        ({"n_clusters": True}, TypeError, "n_clusters must be an integer, got True"),
        ({"n_clusters": "8"}, TypeError, "n_clusters must be an integer, got '8'"),
        ({"init": "forgy"}, ValueError, "init must be one of 'k-means++', 'random', 'variance', 'cubes', got 'forgy'"),
        ({"init": [[1, 2, 3]]}, ValueError, "init must have shape (2, 3), got (1, 3)"),
        ({"init": [[1, 2], [3, 4]]}, ValueError, "init must have shape (2, 3), got (2, 2)"),
        ({"init": [1, 2]}, ValueError, "init must have shape (K, D), got (2,)"),
        ({"init": [[0, 0, 0], [0, np.nan, 0]]}, ValueError, "init must be finite"),
        (
            {"init": [[0, 0, 0], [0, 1j, 0]]},
            TypeError,
            "init must be real numbers of up to 64 bits, got dtype complex128",
        ),
        ({"init": POINTS[:2], "n_init": 2}, ValueError, "n_init must be 1 with an array as init"),
        ({"n_init": 0}, ValueError, "n_init must be at least 1, got 0"),
        ({"max_iter": 0}, ValueError, "max_iter must be at least 1, got 0"),
        ({"max_iter": 2.5}, TypeError, "max_iter must be an integer, got 2.5"),
        ({"tol": -0.1}, ValueError, "tol must be at least 0, got -0.1"),
        ({"tol": float("nan")}, ValueError, "tol must be at least 0, got nan"),
        ({"tol": "small"}, TypeError, "tol must be a number, got 'small'"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"seed": None}, TypeError, "seed must be an integer, got None"),
        ({"algorithm": "elkan"}, ValueError, "algorithm must be one of 'auto', 'dense', 'histogram', got 'elkan'"),
        ({"engine": "cuda"}, ValueError, "engine must be one of 'auto', 'numba', 'numpy', got 'cuda'"),
        ({"n_threads": 0}, ValueError, "n_threads must be at least 1, got 0"),
        ({"callback": 3}, TypeError, "callback must be callable or None, got 3"),
        ({"sample_weight": [1, 2]}, ValueError, "sample_weight must have one weight a point, shape (4,), got (2,)"),
        ({"sample_weight": [1, 1, 1, -2]}, ValueError, "sample_weight must not be negative, got -2"),
        ({"sample_weight": [1, 1, 1, np.nan]}, ValueError, "sample_weight must be finite"),
        ({"sample_weight": [0, 0, 0, 0]}, ValueError, "sample_weight must have a positive sum"),
        ({"sample_weight": np.full(4, 1e308)}, ValueError, "sample_weight must have a sum of at most 1e+20, got inf"),
        ({"sample_weight": [1e20] * 4}, ValueError, "sample_weight must have a sum of at most 1e+20, got 4e+20"),
        ({"sample_weight": ["a"] * 4}, TypeError, "sample_weight must be real numbers of up to 64 bits, got dtype <U1"),
    ],
    ids=str,
)
def test_options(options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        kf.kmeans(POINTS, **{"n_clusters": 2, **options})


@pytest.mark.parametrize(
    ("points", "options", "message"),
    [
        (POINTS.astype(np.float32), {}, "got float32 with 3 features"),
        (POINTS.astype(np.int16), {}, "got int16 with 3 features"),
        (POINTS.astype(np.int64) // 256, {}, "got int64 with 3 features"),
        (POINTS / 254, {}, "or floats that all are such integers divided by 255 or 65535, got float64"),
        (np.full((9, 3), np.nan), {}, "points must be finite"),
        (np.zeros((9, 5), np.uint8), {}, "got uint8 with 5 features"),
        (
            POINTS,
            {"sample_weight": [1, 2, 3, 4.5]},
            "features and sample_weight that isn't whole numbers, or too large",
        ),
        (
            POINTS,
            {"sample_weight": [1, 2, 3, 2**45]},
            "features and sample_weight that isn't whole numbers, or too large",
        ),
        (POINTS.astype(np.uint16), {"sample_weight": [1, 2, 3, 2**37]}, "got uint16 with 3 features and sample_weight"),
    ],
)
def test_histogram_of_what_has_none(points, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        kf.kmeans(points, 2, algorithm="histogram", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"algorithm": "dense"}, "algorithm must be 'auto' or 'histogram' for a ColorHistogram, got 'dense'"),
        ({"sample_weight": [1, 1, 1, 1]}, "sample_weight must be None for a ColorHistogram"),
    ],
)
def test_options_that_a_histogram_does_not_take(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        kf.kmeans(kf.ColorHistogram.from_image(POINTS), 2, **options)


def test_unknown_option():
    with pytest.raises(TypeError, match="n_jobs"):
        kf.kmeans(POINTS, 2, n_jobs=2)


def test_more_clusters_than_labels_can_hold():
    with pytest.raises(ValueError, match=re.escape("n_clusters must be at most 2**32")):
        validation.cluster_count("n_clusters", 2**32 + 1)
    assert validation.cluster_count("n_clusters", 2**32) == 2**32


@pytest.mark.parametrize(
    ("centroids", "message"),
    [
        ([[1, 2]], "centroids must have shape (K, 3), got (1, 2)"),
        ([1, 2, 3], "centroids must have shape (K, 3), got (3,)"),
        (np.empty((0, 3)), "centroids must not be empty, got shape (0, 3)"),
        ([[0, 0, np.inf]], "centroids must be finite"),
    ],
)
def test_centroids(centroids, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        kf.assign(POINTS, centroids)


def test_bad_setting_of_threads(monkeypatch):
    monkeypatch.setenv("KMEANS_FAST_NUM_THREADS", "many")
    with pytest.raises(ValueError, match="KMEANS_FAST_NUM_THREADS must be a positive integer, got 'many'"):
        kf.kmeans(POINTS, 2)


def test_bad_input_is_found_before_any_work():
    def fail(*_):
        raise AssertionError("an iteration was made")

    with pytest.raises(ValueError, match="n_threads"):
        kf.kmeans(POINTS, 2, n_threads=-1, callback=fail)
