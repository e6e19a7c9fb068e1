"""Opaque and translucent colours clustered together, held against the textbook with entries of two kinds."""

import numpy as np
import pytest
import reference
from conftest import locked
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import kmeans_fast as kf
from kmeans_fast import engines, lloyd, quantize
from kmeans_fast.colors import counting, seeding
from kmeans_fast.draws import Draws
from kmeans_fast.imaging import picture_colors
from kmeans_fast.imaging.mixture import Apart, Mixture
from kmeans_fast.imaging.spaces import STRAIGHT, TRANSLUCENT, premultiplied
from kmeans_fast.imaging.translucency import MixedData, mixed_data
from kmeans_fast.lending import Machine
from kmeans_fast.machine.threads import workers

OPAQUE = 255 * 255
NOTHING = np.empty((0, 4))


@pytest.fixture(scope="module")
def soft_cat(cat):
    """A cut-out with a soft edge: opaque, translucent and fully transparent pixels."""
    small = cat[::4, ::4]
    y, x = np.ogrid[: small.shape[0], : small.shape[1]]
    alpha = np.clip(420 - 8 * np.hypot(y - 37, x - 56), 0, 255).astype(np.uint8)
    return locked(np.dstack([small, alpha]))


@pytest.fixture
def machine(engine):
    with workers(1) as lent:
        yield Machine(engines.load(engine), lent)


def mixture_of(image, machine):
    return Mixture(kf.ColorHistogram.from_image(image), machine)


# --------------------------------------------------------------------------------------------- the textbook's two kinds


def assign(colors, centroids, n_opaque):
    """The nearest of all entries for each colour, of the opaque ones (the last) for an opaque one."""
    first = len(centroids) - n_opaque
    labels = reference.assign(premultiplied(colors), centroids)
    is_opaque = colors[:, 3] == 255
    if is_opaque.any():
        labels[is_opaque] = first + reference.assign(colors[is_opaque, :3], centroids[first:, :3] / 255)
    return labels


def update(colors, counts, centroids, n_opaque):
    """The means of premultiplied colours; those of opaque entries are opaque."""
    labels = assign(colors, centroids, n_opaque)
    means = reference.update(premultiplied(colors), counts.astype(np.float64), centroids, labels)
    means[len(centroids) - n_opaque :, 3] = OPAQUE
    return means


def error(colors, counts, centroids, labels):
    return (counts * ((premultiplied(colors).astype(np.float64) - centroids[labels]) ** 2).sum(axis=1)).sum()


@pytest.mark.parametrize("n_clusters", [2, 9, 40])
def test_each_step_is_the_textbooks(soft_cat, machine, n_clusters):
    mixture = mixture_of(np.maximum(soft_cat, 1), machine)
    data = mixed_data(mixture, n_clusters, machine, NOTHING)
    colors, counts = mixture.colors.colors, mixture.colors.counts
    centroids = data.start("variance", n_clusters, Draws(0))
    algorithm = data.algorithm(n_clusters)
    before = np.inf
    for _ in range(12):
        sums = algorithm.assign_and_sum(centroids)
        labels = assign(colors, centroids, data.n_opaque)
        assert np.array_equal(data.labels(algorithm), labels)
        inertia = algorithm.measure(centroids).inertia
        assert inertia == pytest.approx(error(colors, counts, centroids, labels), rel=1e-12)
        assert inertia <= before
        before = inertia
        expected = update(colors, counts, centroids, data.n_opaque)
        centroids = sums[:, :-1] / sums[:, -1:]
        assert np.array_equal(centroids, expected)


@pytest.mark.parametrize(
    ("init", "n_colors"),
    [("variance", 3), ("variance", 60), ("cubes", 16), ("k-means++", 3), ("k-means++", 60), ("random", 16)],
)
def test_the_palette_is_the_textbooks(soft_cat, machine, init, n_colors):
    mixture = mixture_of(soft_cat, machine)
    data = mixed_data(mixture, n_colors - 1, machine, NOTHING)
    visible = mixture.colors.colors[:, 3] > 0
    colors, counts = mixture.colors.colors[visible], mixture.colors.counts[visible]
    centroids = data.start(init, n_colors - 1, Draws(0))
    for _ in range(6):
        centroids = update(colors, counts, centroids, data.n_opaque)
    palette = TRANSLUCENT.restore(centroids)
    options = {"init": init, "max_iter": 6, "tol": 0, "relaxation": 1, "momentum": 0, "engine": machine.engine.name}
    result = quantize(soft_cat, n_colors, **options)
    assert result.palette.tolist() == [[0, 0, 0, 0], *palette.tolist()]


