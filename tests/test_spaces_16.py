"""Spaces for colours of 16 bits a channel: points that exact arithmetic rounds to, and the promises of `quantize`."""

import itertools
import math
import re
from fractions import Fraction

import numpy as np
import pytest
from coloraide import Color
from conftest import locked
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from test_spaces import OTHERS, UNIFORM, WEIGHTS, check, exact_point, rounded

import kmeans_fast as kf
from kmeans_fast import engines
from kmeans_fast.imaging import transfer, uniform
from kmeans_fast.imaging.spaces import LINEAR_16, NAMED

TOP = 65_535
FEW = [0, 1, 2, 3, 9, 2650, 65534, TOP]
CURVED = 2651  # the first value that isn't on the straight foot of the curve


def some_colors():
    """A grid with the ends of all channels, neighbours near black, and others, dark ones too."""
    grid = list(itertools.product([0, 1, 2, 40, 2650, 2651, 30_000, TOP - 1, TOP], repeat=3))
    random = np.random.default_rng(0).integers(0, TOP + 1, (3000, 3))
    return np.concatenate([grid, random, random[:1000] >> 6, random[:1000] >> np.array([9, 2, 13])]).astype(np.uint16)


@pytest.fixture(scope="module")
def wide_cat(cat):
    """No value of which is a byte twice."""
    small = cat[::5, ::5].astype(np.uint16) * 251
    return locked(small + np.random.default_rng(0).integers(0, 900, small.shape).astype(np.uint16))


# --------------------------------------------------------------------------------------------------------- conversions


def test_the_table_of_light_is_rounded_once():
    """All 65,536, in whole numbers: the twelfth power of (v + 0.055) / 1.055 lies between fifth powers of middles."""
    light = transfer.light(TOP)
    assert (CURVED - 1) / TOP < 0.04045 < CURVED / TOP
    assert light[:CURVED].tolist() == [float(Fraction(100 * value, 1292 * TOP)) for value in range(CURVED)]
    denominator = (211 * TOP) ** 12
    for value in range(CURVED, TOP + 1):
        fraction, exponent = math.frexp(light[value])
        whole, exact = int(fraction * 2**53), (200 * value + 11 * TOP) ** 12 << 5 * (54 - exponent)
        assert (2 * whole - 1) ** 5 * denominator < exact < (2 * whole + 1) ** 5 * denominator
    assert light[::257].tolist() == transfer.light().tolist()


def test_linear_points_are_rounded_light():
    points = LINEAR_16.embed(np.arange(TOP + 1, dtype=np.uint16)).tolist()
    assert points[:CURVED] == [round(Fraction(100 * value, 1292)) for value in range(CURVED)]
    denominator = (211 * TOP) ** 12
    for value in range(CURVED, TOP + 1):
        exact = (2 * TOP) ** 5 * (200 * value + 11 * TOP) ** 12
        assert (2 * points[value] - 1) ** 5 * denominator < exact < (2 * points[value] + 1) ** 5 * denominator


def test_restored_light_has_its_step():
    """It is in the middle of all values that have it, or has the step that is nearest of all."""
    steps = LINEAR_16.embed(np.arange(TOP + 1, dtype=np.uint16)).astype(np.int64)
    restored = LINEAR_16.restore(np.arange(TOP + 1.0))
    wanted = np.arange(TOP + 1)
    assert (np.diff(steps) >= 0).all()
    above = np.searchsorted(steps, wanted)  # the first that isn't below
    nearest = np.minimum(np.abs(steps[above] - wanted), np.abs(steps[np.maximum(above - 1, 0)] - wanted))
    assert np.array_equal(np.abs(steps[restored] - wanted), nearest)
    assert restored[0] == 3  # of 0 to 6
    assert LINEAR_16.restore(np.array([0.0, TOP])).dtype == np.uint16


@pytest.mark.parametrize("name", UNIFORM)
def test_points_are_the_definition_rounded(name):
    colors = some_colors()[::11]
    points = UNIFORM[name][0](1.0, TOP).embed(colors)
    assert points.tolist() == [rounded(exact_point(name, color, TOP)) for color in colors]


@pytest.mark.parametrize("name", [*OTHERS, "srgb"])
def test_values_of_8_bits_have_the_points_that_they_have_there(name):
    colors = np.random.default_rng(0).integers(0, 256, (5000, 3)).astype(np.uint8)
    points, others = NAMED[name](1.0).embed(colors), NAMED[name](1.0, TOP).embed(colors * np.uint16(257))
    assert np.array_equal(points * np.uint16(257 if name == "srgb" else 1), others)


