"""The seeding on colours: the draws and choices of plain k-means++, and splits that are the best there are."""

import numpy as np
import pytest
import reference
from conftest import locked

import kmeans_fast as kf
from kmeans_fast import engines, lloyd
from kmeans_fast.colors import seeding as color_seeding
from kmeans_fast.colors.histogram import count
from kmeans_fast.colors.side_by_side import SideBySide
from kmeans_fast.draws import Draws
from kmeans_fast.lending import Machine, machine_for
from kmeans_fast.machine.threads import workers
from kmeans_fast.points import seeding
from kmeans_fast.points.access import Points
from kmeans_fast.points.dense import DenseAlgorithm

PLAIN = {}


def plain_k_means_plus_plus(histogram, n_clusters, seed):
    """What `seeding` does with any points, worked out once for all engines."""
    key = histogram.colors.tobytes(), histogram.counts.tobytes(), n_clusters, seed
    if key not in PLAIN:
        colors, weights = Points(histogram.colors), histogram.counts.astype(np.float64)
        with machine_for("numpy", 1, 1, 1) as machine:
            PLAIN[key] = locked(seeding.k_means_plus_plus(colors, weights, n_clusters, Draws(seed), machine))
    return PLAIN[key]


def assert_same_choices(histogram, n_clusters, engine, n_threads=1, seed=0):
    with workers(n_threads) as lent:
        machine = Machine(engines.load(engine), lent)
        chosen = color_seeding.k_means_plus_plus(histogram, n_clusters, Draws(seed), machine)
    assert np.array_equal(chosen, plain_k_means_plus_plus(histogram, n_clusters, seed))


@pytest.mark.parametrize(("n_clusters", "seed"), [(1, 0), (2, 0), (17, 0), (17, 5), (100, 0)])
def test_k_means_plus_plus_leaves_cells_alone_and_chooses_the_same(small_cat, engine, n_clusters, seed):
    assert_same_choices(kf.ColorHistogram.from_image(small_cat), n_clusters, engine, seed=seed)


def wide_colors(image):
    """The colours of a picture as those of 16 bits, the lower ones of which are noise."""
    noise = np.random.default_rng(7).integers(0, 256, image.shape, np.uint16)
    with machine_for("numpy", 1, 1, 1) as machine:
        return count(Points(locked(image.astype(np.uint16) << 8 | noise)), machine)


@pytest.mark.parametrize("n_clusters", [1, 2, 17, 100])
def test_16_bits_are_chosen_alike(small_cat, engine, n_clusters):
    assert_same_choices(wide_colors(small_cat), n_clusters, engine)


def test_16_bits_are_split_where_8_are(small_cat, engine):
    options = {"init": "variance", "max_iter": 30, "engine": engine}
    narrow, wide = kf.kmeans(small_cat, 12, **options), kf.kmeans(small_cat.astype(np.uint16) * 257, 12, **options)
    np.testing.assert_allclose(wide.centroids, narrow.centroids * 257, rtol=1e-12)
    assert np.array_equal(wide.labels, narrow.labels)


@pytest.mark.parametrize("init", ["variance", "cubes"])
def test_16_bits_that_lie_in_too_few_cubes(engine, init):
    """One far away: all others are in one cube of scaled steps, and k-means++ serves."""
    points = np.append(np.arange(100), 65535).astype(np.uint16)[:, np.newaxis]
    drawn = kf.kmeans(points, 9, max_iter=50, engine=engine)
    assert np.array_equal(kf.kmeans(points, 9, init=init, max_iter=50, engine=engine).centroids, drawn.centroids)


@pytest.mark.parametrize("n_channels", [1, 2, 3, 4])
def test_any_number_of_channels_on_threads(engine, n_channels, monkeypatch):
    monkeypatch.setattr(color_seeding, "SHARED_COLORS", 50)
    image = np.random.default_rng(n_channels).integers(0, 256, (1500, n_channels), np.uint8)
    histogram = kf.ColorHistogram.from_image(locked(image))
    assert_same_choices(histogram, min(40, len(histogram)), engine, n_threads=3)


def test_as_many_centroids_as_colours(engine):
    histogram = kf.ColorHistogram.from_image(locked(np.random.default_rng(0).integers(0, 9, (200, 3), np.uint8)))
    assert_same_choices(histogram, len(histogram), engine)


