"""`effort=`: what is searched for beyond Lloyd's fixed point is never worse, and the same bytes everywhere."""

import json

import numpy as np
import pytest
from test_golden import GOLDEN, checksum

import kmeans_fast as kf
from kmeans_fast import annealing, cli

EFFORTS = (0, 1, 2, 3)


@pytest.fixture(scope="module")
def sprite():
    """A picture of few colours, some in many pixels: 40 of them, (48, 48, 3)."""
    steps = np.random.default_rng(3).integers(0, 16, (40, 3))
    places = (np.random.default_rng(4).random((48, 48)) ** 3 * 40).astype(np.intp)
    return (steps * 17).astype(np.uint8)[places]


def float_points(n_points):
    random = np.random.default_rng(5)
    return random.normal(size=(n_points, 5)) + random.integers(0, 4, (n_points, 1)), random.random(n_points)


def inertias(points, n_clusters, **options):
    return [kf.kmeans(points, n_clusters, effort=effort, **options).inertia for effort in EFFORTS]


@pytest.mark.parametrize("n_clusters", [1, 2, 40, pytest.param(200, marks=pytest.mark.stress)])
def test_more_effort_is_never_worse(small_cat, n_clusters):
    picture = small_cat[::2, ::2]
    found = inertias(picture, n_clusters)
    assert found == sorted(found, reverse=True)
    errors = [kf.quantize(picture, n_clusters, effort=effort).mse for effort in EFFORTS[1:]]
    assert errors == sorted(errors, reverse=True)


def test_more_effort_is_better_where_clusters_are_many(small_cat):
    less, more = (kf.kmeans(small_cat, 100, effort=effort).inertia for effort in (1, 2))
    assert more < 0.99 * less


@pytest.mark.parametrize("n_clusters", [8, 39])
def test_sprites_are_as_good_as_the_best_of_many_starts(sprite, n_clusters):
    best = kf.kmeans(sprite, n_clusters, n_init=20, max_iter=1000).inertia
    assert kf.kmeans(sprite, n_clusters, effort=3).inertia <= best * (1 + 1e-9)


def test_a_photo_is_as_good_as_the_best_of_many_starts(small_cat):
    picture = small_cat[::2, ::2]
    for n_clusters in (5, 32):
        best = kf.kmeans(picture, n_clusters, n_init=20, max_iter=1000).inertia
        assert kf.kmeans(picture, n_clusters, effort=3).inertia <= best * (1 + 1e-9)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_any_points(engine, monkeypatch, is_weighted):
    monkeypatch.setitem(annealing.SCHEDULES, 3, annealing.SCHEDULES[3]._replace(n_iter=200))  # as NumPy takes longer
    points, weights = float_points(500)
    found = inertias(points, 20, sample_weight=weights if is_weighted else None, engine=engine)
    assert found == sorted(found, reverse=True)
    assert found[2] < found[1]


def test_labels_are_the_assignment_to_the_centroids(small_cat):
    result = kf.kmeans(small_cat, 50, effort=2)
    assert np.array_equal(result.labels, kf.assign(small_cat, result.centroids))
    assert np.array_equal(result.counts, np.bincount(result.labels.ravel()))
    assert len(np.unique(result.centroids, axis=0)) == 50
    assert len(result.shifts) == result.n_iter


def test_both_algorithms_find_the_same(small_cat):
    dense, cells = (kf.kmeans(small_cat, 20, effort=2, algorithm=name) for name in ("dense", "histogram"))
    assert np.array_equal(dense.centroids, cells.centroids)
    assert np.array_equal(dense.labels, cells.labels)


@pytest.mark.parametrize("n_clusters", [40, 41, 300])
def test_no_more_colours_than_clusters(sprite, n_clusters):
    for effort in EFFORTS:
        result = kf.kmeans(sprite, n_clusters, effort=effort)
        assert (result.inertia, result.n_iter) == (0, 0)
        assert np.array_equal(kf.quantize(sprite, n_clusters, effort=effort).to_array(), sprite)


def test_duplicates():
    points = np.repeat([[0.0], [1.0], [10.0], [11.0], [30.0]], 7, axis=0)
    for effort in EFFORTS:
        result = kf.kmeans(points, 4, effort=effort)
        assert len(np.unique(result.centroids)) == 4
    assert kf.kmeans(points, 4, effort=2).inertia == 3.5