@pytest.mark.parametrize(("name", "lightness"), [each for each in WEIGHTS if each[0] in UNIFORM])
def test_each_engine_finds_the_same_points(name, lightness, engine):
    kernels = engines.load(engine).uniform
    for colors, top in ((some_colors(), TOP), (np.array(list(np.ndindex(52, 52, 52)), np.uint8) * np.uint8(5), 255)):
        space = NAMED[name](lightness, top)
        assert np.array_equal(space.embed_many(colors, kernels), space.embed(colors))


@pytest.mark.parametrize(("name", "theirs", "scale"), [("oklab", "oklab", 65_280), ("lab", "lab-d65", 255)])
def test_points_agree_with_another_library(name, theirs, scale):
    colors = some_colors()[::7]
    points = NAMED[name](1.0, TOP).embed(colors).astype(float) - [0, uniform.ORIGIN, uniform.ORIGIN]
    others = [Color("srgb", color / TOP).convert(theirs).coords() for color in colors.astype(float)]
    np.testing.assert_allclose(points / scale, others, rtol=0, atol=1 / scale)


@pytest.mark.parametrize(("name", "lightness"), WEIGHTS)
def test_no_neighbour_of_a_restored_color_is_nearer(name, lightness):
    space = NAMED[name](lightness, TOP)
    points = space.embed(some_colors()).astype(float)
    centroids = np.concatenate([(points[:-3] + points[3:])[::17] / 2, [[0, 0, 0], [65535] * 3]])
    restored = space.restore(centroids)
    nearest = ((space.embed(restored) - centroids) ** 2).sum(axis=1)
    for step in itertools.product([-1, 0, 1], repeat=3):
        neighbours = np.clip(restored.astype(int) + step, 0, TOP).astype(np.uint16)
        assert (((space.embed(neighbours) - centroids) ** 2).sum(axis=1) >= nearest).all()


@pytest.mark.parametrize("name", UNIFORM)
def test_restored_colors_are_next_to_their_points(name):
    """Closer than two steps, where 8 bits may be hundreds away."""
    space, colors = NAMED[name](1.0, TOP), some_colors()
    points = space.embed(colors).astype(float)
    assert (np.abs(space.embed(space.restore(points)) - points) <= 1).all()


@pytest.mark.parametrize("name", UNIFORM)
def test_what_no_color_has_becomes_nearly_what_8_bits_make_of_it(name):
    """A search from neighbour to neighbour; far outside it may end a hundredth farther than that of 8 bits."""
    points = NAMED[name](1.0).embed((some_colors() >> 8).astype(np.uint8)).astype(float)
    corners = points[:729].reshape(9, 9, 9, 3)[::8, ::8, ::8].reshape(-1, 3)
    means = np.array([(a + b) / 2 for a, b in itertools.combinations(corners, 2)])
    squares = []
    for top in (255, TOP):
        space = NAMED[name](1.0, top)
        squares.append(((space.embed(space.restore(means)) - means) ** 2).sum(axis=1))
    assert (squares[1] <= 1.01 * squares[0] + 1).all()


# ------------------------------------------------------------------------------------------------------------ quantize


@pytest.mark.parametrize(("name", "lightness"), WEIGHTS)
def test_every_pixel_has_the_nearest_entry(wide_cat, engine, name, lightness):
    result = check(wide_cat, 12, name, lightness, engine=engine, n_threads=3)
    other = kf.quantize(wide_cat, 12, space=name, lightness=lightness, engine=engine, n_threads=1)
    assert np.array_equal(other.palette, result.palette)
    assert np.array_equal(other.labels, result.labels)
    assert other.mse == result.mse


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("options", [{"n_colors": 1}, {"n_colors": 300}, {"n_colors": 20, "effort": 2}], ids=str)
def test_any_number_of_colors(wide_cat, name, options):
    check(wide_cat, name=name, **options)


@pytest.mark.parametrize("name", OTHERS)
@settings(max_examples=25, deadline=None)
@given(
    image=arrays(np.uint16, (4, 6, 3), elements=st.sampled_from(FEW)),
    n=st.integers(1, 30),
)
def test_any_picture(name, image, n):
    """Values that are next to each other and may have one point."""
    check(image, n, name, engine="numpy")


