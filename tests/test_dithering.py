"""Dithering: the same bytes on every engine and number of threads, the right mean, and nothing where nothing is due."""

import hashlib

import numpy as np
import pytest
from conftest import needs_numba
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import kmeans_fast as kf
from kmeans_fast import engines
from kmeans_fast.colors.nearest import find_nearest
from kmeans_fast.engines import numpy_entries
from kmeans_fast.engines.numpy_packed import nearest_entries
from kmeans_fast.engines.packing import pack
from kmeans_fast.imaging import dithering
from kmeans_fast.imaging.dithering import DIFFUSED, METHODS
from kmeans_fast.imaging.masks import bayer, blue_noise

DITHERED = METHODS[1:]
BLACK_AND_WHITE = ["#000000", "#ffffff"]


def ramp(height, width):
    """A grey gradient from left to right, of RGB."""
    row = np.rint(np.linspace(0, 255, width)).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(row[np.newaxis, :, np.newaxis], (height, width, 3)))


def checksum(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


# What the sample's middle must stay at 8 colours and strength 0.75; 0.75 so that the weights aren't those of 1.
GOLDEN = {
    "floyd-steinberg": "fcdd11892b99166b",
    "atkinson": "7d0de8d2393c06c9",
    "bayer": "c115017cd6f6f677",
    "blue-noise": "b22a9fc81795daef",
}


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("dither", DITHERED)
def test_the_same_bytes_everywhere(small_cat, engine, n_threads, dither):
    result = kf.quantize(small_cat, 8, dither=dither, strength=0.75, engine=engine, n_threads=n_threads)
    assert checksum(result.labels) == GOLDEN[dither]


@needs_numba
@pytest.mark.parametrize("kind", ["grey", "colour", "translucent"])
@pytest.mark.parametrize("n_colors", [2, 40, 300])
@pytest.mark.parametrize("dither", DITHERED)
def test_both_engines_agree_on_every_kind_of_picture(small_cat, kind, n_colors, dither, monkeypatch):
    monkeypatch.setattr(dithering, "BAND_ROWS", 48)
    alpha = np.add.outer(np.arange(61) * 8, -np.arange(97)).clip(0, 255).astype(np.uint8)
    image = {"grey": small_cat[..., 0], "colour": small_cat, "translucent": np.dstack([small_cat, alpha])}[kind]
    # three bands, the last one shorter, two of which are done at once; narrow, as NumPy takes long for each pixel, and
    # longest with many colours
    tall = np.concatenate([image[:, :: 16 if n_colors == 300 else 4]] * 2)
    a, b = (
        kf.quantize(tall, n_colors, init="k-means++", max_iter=1, dither=dither, engine=name, n_threads=2)
        for name in ("numba", "numpy")
    )
    np.testing.assert_array_equal(a.labels, b.labels)
    np.testing.assert_array_equal(a.counts, b.counts)
    assert a.mse == b.mse


@needs_numba
def test_an_engine_can_go_on_where_the_other_began(small_cat):
    """Errors are passed in arrays, so that compiled code takes over when it is there."""
    small_cat = small_cat[:, :31]
    palette = kf.quantize(small_cat, 8).palette
    weights, shares = np.array([[0] * 6, [28, 0, 12, 20, 4, 0]]), (small_cat[..., 0] < 120).astype(np.uint8)
    nearest, keeps = find_nearest(palette, np.arange(8), numpy_entries), np.zeros(0, np.uint8)
    results = []
    for names in (("numpy", "numpy"), ("numpy", "numba"), ("numba", "numpy")):
        errors, labels = np.zeros((2, 2, 31 + 2), np.int64), np.zeros((2, 61, 31), np.uint8)
        for name, first, last in zip(names, (0, 17), (17, 61), strict=True):
            pixels, others = small_cat[first:last].copy(), small_cat[first : last - 20, ::-1].copy()
            rows, other_rows = labels[0, first:last], labels[1, first : last - 20]
            diffuse = engines.load(name).diffusion.diffuse
            how = pack(palette), keeps, nearest, weights
            diffuse(
                pixels, others, shares[first:last], shares[first : last - 20], *how, first, errors, rows, other_rows
            )
        results.append(labels)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@settings(max_examples=30)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 80), st.just(3)), elements=st.integers(0, 255)),
    arrays(np.uint8, st.tuples(st.integers(1, 50), st.just(3)), elements=st.integers(0, 255)),
)
def test_the_nearest_entry_is_found_exactly(palette, colors):
    """Ties, and entries that are there twice, go to the lowest index."""
    nearest = find_nearest(palette, np.arange(len(palette)), numpy_entries)
    squares = ((colors[:, np.newaxis].astype(int) - palette) ** 2).sum(axis=2)
    np.testing.assert_array_equal(nearest_entries(pack(colors), nearest), squares.argmin(axis=1))