def test_transparency(small_cat):
    alpha = np.broadcast_to(np.arange(97, dtype=np.uint8) * 2, (61, 97))
    picture = np.dstack([small_cat, alpha])
    errors = [kf.quantize(picture, 20, effort=effort).mse for effort in EFFORTS[1:]]
    assert errors == sorted(errors, reverse=True)
    result = kf.quantize(picture, 20, effort=2)
    assert result.palette[0].tolist() == [0, 0, 0, 0]
    assert result.counts.tolist() == np.bincount(result.labels.ravel()).tolist()


def test_opaque_pixels_stay_opaque(small_cat):
    alpha = np.full((61, 97), 255, np.uint8)
    alpha[:, :30] = np.arange(30) * 8
    result = kf.quantize(np.dstack([small_cat, alpha]), 20, effort=2)
    assert (result.to_array()[alpha == 255, 3] == 255).all()


@pytest.mark.parametrize("options", [{"space": "oklab"}, {"space": "linear"}])
def test_spaces(small_cat, options):
    least, more = (kf.quantize(small_cat, 30, effort=effort, **options) for effort in (1, 2))
    assert not np.array_equal(least.palette, more.palette)
    assert len(np.unique(more.palette, axis=0)) == 30


def test_16_bits(small_cat):
    wide = small_cat.astype(np.uint16) * 257
    errors = [kf.quantize(wide, 20, effort=effort).mse for effort in EFFORTS[1:]]
    assert errors == sorted(errors, reverse=True)


def test_quantizing_again_changes_nothing(small_cat):
    once = kf.quantize(small_cat, 30, effort=2)
    assert np.array_equal(kf.quantize(once.to_array(), 30, effort=2).to_array(), once.to_array())


def test_effort_0_takes_few_iterations(small_cat):
    assert kf.kmeans(small_cat, 8, effort=0).n_iter == 2
    assert kf.kmeans(small_cat, 8, effort=0, max_iter=1).n_iter == 1
    fast, named = kf.quantize(small_cat, 8, effort=0), kf.quantize(small_cat, 8, init="variance", max_iter=2)
    assert np.array_equal(fast.palette, named.palette)


def test_a_callback_sees_the_search_and_can_end_it(small_cat):
    first = kf.kmeans(small_cat, 20).n_iter
    seen = []
    kf.kmeans(small_cat, 20, effort=2, callback=lambda *step: seen.append(len(step[1])))
    assert set(seen) == {20}
    assert len(seen) > first + 100
    calls = []

    def stop(*step):
        calls.append(step[0])
        return len(calls) > first

    result = kf.kmeans(small_cat, 20, effort=3, callback=stop)
    assert len(calls) <= first + 3  # it is asked once in each search, and once in each run that makes an end
    assert result.inertia <= kf.kmeans(small_cat, 20).inertia


@pytest.mark.parametrize("effort", [-1, 4])
def test_efforts_out_of_range(small_cat, effort):
    for function in (kf.kmeans, kf.quantize, kf.palette):
        with pytest.raises(ValueError, match="effort must be"):
            function(small_cat, 8, effort=effort)


@pytest.mark.parametrize("effort", [1.5, "2", None, True])
def test_efforts_of_a_wrong_type(small_cat, effort):
    with pytest.raises(TypeError, match="effort must be"):
        kf.kmeans(small_cat, 8, effort=effort)


def test_on_the_command_line(capsys):
    outputs = []
    for effort in ("1", "2"):
        assert cli.main(["palette", str(kf.sample_path()), "-k", "30", "--effort", effort]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] != outputs[1]
    with pytest.raises(SystemExit):
        cli.main(["palette", str(kf.sample_path()), "--effort", "4"])
    assert "argument --effort: invalid choice: 4" in capsys.readouterr().err


def fingerprint(picture, effort, **options):
    result = kf.kmeans(picture, 24, effort=effort, **options)
    quantized = kf.quantize(picture, 24, effort=effort, **options)
    points, weights = float_points(3000)
    floats = kf.kmeans(points, 12, effort=effort, sample_weight=weights, **options)
    arrays = (result.centroids, result.labels, quantized.palette, quantized.labels, floats.centroids, floats.labels)
    return [checksum(array) for array in arrays]


@pytest.mark.parametrize(
    ("n_threads", "effort"), [(1, 0), (3, 0), (3, 2), pytest.param(3, 3, marks=pytest.mark.stress)]
)
def test_golden_bytes(small_cat, engine, n_threads, effort):
    golden = json.loads(GOLDEN.with_name("golden_effort.json").read_text())
    assert fingerprint(small_cat, effort, engine=engine, n_threads=n_threads) == golden[str(effort)]
