"""The iteration on cells: after every single one, labels and sums are those of the plain comparison."""

import numpy as np
import pytest
import reference
from conftest import locked
from hypothesis import given
from hypothesis import strategies as st

from kmeans_fast import engines
from kmeans_fast.colors import cell_passes as filtering
from kmeans_fast.colors import cells
from kmeans_fast.colors import shared_passes as sharing
from kmeans_fast.colors.cell_passes import HistogramAlgorithm
from kmeans_fast.colors.histogram import count
from kmeans_fast.lending import Machine, machine_for
from kmeans_fast.machine.threads import workers
from kmeans_fast.points.access import Points

LABELS = {}


def textbook_labels(points, centroids):
    """The textbook's labels, worked out once for all engines: that is slow."""
    key = points.shape, hash(points.tobytes()), centroids.tobytes()
    if key not in LABELS:
        LABELS[key] = locked(reference.assign(points, centroids).astype(np.uint16))
    return LABELS[key]


def colors_of(image):
    with machine_for("auto", 1, 1, 1) as machine:
        return count(Points(image), machine)


def built_of(histogram, engine="auto", n_threads=1):
    with workers(n_threads) as lent:
        return histogram.built(Machine(engines.load(engine), lent))


def widened(image):
    """The same picture with 16 bits, of which the lower eight are noise."""
    noise = np.random.default_rng(7).integers(0, 256, image.shape, np.uint16)
    return locked(image.astype(np.uint16) << 8 | noise)


def assert_each_step_is_plain(histogram, steps, engine, n_threads=1):
    """Go from one set of centroids to the next, and compare labels and sums with the textbook's each time."""
    colors, counts = histogram.colors, histogram.counts
    with workers(n_threads) as lent:
        algorithm = HistogramAlgorithm(histogram, len(steps[0]), engines.load(engine), lent)
        for centroids in steps:
            sums = algorithm.assign_and_sum(centroids)
            labels = textbook_labels(colors, centroids)
            assert np.array_equal(algorithm.labels, labels)
            for f in range(colors.shape[1]):
                expected = np.bincount(labels, weights=counts * colors[:, f].astype(np.int64), minlength=len(centroids))
                assert np.array_equal(sums[:, f], expected)
            assert np.array_equal(sums[:, -1], np.bincount(labels, weights=counts, minlength=len(centroids)))
            measure = algorithm.measure(centroids)
            assert measure.inertia == pytest.approx(reference.inertia(colors, centroids, labels, counts), rel=1e-12)
            assert np.array_equal(measure.totals, sums[:, -1])


def lloyd_steps(histogram, init, n_steps):
    """The centroids of successive iterations, by the textbook."""
    steps = [np.asarray(init, np.float64)]
    colors, weights = histogram.colors, histogram.counts.astype(np.float64)
    for _ in range(n_steps - 1):
        steps.append(reference.update(colors, weights, steps[-1], textbook_labels(colors, steps[-1])))
    return steps


@pytest.mark.parametrize(("n_clusters", "n_steps"), [(2, 40), (16, 40), (150, 15)])
def test_a_run_on_a_picture(small_cat, engine, n_clusters, n_steps):
    histogram = colors_of(small_cat)
    init = histogram.colors[np.linspace(0, len(histogram) - 1, n_clusters).astype(int)]
    assert_each_step_is_plain(histogram, lloyd_steps(histogram, init, n_steps), engine)