def test_every_cube_of_a_large_palette_has_its_candidates():
    rng = np.random.default_rng(0)
    palette = rng.integers(100, 140, (200, 3)).astype(np.uint8)  # crowded, so that cubes have many
    colors = rng.integers(0, 256, (20_000, 3)).astype(np.uint8)
    nearest = find_nearest(palette, np.arange(200), numpy_entries)
    assert len(nearest.more) > 100
    squares = ((colors[:, np.newaxis].astype(np.int32) - palette) ** 2).sum(axis=2)
    np.testing.assert_array_equal(nearest_entries(pack(colors), nearest), squares.argmin(axis=1))


# --------------------------------------------------------------------------------------------------------- what it does


def test_middle_grey_is_a_checkerboard():
    grey = np.full((8, 8, 3), 127, np.uint8)
    labels = kf.apply_palette(grey, BLACK_AND_WHITE, dither="bayer").labels
    board = np.indices((8, 8)).sum(axis=0) % 2
    assert np.array_equal(labels, board) or np.array_equal(labels, 1 - board)


@pytest.mark.parametrize("dither", ["floyd-steinberg", "bayer", "blue-noise"])
def test_areas_keep_their_mean(dither):
    image = ramp(64, 512)
    result = kf.apply_palette(image, BLACK_AND_WHITE, dither=dither).to_array().astype(float)
    tiles = image.reshape(64, 8, 64, 3).mean(axis=(0, 2)), result.reshape(64, 8, 64, 3).mean(axis=(0, 2))
    np.testing.assert_allclose(*tiles, atol=4)


@pytest.mark.parametrize("dither", DIFFUSED)
def test_edges_pass_no_errors_on(dither):
    stripes = np.full((16, 40, 3), 100, np.uint8)
    stripes[:, ::2] = 160
    plain = kf.apply_palette(stripes, ["#6e6e6e", "#b4b4b4"])
    dithered = kf.apply_palette(stripes, plain, dither=dither)
    inside = np.s_[:, :30]  # the last column has no edge
    np.testing.assert_array_equal(dithered.labels[inside], plain.labels[inside])


@pytest.mark.parametrize("dither", DIFFUSED)
def test_photos_get_little_grain(cat, dither):
    assert kf.quantize(cat, 16, dither=dither).mse < 1.4 * kf.quantize(cat, 16).mse


def test_atkinson_leaves_shadows_and_lights_alone():
    image = ramp(64, 512)
    result = kf.apply_palette(image, BLACK_AND_WHITE, dither="atkinson").labels
    assert not result[:, :60].any()
    assert result[:, -60:].all()


@pytest.mark.parametrize("dither", DITHERED)
def test_colours_of_the_palette_stay_as_they_are(small_cat, dither):
    once = kf.quantize(small_cat, 16, dither=dither)
    again = kf.quantize(once.to_array(), 16, dither=dither)
    np.testing.assert_array_equal(again.to_array(), once.to_array())
    assert again.mse == 0


@pytest.mark.parametrize("dither", DITHERED)
def test_no_strength_is_no_dithering(small_cat, dither):
    plain = kf.quantize(small_cat, 8)
    dithered = kf.quantize(small_cat, 8, dither=dither, strength=0)
    np.testing.assert_array_equal(dithered.labels, plain.labels)
    assert dithered.mse == plain.mse


@pytest.mark.parametrize("dither", DITHERED)
def test_more_strength_spreads_more(small_cat, dither):
    errors = [kf.quantize(small_cat, 8, dither=dither, strength=strength).mse for strength in (0, 0.5, 1)]
    assert errors == sorted(errors)


@pytest.mark.parametrize("dither", DITHERED)
def test_figures_are_of_the_picture_as_it_is(small_cat, dither):
    result = kf.quantize(small_cat, 8, dither=dither)
    differences = small_cat.astype(float) - result.to_array()
    assert result.mse == pytest.approx((differences**2).sum() / differences[..., 0].size)
    np.testing.assert_array_equal(result.counts, np.bincount(result.labels.ravel(), minlength=8))