@pytest.mark.parametrize("name", OTHERS)
def test_few_colors_are_kept(name):
    image = np.array([[[900, 909, 999], [3000, 2, 1], [TOP, 0, 0]]], np.uint16)
    result = kf.quantize(image, 8, space=name)
    np.testing.assert_array_equal(result.to_array(), image)
    assert (result.n_iter, result.mse) == (0, 0)


@pytest.mark.parametrize("name", OTHERS)
def test_what_repeats_8_bits_is_nearly_the_same(small_cat, name):
    """Its palette has more bits than the other's, and less error in the space."""
    wide = small_cat.astype(np.uint16) * 257
    result, of_8_bits = (kf.quantize(image, 12, space=name) for image in (wide, small_cat))
    assert result.mse == pytest.approx(of_8_bits.mse, rel=5e-3)
    space = NAMED[name](1.0, TOP)
    errors = [
        ((space.embed(wide.reshape(-1, 3)).astype(float) - space.embed(shown.reshape(-1, 3))) ** 2).sum()
        for shown in (result.to_array(), of_8_bits.to_array() * np.uint16(257))
    ]
    assert errors[0] < errors[1]


@pytest.mark.parametrize("name", OTHERS)
def test_palettes_given_or_held(wide_cat, name):
    entries = np.array([[9, 9, 9], [60_000, 50_000, 40_000], [1000, 30_000, 200]], np.uint16)
    space = NAMED[name](1.0, TOP)
    points, given = space.embed(wide_cat.reshape(-1, 3)).astype(np.int64), space.embed(entries).astype(np.int64)
    mapped = kf.apply_palette(wide_cat, entries, space=name)
    nearest = ((points[:, np.newaxis] - given) ** 2).sum(axis=2).argmin(axis=1)
    assert np.array_equal(mapped.labels.reshape(-1), nearest)
    assert np.array_equal(mapped.palette, entries)
    held = kf.quantize(wide_cat, 9, space=name, fixed=entries)
    assert np.array_equal(held.palette[:3], entries)
    assert held.n_colors == 9


def test_given_first_colors(wide_cat):
    init = np.array([[0, 0, 0], [TOP, TOP, TOP], [50_001, 25_000, 12_345]])
    seen = []
    kf.quantize(wide_cat, space="oklab", init=init, callback=lambda _, old, *__: seen.append(old))
    lightness = [0, 1, Color("srgb", init[2] / TOP).convert("oklab")["lightness"]]
    np.testing.assert_allclose(seen[0][:, 0] / 255, lightness, atol=1e-4)


@pytest.mark.parametrize("options", [{"quality": 30}, {"max_error": 20}, {"n_colors": 9, "min_region": 4}], ids=str)
def test_searches_and_regions(wide_cat, options):
    result = kf.quantize(wide_cat, space="oklab", **options)
    assert result.quality_met
    error = ((result.to_array().astype(float) - wide_cat) ** 2).sum(axis=2).mean() / 257**2
    assert result.mse == pytest.approx(error)


def test_floats_colors_left_out_and_alpha_that_says_nothing(wide_cat):
    expected = kf.quantize(wide_cat, 6, space="lab")
    assert np.array_equal(kf.quantize(wide_cat / TOP, 6, space="lab").palette, expected.palette)
    assert np.array_equal(kf.palette(wide_cat, 6, space="lab").palette, expected.palette)
    alpha = np.full(wide_cat.shape[:2], 40_000, np.uint16)
    faint = np.dstack([wide_cat, alpha])
    assert np.array_equal(kf.palette(faint, 6, space="lab", ignore="transparent").palette, expected.palette)
    alpha[:] = TOP
    assert np.array_equal(kf.quantize(np.dstack([wide_cat, alpha]), 6, space="lab").palette, expected.palette)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"init": [[0.5, 0, 0]]}, "init must be whole numbers from 0 to 65535 with space='oklab'"),
        ({"init": [[65_536, 0, 0]]}, "init must be whole numbers from 0 to 65535 with space='oklab'"),
        (
            {"fixed": np.array([[60_000] * 3, [60_000, 60_000, 60_001]], np.uint16)},
            "fixed must be of colours that diff",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_refused(wide_cat, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        kf.quantize(wide_cat, space="oklab", **options)