def test_each_step_beside_what_is_fixed_is_the_textbooks(soft_cat, machine):
    fixed = np.array([[255, 0, 0, 255], [0, 0, 0, 0], [128, 96, 64, 192], [80, 64, 48, 255]], np.uint8)
    mixture = mixture_of(soft_cat, machine)
    data = mixed_data(mixture, 12, machine, premultiplied(fixed).astype(np.float64))
    colors, counts = mixture.colors.colors, mixture.colors.counts
    centroids = data.start("variance", 12, Draws(0))
    held = [12 - data.n_opaque - 2, 12 - data.n_opaque - 1, 10, 11]
    assert np.array_equal(centroids[held], premultiplied(fixed[[1, 2, 0, 3]]))
    algorithm = data.algorithm(12)
    for _ in range(8):
        sums = algorithm.assign_and_sum(centroids)
        assert np.array_equal(data.labels(algorithm), assign(colors, centroids, data.n_opaque))
        expected = update(colors, counts, centroids, data.n_opaque)
        expected[held] = centroids[held]
        centroids = sums[:, :-1] / sums[:, -1:]
        assert np.array_equal(centroids, expected)


# ------------------------------------------------------------------------------------------------------------- promises


@settings(max_examples=40, deadline=None)
@given(image=arrays(np.uint8, (4, 5, 4), elements=st.sampled_from([0, 1, 100, 254, 255])), n_colors=st.integers(2, 9))
def test_opaque_pixels_stay_opaque(image, n_colors):
    result = quantize(image, n_colors, engine="numpy")
    alpha = result.to_array()[..., 3] if result.palette.shape[1] == 4 else np.full(image.shape[:2], 255)
    assert (alpha[image[..., 3] == 255] == 255).all()


def test_a_single_colour_of_a_picture_with_faint_pixels_is_opaque():
    image = np.array([[[9, 9, 9, 255], [9, 9, 9, 254], [9, 9, 9, 1]]], np.uint8)
    assert quantize(image, 1).hex_colors == ["#060606"]


@pytest.mark.parametrize("alpha", [254, 100, 0])
@pytest.mark.parametrize("n_colors", [2, 16, 64])
def test_a_picture_with_few_pixels_that_are_not_opaque(cat, alpha, n_colors):
    """It's nearly what it is without them."""
    image = np.dstack([cat[::3, ::3], np.full(cat[::3, ::3].shape[:2], 255, np.uint8)])
    image[:2, :2, 3] = alpha
    result, opaque = quantize(image, n_colors), quantize(image[..., :3], n_colors - 1)
    assert (result.to_array()[..., 3][2:] == 255).all()
    assert result.mse < 1.02 * opaque.mse


def test_no_share_found_by_trying_all_is_much_better(soft_cat, machine):
    """The best division of 11 entries between the two kinds, by Lloyd's algorithm for each."""
    mixture = mixture_of(soft_cat[::2, ::2], machine)
    chosen = mixed_data(mixture, 11, machine, NOTHING)
    inertias = {}
    for n_opaque in range(1, 11):
        data = MixedData(mixture, True, n_opaque, machine)
        start = data.start("cubes", 11, Draws(0))
        inertias[n_opaque] = lloyd.lloyd(data.algorithm(11), start, 40, 0, None).measure.inertia
    assert inertias[chosen.n_opaque] < 1.1 * min(inertias.values())


@pytest.mark.parametrize("name", ["variance", "cubes", "k-means++", "random"])
def test_shares_are_never_more_than_there_are(machine, name):
    """Translucent colours so close together that they lie in one cube."""
    image = np.array([[[9, 9, 9, 1], [8, 9, 9, 1], [9, 8, 9, 1], [0, 0, 0, 255], [255, 0, 0, 255], [0, 99, 0, 255]]])
    for n_colors in range(1, 7):
        result = quantize(image.astype(np.uint8), n_colors, init=name, engine=machine.engine.name)
        assert result.n_colors == n_colors
    assert result.mse == 0


def test_empty_entries_take_colours_of_their_kind(machine):
    image = np.array([[[0, 0, 0, 255], [9, 0, 0, 255], [200, 0, 0, 255], [0, 0, 0, 90], [0, 200, 0, 90]]], np.uint8)
    mixture = mixture_of(image, machine)
    data = MixedData(mixture, True, 2, machine)
    far = np.array([[0, 0, 0, 90 * 255], [6e4, 6e4, 6e4, 9e4], [0, 0, 0, OPAQUE], [6e4, 6e4, 6e4, OPAQUE]])
    centroids, measure = lloyd.partition(data.algorithm(4), far)
    assert centroids.tolist() == [far[0].tolist(), [0, 18000, 0, 22950], far[2].tolist(), [51000, 0, 0, OPAQUE]]
    assert measure.counts.tolist() == [1, 1, 2, 1]