@pytest.mark.parametrize("dither", DITHERED)
def test_transparency_is_as_without(small_cat, dither):
    alpha = np.full((61, 97), 255, np.uint8)
    alpha[:20], alpha[20:25] = 0, 100
    image = np.dstack([small_cat, alpha])
    palette = np.array([[0, 0, 0, 0], [90, 60, 30, 100], [40, 20, 10, 255], [120, 90, 60, 255], [200, 170, 150, 255]])
    plain, dithered = kf.apply_palette(image, palette), kf.apply_palette(image, palette, dither=dither)
    np.testing.assert_array_equal(dithered.to_array()[..., 3], plain.to_array()[..., 3])
    is_translucent = plain.to_array()[..., 3] < 255
    np.testing.assert_array_equal(dithered.labels[is_translucent], plain.labels[is_translucent])
    assert is_translucent[:25].all()
    assert (dithered.labels != plain.labels)[~is_translucent].mean() > 0.05


@pytest.mark.parametrize("dither", DITHERED)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 3)])
def test_tiny_pictures(engine, dither, shape):
    image = np.arange(np.prod(shape) * 3).reshape(*shape, 3).astype(np.uint8) * 5
    assert kf.quantize(image, 2, dither=dither, engine=engine).labels.shape == shape


@pytest.mark.parametrize("dither", DITHERED)
def test_views_are_read_as_they_are(small_cat, engine, dither):
    expected = kf.apply_palette(small_cat[::3, ::-2].copy(), BLACK_AND_WHITE, dither=dither, engine=engine)
    actual = kf.apply_palette(small_cat[::3, ::-2], BLACK_AND_WHITE, dither=dither, engine=engine)
    np.testing.assert_array_equal(actual.labels, expected.labels)


# ---------------------------------------------------------------------------------------------------------------- masks


def test_bayers_matrix_has_each_rank_once():
    assert bayer(2).tolist() == [[0, 2], [3, 1]]
    assert sorted(bayer(8).ravel()) == list(range(64))


def test_blue_noise_has_each_rank_once_and_is_blue():
    mask = blue_noise()
    assert sorted(mask.ravel()) == list(range(64 * 64))
    assert checksum(mask.astype("<i8")) == "6c2ac6a164ff4b1c"
    power = np.abs(np.fft.fft2(mask / 4096 - 0.5)) ** 2
    frequency = np.hypot(np.fft.fftfreq(64)[:, np.newaxis], np.fft.fftfreq(64))
    assert power[frequency < 0.2].mean() < power[frequency > 0.35].mean() / 100


# -------------------------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dither": "riemersma"}, "dither must be one of 'none', 'floyd-steinberg', .*, got 'riemersma'"),
        ({"dither": True}, "dither must be one of"),
        ({"dither": "bayer", "strength": 1.5}, "strength must be from 0 to 1, got 1.5"),
        ({"dither": "bayer", "strength": -1}, "strength must be at least 0, got -1"),
        ({"strength": 0.5}, "strength must be left out without dither, got 0.5"),
        ({"dither": "bayer", "n_colors": 2**20 + 1}, "dither must be 'none' for more than 1048576 colours"),
    ],
    ids=str,
)
def test_options_that_cannot_be(small_cat, options, message):
    with pytest.raises(ValueError, match=message):
        kf.quantize(small_cat, **options)


def test_pictures_of_16_bits_are_refused(small_cat):
    with pytest.raises(ValueError, match="dither needs a picture of 8 bits a channel, got 16"):
        kf.quantize(small_cat.astype(np.uint16) * 257, 4, dither="bayer")


@pytest.mark.parametrize("dither", DITHERED)
def test_a_palette_of_another_space_is_dithered_with(small_cat, dither):
    result = kf.quantize(small_cat, 8, space="oklab", dither=dither)
    np.testing.assert_array_equal(result.palette, kf.quantize(small_cat, 8, space="oklab").palette)
    differences = small_cat.astype(float) - result.to_array()
    assert result.mse == pytest.approx((differences**2).sum() / differences[..., 0].size)


@pytest.mark.parametrize("dither", DIFFUSED)
def test_compress_dithers(tmp_path, dither):
    plain = kf.compress(kf.sample_path(), tmp_path / "plain.png", 8)
    report = kf.compress(kf.sample_path(), tmp_path / "cat.png", 8, dither=dither, strength=0.5)
    assert report.mse > plain.mse
    expected = kf.quantize(kf.read_image(kf.sample_path()), 8, sort="luma", dither=dither, strength=0.5)
    np.testing.assert_array_equal(kf.read_image(tmp_path / "cat.png"), expected.to_array())