def test_more_pixels_than_exact_sums_are_drawn_by_the_plain_way(small_cat, engine, monkeypatch):
    expected = kf.kmeans(small_cat, 9, max_iter=2, engine=engine)
    monkeypatch.setattr(color_seeding, "MOST_POTENTIAL", 10)
    assert np.array_equal(kf.kmeans(small_cat, 9, max_iter=2, engine=engine).centroids, expected.centroids)


def squared_error(colors):
    return ((colors - colors.mean(axis=0)) ** 2).sum()


def cuts(colors):
    """All ways to cut a box across one axis: what is gained, and the two parts."""
    for axis in range(colors.shape[1]):
        for value in np.unique(colors[:, axis])[:-1]:
            low = colors[:, axis] <= value
            parts = colors[low], colors[~low]
            yield squared_error(colors) - sum(map(squared_error, parts)), parts


def test_each_split_is_the_best_of_all(engine):
    """The search tries every cut of every box each time."""
    colors = np.random.default_rng(1).integers(0, 40, (60, 3), np.uint8)
    moments = np.column_stack([np.ones(len(colors), np.int64), colors])
    boxes = [colors.astype(np.float64)]
    for n_clusters in range(2, 12):
        candidates = [(*cut, i) for i, box in enumerate(boxes) for cut in cuts(box)]
        _, parts, place = max(candidates, key=lambda candidate: candidate[0])
        boxes[place : place + 1] = parts
        totals = engines.load(engine).color_seeding.split(colors, moments, np.array([0, len(colors)]), n_clusters)
        assert sorted(totals.tolist()) == sorted([len(box), *box.sum(axis=0).tolist()] for box in boxes)


