"""Transparency with 16 bits a channel: the same promises, for premultiplied colours that are rounded to 16 bits."""

import re
from fractions import Fraction

import numpy as np
import pytest
import reference
from conftest import locked
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage import color

import kmeans_fast as kf
from kmeans_fast import engines, quantize
from kmeans_fast.colors import counting
from kmeans_fast.draws import Draws
from kmeans_fast.imaging.mixture import Mixture
from kmeans_fast.imaging.spaces import STRAIGHT_16, TRANSLUCENT_16, premultiplied
from kmeans_fast.imaging.translucency import mixed_data
from kmeans_fast.lending import Machine
from kmeans_fast.machine.threads import workers

TOP = 65535
FEW = [0, 1, 2, 300, 32768, 65534, 65535]


@pytest.fixture(scope="module")
def soft_cat(cat):
    """A cut-out with a soft edge, of which no value is a byte twice: opaque, translucent and hidden pixels."""
    small = cat[::4, ::4].astype(np.uint16) * 251 + np.random.default_rng(0).integers(0, 900, (75, 113, 3))
    y, x = np.ogrid[:75, :113]
    alpha = np.clip((420 - 8 * np.hypot(y - 37, x - 56)) * 257, 0, TOP)
    return locked(np.dstack([small, alpha]).astype(np.uint16))


@pytest.fixture
def machine(engine):
    with workers(1) as lent:
        yield Machine(engines.load(engine), lent)


def pixels_of(picture):
    """Straight RGBA, flat, of a picture or palette that may have no alpha."""
    flat = picture.reshape(-1, picture.shape[-1])
    return flat if flat.shape[1] == 4 else np.column_stack([flat, np.full(len(flat), TOP, np.uint16)])