@pytest.mark.parametrize("n_channels", [1, 2, 3, 4])
def test_every_number_of_channels(engine, n_channels):
    image = np.random.default_rng(n_channels).integers(0, 256, (3000, n_channels), np.uint8) // 3
    histogram = colors_of(locked(image))
    init = histogram.colors[:: max(1, len(histogram) // 20)]
    assert_each_step_is_plain(histogram, lloyd_steps(histogram, init, 15), engine)


@pytest.mark.parametrize("n_channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [3, 8, 9, 12, 16])
def test_16_bits_of_which_some_are_used(engine, n_channels, bits):
    image = np.random.default_rng(bits).integers(0, 2**bits, (2000, n_channels), np.uint16)
    image[:1000] = image[:1000] // 5
    histogram = colors_of(locked(image))
    assert built_of(histogram).cells.scale == 2.0 ** -max(0, bits - 8)
    init = histogram.colors[:: max(1, len(histogram) // 20)]
    assert_each_step_is_plain(histogram, lloyd_steps(histogram, init, 8), engine)


@pytest.mark.parametrize(("n_clusters", "n_steps"), [(2, 25), (16, 25), (150, 10)])
def test_a_run_on_a_picture_of_16_bits(small_cat, engine, n_clusters, n_steps):
    histogram = colors_of(widened(small_cat))
    init = histogram.colors[np.linspace(0, len(histogram) - 1, n_clusters).astype(int)]
    assert_each_step_is_plain(histogram, lloyd_steps(histogram, init, n_steps), engine)


def test_sums_that_no_float64_holds(engine):
    """16-bit colours of so many pixels each that their sums have 60 bits, on both engines."""
    counts = np.array([2**44 - 1, 2**40 + 1, 3, 2**44 - 3], np.int64)
    histogram = colors_of(np.array([[65535, 1], [65534, 2], [7, 7], [65001, 9]], np.uint16))
    histogram.counts = counts
    with workers(1) as lent:
        algorithm = HistogramAlgorithm(histogram, 2, engines.load(engine), lent)
        sums = algorithm.assign_and_sum(np.array([[65535.0, 0], [0, 0]]))
    labels = algorithm.labels.tolist()
    for k in (0, 1):
        members = [i for i, label in enumerate(labels) if label == k]
        exact = [sum(int(counts[i]) * int(histogram.colors[i, f]) for i in members) for f in (0, 1)]
        assert sums[k].tolist() == [*map(float, exact), float(sum(int(counts[i]) for i in members))]


@pytest.mark.parametrize("part_colors", [300, 10**9])
def test_passes_shared_by_threads(small_cat, engine, part_colors, monkeypatch):
    monkeypatch.setattr(filtering, "SHARED_COLORS", 50)
    monkeypatch.setattr(sharing, "PART_COLORS", part_colors)
    histogram = colors_of(small_cat)
    steps = lloyd_steps(histogram, histogram.colors[::100], 12)
    assert_each_step_is_plain(histogram, steps, engine, n_threads=3)


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("part_colors", [300, 10**9])
def test_a_shared_pass_visits_each_region_once(small_cat, n_threads, part_colors, monkeypatch):
    monkeypatch.setattr(sharing, "PART_COLORS", part_colors)
    structure = built_of(colors_of(small_cat)).cells
    parts = []
    with workers(n_threads) as lent:
        passes = sharing.SharedPasses(structure, lent, 0)
        passes.run(lambda part: parts.append(passes.parts[part]) or 1)
    parts.sort()
    n_regions = len(structure.regions.starts) - 1
    assert [first for first, _ in parts] + [n_regions] == [0] + [last for _, last in parts]
    n_expected = max(1 if n_threads == 1 else sharing.PARTS_EACH * n_threads, -(-len(structure.counts) // part_colors))
    assert n_expected / 2 < len(parts) <= n_expected  # a region is in one part


def test_centroids_on_the_borders_of_cells_and_half_way_between_colours(engine):
    """Ties by the thousand: a grid of colours, and centroids on its points, edges and faces."""
    axis = np.arange(0, 64, 4, dtype=np.uint8)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    corners = np.array([[x, y, z] for x in (8, 24, 40) for y in (8, 24, 40) for z in (8, 24, 40)], np.float64)
    steps = [
        corners,
        corners + np.array([2, 0, 0]),
        corners + 4,
        corners - 0.5,
        corners + np.array([0, 0, 1e-9]),
        corners,
    ]
    assert_each_step_is_plain(colors_of(grid), steps, engine)


def test_equal_and_nearly_equal_centroids(small_cat, engine):
    histogram = colors_of(small_cat)
    base = histogram.colors[::200].astype(np.float64)
    steps = [np.concatenate([base, base + shift]) for shift in (0, 1e-9, -1e-9, 1e-13, 0, 1e-5)]
    assert_each_step_is_plain(histogram, steps, engine)


def test_one_centroid_far_away(small_cat, engine):
    histogram = colors_of(small_cat)
    base = histogram.colors[::100].astype(np.float64)
    steps = []
    for distance in (0, 1e3, 1e5, 9e5, 1e9, 1e100, 300, 0):
        steps.append(base.copy())
        steps[-1][3] += distance
    assert_each_step_is_plain(histogram, steps, engine)


def test_as_many_centroids_as_colours(engine):
    image = locked(np.random.default_rng(0).integers(0, 40, (300, 3), np.uint8))
    histogram = colors_of(image)
    exact = histogram.colors.astype(np.float64)
    steps = [exact, exact[::-1].copy(), np.roll(exact, 7, axis=0), exact + 0.25]
    assert_each_step_is_plain(histogram, steps, engine)


def test_more_candidates_than_a_list_holds(engine):
    """Hundreds of centroids in one cell: no list is kept, and all are compared."""
    image = locked(np.random.default_rng(1).integers(96, 104, (400, 3), np.uint8))
    centroids = 96 + 8 * np.random.default_rng(2).random((cells.REGION_CANDIDATES + 90, 3))
    assert_each_step_is_plain(colors_of(image), [centroids, centroids + 0.1, centroids - 0.1], engine)


@pytest.mark.parametrize("scale", [1e-4, 0.01, 1, 50])
@pytest.mark.parametrize("is_wide", [False, True])
def test_centroids_that_wander(small_cat, engine, scale, is_wide):
    """Moves of all sizes, some centroids resting: what the bounds have to survive."""
    picture = small_cat[::2]
    histogram = colors_of(widened(picture) if is_wide else picture)
    generator = np.random.default_rng(5)
    centroids = histogram.colors[generator.choice(len(histogram), 60, replace=False)].astype(np.float64)
    steps = [centroids]
    for _ in range(20):
        moves = generator.normal(0, scale, centroids.shape) * generator.choice([0, 0, 1, 10], (60, 1)) * 256**is_wide
        steps.append(steps[-1] + moves)
    assert_each_step_is_plain(histogram, steps, engine)


@given(data=st.data(), seed=st.integers(0, 2**32 - 1), spread=st.sampled_from([2, 9, 40, 256, 3000, 65536]))
def test_drawn_walks(data, seed, spread):
    generator = np.random.default_rng(seed)
    image = generator.integers(0, spread, (200, 3), np.uint8 if spread <= 256 else np.uint16)
    n_clusters = data.draw(st.integers(1, 30))
    half_steps = data.draw(st.booleans())
    centroids = generator.uniform(0, spread, (n_clusters, 3))
    steps = []
    for _ in range(6):
        centroids = centroids + generator.normal(0, data.draw(st.sampled_from([0, 0.01, 1, 20])), centroids.shape)
        steps.append(np.round(2 * centroids) / 2 if half_steps else centroids)
    assert_each_step_is_plain(colors_of(image), steps, "auto")


def are_one(rows):
    return (rows == rows[0]).all()


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("is_wide", [False, True])
@pytest.mark.parametrize("most", [0, 20, 512])
def test_boxes_hold_their_colours(small_cat, engine, is_wide, most, n_threads, monkeypatch):
    monkeypatch.setattr(cells, "COLORS_AT_ONCE", 100)
    monkeypatch.setattr(cells, "CELL_COLORS", most)
    picture = small_cat[::2]
    histogram = colors_of(widened(picture) if is_wide else picture)
    built, cube_starts, moments = built_of(histogram, engine, n_threads)
    starts, centers, halves = built.cells
    excess = 8 * is_wide
    for ends in (starts, cube_starts):
        assert ends[0] == 0
        assert ends[-1] == len(histogram)
    for start, stop, moment in zip(cube_starts[:-1], cube_starts[1:], moments, strict=True):
        members, counts = histogram.colors[start:stop], histogram.counts[start:stop]
        assert are_one(members >> cells.CUBE_BITS + excess)
        members = members.astype(np.int64)
        assert moment.tolist() == [counts.sum(), *(counts @ members), 0, (counts @ members**2).sum()]
    for i in range(len(starts) - 1):
        members = histogram.colors[starts[i] : starts[i + 1]]
        assert are_one(members >> cells.CELL_BITS + excess)
        assert len(members) <= most or are_one(members >> cells.CUBE_BITS + excess)
        assert np.array_equal(members.min(axis=0), (centers - halves)[i, :3] * 2**excess)
        assert np.array_equal(members.max(axis=0), (centers + halves)[i, :3] * 2**excess)
    assert np.isin(starts, cube_starts).all()
    assert np.array_equal(built.channels[:3].T, histogram.colors)
    assert np.array_equal(built.colors[:, :3], histogram.colors)
    region_starts = built.regions.starts
    first_colors = histogram.colors[starts[:-1]][region_starts[:-1]]
    assert len(np.unique(first_colors >> cells.REGION_BITS + excess, axis=0)) == len(region_starts) - 1