def test_hidden_colours_are_one_and_the_first(soft_cat, machine):
    mixture = mixture_of(soft_cat, machine)
    assert mixture.parts.has_hidden
    assert mixture.hidden.colors.tolist() == [[0, 0, 0, 0]]
    assert mixture.hidden.n_pixels == (soft_cat[..., 3] == 0).sum()
    assert mixture.hidden.n_pixels + mixture.visible.n_pixels + mixture.opaque.n_pixels == soft_cat[..., 0].size
    assert mixture.parts.n_distinct == 1 + len(mixture.visible) + len(mixture.opaque)
    assert (np.diff(mixture.opaque.codes.astype(np.int64)) > 0).all()
    assert seeding.cubes(mixture.visible, 100, machine)[0].dtype == np.uint8


# ---------------------------------------------------------------------------------------------- hidden colours are kept


def assign_straight(colors, centroids, n_hidden, n_opaque):
    """The nearest of all entries as they are, of those of its own kind for an opaque or a fully transparent colour."""
    first = len(centroids) - n_opaque
    labels = reference.assign(colors, centroids)
    is_hidden, is_opaque = colors[:, 3] == 0, colors[:, 3] == 255
    labels[is_hidden] = reference.assign(colors[is_hidden], centroids[:n_hidden])
    labels[is_opaque] = first + reference.assign(colors[is_opaque], centroids[first:])
    return labels


@pytest.mark.parametrize("n_fixed", [0, 4])
@pytest.mark.parametrize("n_clusters", [8, 40])
def test_each_step_with_hidden_colours_is_the_textbooks(soft_cat, machine, n_clusters, n_fixed):
    mixture = Mixture(kf.ColorHistogram.from_image(soft_cat), machine, STRAIGHT)
    fixed = np.array([[9, 9, 9, 255], [90, 0, 0, 0], [0, 9, 0, 0], [40, 40, 40, 128]], np.float64)[:n_fixed]
    data = mixed_data(mixture, n_clusters, machine, fixed)
    colors = mixture.colors.colors
    centroids = data.start("variance", n_clusters, Draws(0))
    is_held = (centroids[:, np.newaxis] == fixed).all(axis=2).any(axis=1)
    assert is_held.sum() == n_fixed
    algorithm = data.algorithm(n_clusters)
    for _ in range(8):
        sums = algorithm.assign_and_sum(centroids)
        labels = assign_straight(colors, centroids, data.n_hidden, data.n_opaque)
        assert np.array_equal(data.labels(algorithm), labels)
        expected = reference.update(colors, mixture.colors.counts.astype(np.float64), centroids, labels)
        expected[: data.n_hidden, 3], expected[n_clusters - data.n_opaque :, 3] = 0, 255
        expected[is_held] = centroids[is_held]
        centroids = sums[:, :-1] / sums[:, -1:]
        assert np.array_equal(centroids, expected)


@settings(max_examples=50, deadline=None)
@given(
    image=arrays(np.uint8, (4, 5, 4), elements=st.sampled_from([0, 1, 100, 254, 255])),
    fixed=arrays(np.uint8, (2, 4), elements=st.sampled_from([0, 100, 255])),
    n_fixed=st.integers(0, 2),
    n_colors=st.integers(4, 12),
)
def test_hidden_colours_are_kept(image, fixed, n_fixed, n_colors):
    fixed = np.unique(fixed[:n_fixed], axis=0)
    options = {"fixed": fixed} if n_fixed else {}
    result = quantize(image, n_colors, keep_hidden_color=True, engine="numpy", **options)
    shown = result.to_array()
    alpha = shown[..., 3] if shown.shape[-1] == 4 else np.full(image.shape[:2], 255)
    assert (alpha[image[..., 3] == 255] == 255).all()
    assert (alpha[image[..., 3] == 0] == 0).all()
    assert result.counts[n_fixed and len(fixed) :].all()
    assert len(np.unique(result.palette, axis=0)) == result.n_colors <= n_colors
    if len(np.unique(np.concatenate([image.reshape(-1, 4), fixed]), axis=0)) <= n_colors:
        assert np.array_equal(shown, image if shown.shape[-1] == 4 else image[..., :3])
    again = quantize(shown, n_colors, keep_hidden_color=True, engine="numpy", **options)
    assert np.array_equal(again.to_array(), shown)