def exact_points(colors):
    """Premultiplied, rounded once, in whole numbers; as TOP is odd nothing is half way between two."""
    wide = colors.astype(np.int64)
    return np.column_stack([(2 * wide[:, :3] * wide[:, 3:] + TOP) // (2 * TOP), wide[:, 3]])


def assign(colors, entries, points_of=exact_points):
    """The nearest of all entries, the first of equals; for opaque colours of the opaque ones."""
    labels = reference.assign(points_of(colors), points_of(entries).astype(np.float64))
    opaque = np.flatnonzero(entries[:, 3] == TOP)
    is_opaque = colors[:, 3] == TOP
    if is_opaque.any():
        labels[is_opaque] = opaque[reference.assign(colors[is_opaque, :3], entries[opaque, :3].astype(np.float64))]
    return labels


def check(image, n_colors, result, points_of=exact_points):
    """Check what is promised; colours that premultiplying makes the same are one."""
    colors, entries, labels = pixels_of(image), pixels_of(result.palette), result.labels.reshape(-1)
    assert result.palette.dtype == result.to_array().dtype == np.uint16
    assert np.array_equal(labels, assign(colors, entries, points_of))
    assert np.array_equal(result.counts, np.bincount(labels, minlength=len(entries)))
    assert result.counts.all()
    points = points_of(colors)
    assert len(np.unique(points_of(entries), axis=0)) == result.n_colors
    assert result.n_colors == min(n_colors, len(np.unique(points, axis=0)))
    assert (entries[labels][colors[:, 3] == TOP, 3] == TOP).all()
    squares = ((points - points_of(entries)[labels]).astype(np.float64) ** 2).sum(axis=1)
    assert result.mse == pytest.approx(squares.mean() / 257**2, rel=1e-12)


# -------------------------------------------------------------------------------------------------------------- points


def test_points_are_products_rounded_once():
    random = np.random.default_rng(0).integers(0, TOP + 1, (3000, 4))
    ends = np.stack(np.meshgrid(FEW, FEW, indexing="ij"), axis=-1).reshape(-1, 2)
    colors = np.concatenate([random, ends[:, [0, 0, 0, 1]]]).astype(np.uint16)
    fractions = [(*(round(Fraction(int(c) * int(a), TOP)) for c in rgb), int(a)) for *rgb, a in colors]
    assert np.array_equal(exact_points(colors), fractions)
    assert np.array_equal(premultiplied(colors), exact_points(colors))
    assert np.array_equal(premultiplied(colors.astype(">u2")), exact_points(colors))


def test_restored_colors_have_the_points_they_were_made_of():
    points = np.random.default_rng(0).integers(0, TOP + 1, (100_000, 4))
    points[: 2 * TOP, 3] >>= np.arange(len(points))[: 2 * TOP] % 16
    points[:, :3] = np.minimum(points[:, :3], points[:, 3:])
    points[points[:, 3] == 0] = 0
    restored = TRANSLUCENT_16.restore(points.astype(np.float64))
    assert np.array_equal(premultiplied(restored), points)
    assert np.array_equal(restored[:, 3], points[:, 3])


# ------------------------------------------------------------------------------------------- the textbook's two kinds


@pytest.mark.parametrize("n_clusters", [2, 9, 40])
def test_each_step_is_the_textbooks(soft_cat, machine, n_clusters):
    image = np.maximum(soft_cat, 1)
    mixture = Mixture(kf.ColorHistogram.from_image(image), machine, TRANSLUCENT_16)
    data = mixed_data(mixture, n_clusters, machine, np.empty((0, 4)))
    colors, counts = mixture.colors.colors, mixture.colors.counts
    points, is_opaque, first = exact_points(colors), colors[:, 3] == TOP, n_clusters - data.n_opaque
    centroids = data.start("variance", n_clusters, Draws(0))
    algorithm = data.algorithm(n_clusters)
    before = np.inf
    for _ in range(8):
        sums = algorithm.assign_and_sum(centroids)
        labels = reference.assign(points, centroids)
        labels[is_opaque] = first + reference.assign(colors[is_opaque, :3], centroids[first:, :3])
        assert np.array_equal(data.labels(algorithm), labels)
        inertia = algorithm.measure(centroids).inertia
        assert inertia == pytest.approx(reference.inertia(points, centroids, labels, counts), rel=1e-12)
        assert inertia <= before
        before = inertia
        expected = reference.update(points, counts.astype(np.float64), centroids, labels)
        expected[first:, 3] = TOP
        centroids = sums[:, :-1] / sums[:, -1:]
        assert np.array_equal(centroids, expected)


@pytest.mark.parametrize("init", ["variance", "cubes", "k-means++", "random"])
def test_the_palette_is_the_textbooks(soft_cat, machine, init):
    mixture = Mixture(kf.ColorHistogram.from_image(soft_cat), machine, TRANSLUCENT_16)
    data = mixed_data(mixture, 15, machine, np.empty((0, 4)))
    is_seen = mixture.colors.colors[:, 3] > 0
    colors, counts = mixture.colors.colors[is_seen], mixture.colors.counts[is_seen]
    points, is_opaque, first = exact_points(colors), colors[:, 3] == TOP, 15 - data.n_opaque
    centroids = data.start(init, 15, Draws(0))
    for _ in range(5):
        labels = reference.assign(points, centroids)
        labels[is_opaque] = first + reference.assign(colors[is_opaque, :3], centroids[first:, :3])
        centroids = reference.update(points, counts.astype(np.float64), centroids, labels)
        centroids[first:, 3] = TOP
    options = {"max_iter": 5, "tol": 0, "relaxation": 1, "momentum": 0, "engine": machine.engine.name}
    result = quantize(soft_cat, 16, init=init, **options)
    assert result.palette.tolist() == [[0, 0, 0, 0], *TRANSLUCENT_16.restore(centroids).tolist()]


# ------------------------------------------------------------------------------------------------------------ promises


@pytest.mark.parametrize("n_colors", [2, 16, 60])
def test_every_pixel_has_the_nearest_entry_that_it_may_have(soft_cat, engine, n_colors):
    image = soft_cat if engine == "numba" else soft_cat[::2, ::2]
    results = [quantize(image, n_colors, engine=engine, n_threads=n_threads) for n_threads in (1, 3)]
    assert len({(each.palette.tobytes(), each.labels.tobytes(), each.mse) for each in results}) == 1
    check(image, n_colors, results[0])
    better = quantize(image, n_colors, engine=engine, effort=2)
    check(image, n_colors, better)
    assert better.mse <= results[0].mse


@settings(max_examples=50, deadline=None)
@given(image=arrays(np.uint16, (4, 5, 4), elements=st.sampled_from(FEW)), n_colors=st.integers(2, 12))
@example(image=np.array([[[300, 0, 0, 2], [2, 0, 0, 2], [1, 0, 0, 2], [9, 9, 9, TOP]]], np.uint16), n_colors=3)
def test_what_is_promised_of_any_picture(image, n_colors):
    result = quantize(image, n_colors, engine="numpy")
    check(image, n_colors, result)
    again = quantize(result.to_array(), n_colors, engine="numpy")
    assert np.array_equal(again.to_array(), result.to_array())
    colors = pixels_of(image)
    if len(np.unique(np.where(colors[:, 3:] > 0, colors, 0), axis=0)) == result.n_colors:
        assert np.array_equal(pixels_of(result.to_array()), np.where(colors[:, 3:] > 0, colors, 0))


@settings(max_examples=50, deadline=None)
@given(
    image=arrays(np.uint16, (4, 5, 4), elements=st.sampled_from(FEW)),
    fixed=arrays(np.uint16, (2, 4), elements=st.sampled_from(FEW)),
    n_colors=st.integers(4, 14),
)
def test_what_is_fixed_stays(image, fixed, n_colors):
    fixed = np.where(fixed[:, 3:] > 0, fixed, np.uint16(0))
    _, places = np.unique(exact_points(fixed), axis=0, return_index=True)
    fixed = fixed[places]
    result = quantize(image, n_colors, fixed=fixed, engine="numpy")
    entries = pixels_of(result.palette)
    assert np.array_equal(entries[: len(fixed)], fixed)
    assert len(np.unique(exact_points(entries), axis=0)) == result.n_colors <= n_colors
    assert np.array_equal(result.labels.reshape(-1), assign(pixels_of(image), entries))
    assert result.counts[len(fixed) :].all()
    again = quantize(result.to_array(), n_colors, fixed=fixed, engine="numpy")
    assert np.array_equal(pixels_of(again.to_array()), pixels_of(result.to_array()))


@settings(max_examples=60, deadline=None)
@given(image=arrays(np.uint16, (4, 5, 4), elements=st.sampled_from(FEW)), n_colors=st.integers(3, 24))
def test_hidden_colors_are_kept(image, n_colors):
    result = quantize(image, n_colors, keep_hidden_color=True, engine="numpy")
    shown, colors = pixels_of(result.to_array()), pixels_of(image)
    for alpha in (0, TOP):
        assert (shown[colors[:, 3] == alpha, 3] == alpha).all()
    assert result.counts.all()
    assert result.n_colors == min(n_colors, len(np.unique(colors, axis=0)))
    squares = ((shown.astype(np.float64) - colors) ** 2).sum(axis=1)
    if (colors[:, 3] < TOP).any():
        assert result.mse == pytest.approx(squares.mean() / 257**2)
    if len(np.unique(colors, axis=0)) <= n_colors:
        assert np.array_equal(shown, colors)


def test_each_step_with_hidden_colors_is_the_textbooks(soft_cat, machine):
    mixture = Mixture(kf.ColorHistogram.from_image(soft_cat), machine, STRAIGHT_16)
    data = mixed_data(mixture, 12, machine, np.empty((0, 4)))
    colors, counts = mixture.colors.colors, mixture.colors.counts
    is_hidden, is_opaque, first = colors[:, 3] == 0, colors[:, 3] == TOP, 12 - data.n_opaque
    centroids = data.start("variance", 12, Draws(0))
    algorithm = data.algorithm(12)
    for _ in range(6):
        sums = algorithm.assign_and_sum(centroids)
        labels = reference.assign(colors, centroids)
        labels[is_hidden] = reference.assign(colors[is_hidden], centroids[: data.n_hidden])
        labels[is_opaque] = first + reference.assign(colors[is_opaque], centroids[first:])
        assert np.array_equal(data.labels(algorithm), labels)
        expected = reference.update(colors, counts.astype(np.float64), centroids, labels)
        expected[: data.n_hidden, 3], expected[first:, 3] = 0, TOP
        centroids = sums[:, :-1] / sums[:, -1:]
        assert np.array_equal(centroids, expected)


# --------------------------------------------------------------------------------------- pictures in all their forms


def test_what_repeats_8_bits_is_counted_as_these(soft_cat, engine, monkeypatch):
    """And its error is nearly that of the 8-bit picture, which premultiplying doesn't round."""
    monkeypatch.setattr(counting, "PIXELS_PER_TASK", 1000)
    image = (soft_cat >> 8).astype(np.uint8)
    wide = image.astype(np.uint16) * 257
    result, of_8_bits = quantize(wide, 12, engine=engine), quantize(image, 12, engine=engine)
    with monkeypatch.context() as patch:
        patch.setattr(counting, "doubled", None)
        with pytest.raises(TypeError):
            quantize(wide, 12, engine=engine)
        patch.setattr(counting, "FACTOR", 65535)
        other = quantize(wide, 12, engine=engine)
    assert np.array_equal(result.palette, other.palette)
    assert np.array_equal(result.labels, other.labels)
    check(wide, 12, result)
    assert result.mse == pytest.approx(of_8_bits.mse, rel=1e-3)


@pytest.mark.parametrize("is_sorted", [False, True])
def test_many_pixels(soft_cat, engine, monkeypatch, is_sorted):
    """Counted by hashing, or sorted as nearly all differ: the same."""
    expected = quantize(soft_cat, 20, engine=engine)
    monkeypatch.setattr(counting, "PIXELS_PER_TASK", 1000)
    monkeypatch.setattr(counting, "MOSTLY", 0.0 if is_sorted else 1.1)
    result = quantize(soft_cat, 20, engine=engine)
    assert np.array_equal(result.palette, expected.palette)
    assert np.array_equal(result.labels, expected.labels)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_floats(soft_cat, kind):
    for floats in ((soft_cat / TOP).astype(kind), ((soft_cat / TOP) ** 0.7).astype(kind)):
        result = quantize(floats, 9, max_iter=3)
        expected = quantize(np.rint(floats * kind(TOP)).astype(np.uint16), 9, max_iter=3)
        assert np.array_equal(result.palette, expected.palette)
        assert np.array_equal(result.labels, expected.labels)


def test_masks_frames_and_palettes(soft_cat):
    mask = np.zeros(soft_cat.shape[:2], bool)
    mask[20:60, 30:90] = True
    result = quantize(soft_cat, 7, mask=mask)
    cut = quantize(soft_cat[20:60, 30:90], 7)
    assert np.array_equal(result.palette, cut.palette)
    assert np.array_equal(result.labels[20:60, 30:90], cut.labels)
    assert np.array_equal(kf.palette(soft_cat, 7).palette, quantize(soft_cat, 7).palette)
    assert np.array_equal(kf.palette(kf.ColorHistogram.from_image(soft_cat), 7).palette, quantize(soft_cat, 7).palette)
    whole = quantize(soft_cat, 7).palette
    frames = quantize([soft_cat[:25], soft_cat[25:50], soft_cat[50:]], 7)
    assert np.array_equal(frames.palette, whole)
    assert np.array_equal(quantize(soft_cat.astype(">u2"), 7).palette, whole)
    assert np.array_equal(quantize(np.moveaxis(soft_cat, 2, 0), 7, channel_axis=0).palette, whole)


def test_a_palette_that_is_given(soft_cat, engine):
    entries = np.array([[40000, 30000, 20000, TOP], [9, 9, 9, 0], [1000, 900, 800, 30000], [0, 0, 0, TOP]], np.uint16)
    result = kf.apply_palette(soft_cat, entries, engine=engine)
    points = premultiplied(entries).astype(np.float64)
    assert np.array_equal(result.labels.reshape(-1), reference.assign(premultiplied(pixels_of(soft_cat)), points))
    assert np.array_equal(result.palette, entries)
    named = kf.apply_palette(soft_cat, ["#ff800080", "black"])
    assert named.palette.tolist() == [[TOP, 128 * 257, 0, 128 * 257], [0, 0, 0, TOP]]


@pytest.mark.parametrize("options", [{"quality": 30}, {"max_error": 20}, {"min_region": 4, "n_colors": 9}])
def test_searches_and_regions(soft_cat, options):
    result = quantize(soft_cat, **options)
    assert result.quality_met
    points = [premultiplied(picture).astype(np.float64) for picture in (soft_cat, result.to_array())]
    assert result.mse == pytest.approx(((points[0] - points[1]) ** 2).sum(axis=2).mean() / 257**2)


def test_orders_put_what_is_not_opaque_first(soft_cat):
    entries = quantize(soft_cat, 12, sort="luma").palette
    n_faint = (entries[:, 3] < TOP).sum()
    assert 1 < n_faint < 12
    assert (entries[n_faint:, 3] == TOP).all()
    luma = entries[:, :3].astype(np.int64) @ (2126, 7152, 722)
    assert (np.diff(luma[:n_faint]) >= 0).all()
    assert (np.diff(luma[n_faint:]) >= 0).all()


def test_colors_left_out_or_merged(soft_cat):
    found = kf.palette(soft_cat, 6, ignore="transparent")
    seen = soft_cat[soft_cat[..., 3] > 0][np.newaxis, :, :3]
    assert np.array_equal(found.palette, quantize(seen, 6).palette)
    merged = kf.palette(soft_cat, 12, merge=0.3)
    assert merged.n_colors < 12
    assert (merged.palette[:, 3] < TOP).sum() == (kf.palette(soft_cat, 12).palette[:, 3] < TOP).sum()


def test_saving_says_the_way_out(soft_cat, tmp_path):
    result = quantize(soft_cat, 12)
    with pytest.raises(ValueError, match=re.escape("a PNG's palette has 8 bits a channel, got uint16; to_8_bit()")):
        result.save(tmp_path / "a.png")
    result.to_8_bit().save(tmp_path / "a.png")
    assert np.array_equal(kf.read_image(tmp_path / "a.png"), np.rint(result.to_array() / 257).astype(np.uint8))


def test_comparing(soft_cat):
    result = quantize(soft_cat, 12)
    measured = kf.compare(soft_cat, result)
    assert measured.mse == pytest.approx(result.mse)
    assert measured.psnr == pytest.approx(result.psnr)
    straight, other = soft_cat / TOP, result.to_array() / TOP
    seen = []
    for background in (0, 1):
        shown = [p[..., :3] * p[..., 3:] + background * (1 - p[..., 3:]) for p in (straight, other)]
        seen.append(color.deltaE_ciede2000(*map(color.rgb2lab, shown)))
    assert measured.delta_e_mean == pytest.approx(np.maximum(*seen).mean(), abs=2e-3)
    assert 0 < measured.ssim < 1
    assert kf.compare(soft_cat, soft_cat).mse == 0


def test_chunks_are_the_same(soft_cat):
    pytest.importorskip("dask")
    import dask.array as da

    import kmeans_fast.dask  # noqa: F401 - as kf.dask

    for image in (soft_cat, (soft_cat >> 8) * np.uint16(257)):
        result = kf.dask.quantize(da.from_array(image, chunks=(40, 151, 4)), 12)
        expected = quantize(image, 12)
        assert np.array_equal(result.palette, expected.palette)
        assert np.array_equal(result.labels.compute(), expected.labels)


# -------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_colors": 1}, "n_colors must be at least 2 for a picture that is transparent in one place only, got 1"),
        ({"init": [[1, 2, 3, 4]]}, "init must be the name of a method for a picture with transparency"),
        ({"fixed": np.array([[1, 0, 0, 9], [2, 0, 0, 9]], np.uint16)}, "fixed must be of colours that differ in the"),
        ({"space": "oklab"}, "space='oklab' needs a picture without transparency"),
        ({"dither": "bayer"}, "dither"),
    ],
    ids=str,
)
def test_what_is_refused(soft_cat, options, message):
    with pytest.raises(ValueError, match=message):
        quantize(soft_cat, **options)