@pytest.mark.parametrize("init", ["variance", "cubes"])
@pytest.mark.parametrize("n_clusters", [2, 16, 40])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_start_is_the_same_on_every_engine_and_thread(small_cat, init, n_clusters, dtype):
    points = small_cat[::2].astype(dtype) * dtype(np.iinfo(dtype).max // 255)
    runs = [
        kf.kmeans(points, n_clusters, init=init, max_iter=3, engine=engine, n_threads=n_threads)
        for engine, n_threads in (("auto", 1), ("auto", 3), ("numpy", 1))
    ]
    assert all(np.array_equal(run.centroids, runs[0].centroids) for run in runs)
    assert all(run.inertia == runs[0].inertia for run in runs)


@pytest.mark.parametrize("n_clusters", [1, 2, 30, 256])
def test_few_colours_are_drawn_as_many_are(small_cat, engine, n_clusters):
    histogram = kf.ColorHistogram.from_image(small_cat[::4])
    with machine_for(engine, 1, 1, 1) as machine:
        expected = color_seeding.k_means_plus_plus(histogram, n_clusters, Draws(3), machine)
        few = color_seeding.k_means_plus_plus_of_few(histogram.colors, histogram.counts, n_clusters, Draws(3), machine)
    assert np.array_equal(few, expected)


def test_a_draw_at_the_very_end_takes_the_last_colour_that_can_be_drawn(engine):
    class Last(Draws):
        def uniforms(self, shape):
            return np.ones(shape)

    colors, counts = np.array([[0], [9], [200], [0]], np.uint8), np.ones(4, np.int64)
    with machine_for(engine, 1, 1, 1) as machine:
        few = color_seeding.k_means_plus_plus_of_few(colors, counts, 2, Last(0), machine)
    assert few.tolist() == [[0], [200]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("n_channels", [1, 3, 4])
@pytest.mark.parametrize(("n_clusters", "tol", "max_iter"), [(1, 0, 25), (3, 2.0, 25), (7, 30, 25), (16, 0.0, 9)])
def test_runs_side_by_side_end_as_each_does_by_itself(engine, dtype, n_channels, n_clusters, tol, max_iter):
    """Some converge before others, and some of the first centroids have no colours."""
    rng = np.random.default_rng(n_clusters)
    scale = np.iinfo(dtype).max // 255
    colors = np.unique(rng.integers(0, 256, (500, n_channels)), axis=0).astype(dtype) * dtype(scale)
    counts = rng.integers(1, 2000, len(colors))
    starts = rng.random((5, n_clusters, n_channels)) * 300 * scale
    starts[0] = colors[:1]
    with machine_for(engine, 1, 1, 1) as machine:
        algorithm = DenseAlgorithm(Points(colors), counts.astype(np.float64), n_clusters, *machine)
        runs = [lloyd.lloyd(algorithm, start, max_iter, tol * scale**2, None, lloyd.LONG) for start in starts]
        together = SideBySide(colors, counts, len(starts), n_clusters, machine)
        ends, measure = lloyd.ends_of_runs(
            together, np.concatenate(starts), len(starts), max_iter, tol * scale**2, lloyd.LONG
        )
    assert np.array_equal(ends, np.concatenate([run.centroids for run in runs]))
    assert together.inertias == [run.measure.inertia for run in runs]
    assert np.array_equal(measure.counts, np.concatenate([run.measure.counts for run in runs]))
    assert n_clusters != 7 or len({run.n_iter for run in runs}) > 1


@pytest.mark.parametrize("init", ["variance", "cubes"])
def test_starts_end_no_worse_than_k_means_plus_plus_does_on_average(cat, init):
    drawn = [kf.kmeans(cat, 16, seed=seed, max_iter=25).inertia for seed in range(5)]
    assert kf.kmeans(cat, 16, init=init, max_iter=25).inertia <= np.mean(drawn) * (1.01 if init == "variance" else 1)


@pytest.mark.parametrize("init", ["variance", "cubes"])
@pytest.mark.parametrize("points", [np.eye(3), np.eye(3, dtype=np.int16), np.zeros((9, 5), np.uint8)])
def test_points_that_have_no_cubes(init, points):
    points = points + np.arange(len(points), dtype=points.dtype)[:, np.newaxis]
    with pytest.raises(ValueError, match=f"init='{init}' needs points of dtype uint8 or uint16 with 1 to 4 features"):
        kf.kmeans(points, 2, init=init)


def test_one_run_is_enough(small_cat):
    with pytest.raises(
        ValueError, match="n_init must be 1 with init='variance', as every run would be the same, got 2"
    ):
        kf.kmeans(small_cat, 4, init="variance", n_init=2)


@pytest.mark.parametrize(("relaxation", "momentum"), [(1.0, 0.0), (1.5, 0.0), (1.9, 0.0), (1.0, 0.5), (1.9, 0.6)])
def test_long_steps_are_those_of_the_textbook(small_cat, engine, relaxation, momentum):
    colors = small_cat.reshape(-1, 3)
    init = colors[:: len(colors) // 12][:12].astype(np.float64)
    result = kf.kmeans(small_cat, 12, init=init, max_iter=6, relaxation=relaxation, momentum=momentum, engine=engine)
    before = centroids = init
    for step in range(6):
        averages = reference.update(colors, None, centroids, reference.assign(colors, centroids))
        is_plain = (relaxation, momentum) == (1, 0) or step == 5
        moved = centroids + relaxation * (averages - centroids) + momentum * (centroids - before)
        before, centroids = centroids, averages if is_plain else moved
    assert np.array_equal(result.centroids, centroids)
    assert np.array_equal(result.labels.reshape(-1), reference.assign(colors, centroids))


def test_long_steps_end_with_averages_when_they_converge(small_cat):
    result = kf.kmeans(small_cat, 5, tol=1.0, relaxation=1.9, momentum=0.6, max_iter=100)
    assert result.converged
    assert result.shifts[-1] <= 1 < result.shifts[-2]
    again = kf.kmeans(small_cat, 5, init=result.centroids, max_iter=1)
    assert again.shifts[0] < 1


@pytest.mark.parametrize("relaxation", [0.5, 2.0, 0])
def test_relaxation_outside_its_range(small_cat, relaxation):
    with pytest.raises(ValueError, match="relaxation must be at least 1 and below 2"):
        kf.kmeans(small_cat, 2, relaxation=relaxation)


@pytest.mark.parametrize("momentum", [-0.1, 1.0])
def test_momentum_outside_its_range(small_cat, momentum):
    with pytest.raises(ValueError, match="momentum must be at least 0"):
        kf.kmeans(small_cat, 2, momentum=momentum)