def test_hidden_colours_count(soft_cat, engine):
    """They are lost without the option; the error is that of four channels as they are."""
    soft_cat = soft_cat[::5, ::5]
    result = quantize(soft_cat, 32, keep_hidden_color=True, engine=engine)
    hidden = soft_cat[..., 3] == 0
    shown = result.to_array().astype(int)
    assert np.abs(shown - soft_cat)[hidden].mean() < 12
    assert result.mse == pytest.approx(((shown - soft_cat) ** 2).sum() / hidden.size)
    assert not quantize(soft_cat, 32, engine=engine).to_array()[hidden].any()
    best = quantize(soft_cat, 32, keep_hidden_color=True, engine=engine, effort=2)
    assert best.mse <= result.mse
    searched = quantize(soft_cat, quality=28, keep_hidden_color=True, engine=engine)
    assert searched.psnr >= 28 > quantize(soft_cat, searched.n_colors - 1, keep_hidden_color=True).psnr


def test_nothing_is_hidden_in_an_opaque_picture(cat):
    kept, plain = (quantize(cat[::4, ::4], 9, keep_hidden_color=kept) for kept in (True, False))
    assert np.array_equal(kept.to_array(), plain.to_array())


def test_a_given_palette_with_hidden_colours():
    image = np.array([[[250, 0, 0, 0], [0, 200, 0, 0], [0, 0, 255, 255], [0, 0, 250, 200]]], np.uint8)
    entries = ["#ff000000", "#00ff0000", "#0000ff"]
    assert kf.apply_palette(image, entries, keep_hidden_color=True).labels.tolist() == [[0, 1, 2, 2]]
    assert kf.apply_palette(image, entries).labels.tolist() == [[0, 0, 2, 2]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": "oklab"}, "keep_hidden_color is for space='srgb', got space='oklab'"),
        ({"dither": "bayer"}, "keep_hidden_color is for pictures without dithering, got dither='bayer'"),
        ({"n_colors": 1}, "n_colors must be at least 2 for a picture that is transparent in one place only"),
        ({"n_colors": 3, "fixed": ["#1230", "#1230"]}, "fixed must be of distinct colours"),
        ({"init": [[1, 2, 3, 4]]}, "init must be the name of a method"),
    ],
    ids=str,
)
def test_what_leaves_no_hidden_colours(soft_cat, options, message):
    with pytest.raises(ValueError, match=message):
        quantize(soft_cat, keep_hidden_color=True, **options)


def test_ignoring_what_is_to_be_kept(soft_cat):
    with pytest.raises(ValueError, match="keep_hidden_color can't be given with ignore='transparent'"):
        kf.palette(soft_cat, 8, ignore="transparent", keep_hidden_color=True)
    found = kf.palette(soft_cat, 8, ignore="white", keep_hidden_color=True)
    assert (found.palette[:, 3] == 0).sum() > 1


# ------------------------------------------------------------------------------------------- pictures counted as points


@pytest.mark.parametrize(
    "alphas", [(1, 255), (0, 256), (0, 3), (254, 256)], ids=["translucent", "all kinds", "faint", "nearly opaque"]
)
@pytest.mark.parametrize("n_colors", [5, 40])
def test_a_picture_that_is_counted_as_its_points(engine, monkeypatch, alphas, n_colors):
    """It's what it is when its colours are counted first."""
    monkeypatch.setattr(counting, "PIXELS_PER_TASK", 1000)
    image = np.random.default_rng(3).integers(256, size=(35, 60, 4)).astype(np.uint8)
    image[..., 3] = np.random.default_rng(4).integers(*alphas, size=(35, 60))
    image[:5] = image[5:10]
    kinds, results = [], []
    for is_counted_first in (False, True):
        with monkeypatch.context() as patch:
            if is_counted_first:
                patch.setattr(picture_colors, "are_best_sorted", lambda _: False)
            patch.setattr(picture_colors, "mixed_data", noting(kinds))
            results.append(quantize(image, n_colors, engine=engine, max_iter=5))
    assert kinds == [Apart, Mixture]
    for ours, theirs in zip(*(vars(result).values() for result in results), strict=True):
        assert np.array_equal(ours, theirs)


def noting(kinds):
    def noted(mixture, *rest):
        kinds.append(type(mixture))
        return mixed_data(mixture, *rest)

    return noted


@pytest.mark.parametrize("asked", [{"dither": "bayer"}, {"max_error": 30.0}, {"palette": ["red", "#00ff0080"]}])
def test_what_asks_for_more_of_colours_has_them_counted(monkeypatch, asked):
    monkeypatch.setattr(counting, "PIXELS_PER_TASK", 1000)
    monkeypatch.setattr(picture_colors, "Apart", None)
    image = np.random.default_rng(3).integers(255, size=(20, 60, 4)).astype(np.uint8)
    with pytest.raises(AttributeError):
        quantize(image, 4, engine="numpy")
    quantize(image, engine="numpy", **asked)
