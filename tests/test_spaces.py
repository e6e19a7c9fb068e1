"""Spaces: points are what exact arithmetic rounds to, and palettes keep what `quantize` promises, in each of them."""

import itertools
import re
from decimal import Decimal, localcontext

import numpy as np
import pytest
from coloraide import Color

import kmeans_fast as kf
from kmeans_fast.imaging import transfer, uniform
from kmeans_fast.imaging.spaces import LINEAR, NAMED
from kmeans_fast.options import STARTS

OTHERS = ["linear", "oklab", "lab"]
UNIFORM = {"oklab": (uniform.oklab, 65_280, 0), "lab": (uniform.cielab, 255, -16)}
WEIGHTS = [("linear", 1), ("oklab", 1), ("lab", 1), ("oklab", 0.1), ("lab", 0.3), ("oklab", 10), ("lab", 2.5)]


def some_colors():
    """A grid with the ends of all channels, neighbours near black, and others."""
    grid = itertools.product([0, 1, 2, 10, 11, 64, 128, 200, 254, 255], repeat=3)
    return np.concatenate([list(grid), np.random.default_rng(0).integers(0, 256, (3000, 3))]).astype(np.uint8)


def exact_light(value, top=255):
    """IEC 61966-2-1, in as many digits as the context has."""
    v = Decimal(int(value)) / top
    return (
        v / Decimal("12.92")
        if v <= Decimal("0.04045")
        else ((v + Decimal("0.055")) / Decimal("1.055")) ** Decimal("2.4")
    )


def cone_matrices():
    """Ottosson 2020, as printed there."""
    first = """0.4122214708 0.5363325363 0.0514459929
               0.2119034982 0.6806995451 0.1073969566
               0.0883024619 0.2817188376 0.6299787005"""
    second = """0.2104542553 0.7936177850 -0.0040720468
                1.9779984951 -2.4285922050 0.4505937099
                0.0259040371 0.7827717662 -0.8086757660"""
    return (np.array([Decimal(x) for x in text.split()], object).reshape(3, 3) for text in (first, second))


def xyz_matrix():
    """Of the primaries and white of IEC 61966-2-1: white is their sum, with Y = 1."""
    xy = [("0.64", "0.33"), ("0.30", "0.60"), ("0.15", "0.06"), ("0.3127", "0.3290")]
    red, green, blue, white = (
        [Decimal(x) / Decimal(y), Decimal(1), (1 - Decimal(x) - Decimal(y)) / Decimal(y)] for x, y in xy
    )
    columns = np.array([red, green, blue], object).T

    def det(m):
        return sum(
            m[0][i] * (m[1][(i + 1) % 3] * m[2][(i + 2) % 3] - m[1][(i + 2) % 3] * m[2][(i + 1) % 3]) for i in range(3)
        )

    for i in range(3):  # Cramer's rule
        replaced = columns.copy()
        replaced[:, i] = white
        yield columns[:, i] * (det(replaced) / det(columns)) / np.array(white, object)


def exact_roots(name, values):
    foot = Decimal(216) / 24389 if name == "lab" else 0
    return [
        v ** (Decimal(1) / 3) if v > foot else v * Decimal(841) / 108 + Decimal(4) / 29 if foot else Decimal(0)
        for v in values
    ]


def exact_point(name, color, top=255):
    """The definition, in 50 digits, without rounding to steps."""
    with localcontext() as context:
        context.prec = 50
        if name == "oklab":
            first, second = cone_matrices()
        else:
            first = np.array(list(xyz_matrix()), object).T
            second = np.array([[0, 116, 0], [500, -500, 0], [0, 200, -200]], object)
        light = np.array([exact_light(value, top) for value in color], object)
        axes = second @ np.array(exact_roots(name, first @ light), object)
        _, scale, least = UNIFORM[name]
        return (axes + np.array([least, 0, 0])) * scale + np.array([0, uniform.ORIGIN, uniform.ORIGIN])


def rounded(point):
    return [int((Decimal(x) + Decimal("0.5")).to_integral_value("ROUND_FLOOR")) for x in point]


# -------------------------------------------------------------------------------------------------------- conversions


def test_the_table_of_light_is_rounded_once():
    with localcontext() as context:
        context.prec = 50
        assert transfer.light().tolist() == [float(exact_light(value)) for value in range(256)]


def test_linear_points_are_rounded_light():
    with localcontext() as context:
        context.prec = 50
        expected = [rounded([exact_light(value) * 65_535])[0] for value in range(256)]
    colors = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(-1, 3)
    assert LINEAR.embed(colors)[:, 0].tolist() == expected
    assert len(set(expected)) == 256
    np.testing.assert_array_equal(LINEAR.restore(LINEAR.embed(colors).astype(float)), colors)


@pytest.mark.parametrize("name", UNIFORM)
def test_points_are_the_definition_rounded(name):
    colors = some_colors()[::23]
    assert UNIFORM[name][0](1.0).embed(colors).tolist() == [rounded(exact_point(name, color)) for color in colors]


@pytest.mark.stress
@pytest.mark.parametrize("name", UNIFORM)
def test_every_color_has_the_point_that_exact_arithmetic_rounds_to(name):
    """All 2**24, by other roots than ours; what those leave near the middle of two steps in 50 digits."""
    make, scale, least = UNIFORM[name]
    space, light = make(1.0), transfer.light()
    offsets = np.array([least * scale, uniform.ORIGIN, uniform.ORIGIN])
    plane = np.stack(np.meshgrid(np.arange(256), np.arange(256), indexing="ij"), axis=-1).reshape(-1, 2)
    codes, n_checked = [], 0
    for red in range(256):
        colors = np.column_stack([np.full(len(plane), red), plane]).astype(np.uint8)
        values = light[colors] @ np.array(space.first).T
        roots = np.cbrt(values)
        if space.has_foot:
            roots = np.where(values > 216 / 24389, roots, values * (841 / 108) + 4 / 29)
        places = roots @ np.array(space.second).T * scale + offsets + 0.5
        points = space.embed(colors)
        is_near = (np.abs(places - np.rint(places)) < 1e-7).any(axis=1)
        np.testing.assert_array_equal(points[~is_near], np.floor(places[~is_near]))
        for color, point in zip(colors[is_near], points[is_near], strict=True):
            exact = exact_point(name, color)
            assert rounded(exact) == point.tolist()
            # what `uniform` says of how near any of them is
            assert min(abs(x + Decimal("0.5") - round(x + Decimal("0.5"))) for x in exact) > Decimal("2e-9")
        n_checked += is_near.sum()
        codes.append((points.astype(np.uint64) << np.array([32, 16, 0], np.uint64)).sum(axis=1))
    assert 0 < n_checked < 100
    assert len(np.unique(np.concatenate(codes))) == 2**24, "each color has a point of its own"


@pytest.mark.parametrize(("name", "theirs", "scale"), [("oklab", "oklab", 65_280), ("lab", "lab-d65", 255)])
def test_points_agree_with_another_library(name, theirs, scale):
    """ColorAide, whose matrices have more digits than Oklab was published with."""
    colors = some_colors()[::11]
    points = NAMED[name](1.0).embed(colors).astype(float) - [0, uniform.ORIGIN, uniform.ORIGIN]
    others = [Color("srgb", color / 255).convert(theirs).coords() for color in colors.astype(float)]
    np.testing.assert_allclose(points / scale, others, rtol=0, atol=1 / scale)


@pytest.mark.parametrize("name", UNIFORM)
def test_restoring_undoes_embedding(name):
    space, colors = NAMED[name](1.0), some_colors()
    np.testing.assert_array_equal(space.restore(space.embed(colors).astype(float)), colors)


@pytest.mark.parametrize(("name", "lightness"), WEIGHTS)
def test_no_neighbour_of_a_restored_color_is_nearer(name, lightness):
    space = NAMED[name](lightness)
    points = space.embed(some_colors()).astype(float)
    centroids = np.concatenate([(points[:-3] + points[3:])[::17] / 2, [[0, 0, 0], [65535] * 3]])
    restored = space.restore(centroids)
    nearest = ((space.embed(restored) - centroids) ** 2).sum(axis=1)
    for step in itertools.product([-1, 0, 1], repeat=3):
        neighbours = np.clip(restored.astype(int) + step, 0, 255).astype(np.uint8)
        assert (((space.embed(neighbours) - centroids) ** 2).sum(axis=1) >= nearest).all()


@pytest.mark.parametrize("name", UNIFORM)
def test_lightness_weighs_its_axis_against_the_others(name):
    colors = some_colors()
    plain = NAMED[name](1.0).embed(colors).astype(float) - [0, uniform.ORIGIN, uniform.ORIGIN]
    for weight in (0.25, 4):
        points = NAMED[name](weight).embed(colors).astype(float) - [0, uniform.ORIGIN, uniform.ORIGIN]
        np.testing.assert_allclose(points[:, 0], plain[:, 0] * min(1, weight), atol=1)
        np.testing.assert_allclose(points[:, 1:], plain[:, 1:] * min(1, 1 / weight), atol=1)


# ----------------------------------------------------------------------------------------------------------- quantize


def check(image, n_colors, name, lightness=1.0, **options):
    """Check all that `quantize` promises, in this space. Colours of 16 bits that have one point are one."""
    result = kf.quantize(image, n_colors, space=name, lightness=lightness, **options)
    top = int(np.iinfo(image.dtype).max)
    palette, labels, space = result.palette, result.labels.reshape(-1), NAMED[name](lightness, top)
    colors = image.reshape(-1, 3)
    points, entries = space.embed(colors).astype(np.int64), space.embed(palette).astype(np.int64)
    assert palette.dtype == result.to_array().dtype == image.dtype
    there, found = (colors, palette) if top == 255 else (points, entries)
    assert len(np.unique(found, axis=0)) == len(palette) == min(n_colors, len(np.unique(there, axis=0)))
    np.testing.assert_array_equal(result.counts, np.bincount(labels, minlength=len(palette)))
    assert result.counts.min() > 0
    distances = ((points[:, np.newaxis] - entries) ** 2).sum(axis=2)
    np.testing.assert_array_equal(labels, distances.argmin(axis=1))
    error = ((colors.astype(int) - palette[labels]) ** 2).sum(axis=1).mean() / (top / 255) ** 2
    assert result.mse == pytest.approx(error, rel=1e-12)
    again = kf.quantize(result.to_array(), n_colors, space=name, lightness=lightness, **options)
    np.testing.assert_array_equal(again.to_array(), result.to_array())
    assert again.mse == 0
    return result


@pytest.mark.parametrize(("name", "lightness"), WEIGHTS)
def test_every_pixel_has_the_nearest_entry(small_cat, engine, name, lightness):
    result = check(small_cat, 12, name, lightness, engine=engine, n_threads=3)
    other = kf.quantize(small_cat, 12, space=name, lightness=lightness, engine=engine, n_threads=1)
    assert np.array_equal(other.palette, result.palette)
    assert np.array_equal(other.labels, result.labels)
    assert other.mse == result.mse


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("init", [*STARTS, "auto"])
def test_any_start(small_cat, name, init):
    check(small_cat, 20, name, init=init)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("n_colors", [1, 2, 300])
def test_any_number_of_colors(small_cat, name, n_colors):
    check(small_cat, n_colors, name)


@pytest.mark.parametrize("name", OTHERS)
def test_neighbouring_colors_are_told_apart(name):
    """Colours a step or two apart, where centroids round to the same entries: near black, where steps differ most."""
    for corner in ([0, 0, 0], [0, 253, 253], [253, 253, 0], [120, 3, 200]):
        image = (np.array(list(itertools.product(range(3), repeat=3))) + corner).astype(np.uint8).reshape(9, 3, 3)
        for n_colors in (2, 9, 20, 26, 27, 30):
            check(image, n_colors, name)


@pytest.mark.parametrize("name", OTHERS)
def test_few_colors_are_kept(name):
    image = np.array([[[9, 9, 9], [3, 2, 1], [255, 0, 0]]], np.uint8)
    result = kf.quantize(image, 8, space=name)
    np.testing.assert_array_equal(result.to_array(), image)
    assert (result.n_iter, result.mse) == (0, 0)


def test_each_space_is_the_best_in_its_own_error(cat):
    """Of the four palettes the one made for a space has the least error there."""
    images = {name: kf.quantize(cat, 8, space=name, max_iter=300, tol=0).to_array() for name in NAMED}
    for name, make in NAMED.items():
        points = {other: make(1.0).embed(image.reshape(-1, 3)).astype(float) for other, image in images.items()}
        wanted = make(1.0).embed(cat.reshape(-1, 3))
        errors = {other: ((embedded - wanted) ** 2).sum() for other, embedded in points.items()}
        assert min(errors, key=errors.get) == name


@pytest.mark.parametrize("name", OTHERS)
def test_opaque_rgba_is_rgb(small_cat, name):
    opaque = np.dstack([small_cat, np.full(small_cat.shape[:2], 255, np.uint8)])
    expected, result = kf.quantize(small_cat, 8, space=name), kf.quantize(opaque, 8, space=name)
    np.testing.assert_array_equal(result.palette, expected.palette)
    np.testing.assert_array_equal(result.labels, expected.labels)


def test_given_first_colors(small_cat):
    init = np.array([[0, 0, 0], [255, 255, 255], [200, 100, 50]])
    seen = []
    kf.quantize(small_cat, space="oklab", init=init, callback=lambda _, old, *__: seen.append(old))
    lightness = [0, 1, Color("srgb", init[2] / 255).convert("oklab")["lightness"]]
    np.testing.assert_allclose(seen[0][:, 0] / 255, lightness, atol=1e-4)
    np.testing.assert_allclose(seen[0][:2, 1:], 0, atol=1e-4)


def test_quality_is_of_srgb(small_cat):
    result = kf.quantize(small_cat, quality=30, space="oklab")
    assert result.psnr >= 30
    assert kf.quantize(small_cat, result.n_colors - 1, space="oklab").psnr < 30


def test_palette_is_that_of_quantize(small_cat):
    options = {"space": "lab", "lightness": 0.5}
    assert kf.palette(small_cat, 5, **options).hex_colors == kf.quantize(small_cat, 5, **options).hex_colors


# ------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": "hsv"}, "space must be one of 'srgb', 'linear', 'oklab', 'lab', got 'hsv'"),
        (
            {"lightness": 2},
            "lightness must be 1 with space='srgb', which has no such axis, got 2; use space='oklab' or 'lab'",
        ),
        ({"space": "linear", "lightness": 0.5}, "lightness must be 1 with space='linear'"),
        ({"space": "lab", "lightness": 0}, "lightness must be from 0.1 to 10, got 0"),
        ({"space": "lab", "lightness": 11}, "lightness must be from 0.1 to 10, got 11"),
        ({"space": "lab", "lightness": float("nan")}, "lightness must be at least 0, got nan"),
        ({"space": "lab", "init": [[0.5, 0, 0]]}, "init must be whole numbers from 0 to 255 with space='lab'"),
        ({"space": "lab", "init": [[256, 0, 0]]}, "init must be whole numbers from 0 to 255 with space='lab'"),
        ({"space": "lab", "init": [[1, 2]]}, "init must have shape (1, 3), got (1, 2)"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_refused(small_cat, options, message):
    for function in (kf.quantize, kf.palette):
        with pytest.raises(ValueError, match=re.escape(message)):
            function(small_cat, **options)


def test_lightness_must_be_a_number(small_cat):
    with pytest.raises(TypeError, match="lightness must be a number, got 'much'"):
        kf.quantize(small_cat, space="lab", lightness="much")


@pytest.mark.parametrize("name", OTHERS)
def test_pictures_that_have_no_place_in_a_space(small_cat, name):
    with pytest.raises(ValueError, match=rf"space='{name}' needs a picture of three channels, got a grey one"):
        kf.quantize(small_cat[..., 0], 8, space=name)
    translucent = np.dstack([small_cat, small_cat[..., 0]])
    with pytest.raises(ValueError, match=rf"space='{name}' needs a picture without transparency, got alpha below 255"):
        kf.quantize(translucent, 8, space=name)


def test_the_files_of_compress_and_the_command_line(tmp_path, capsys):
    from kmeans_fast import cli

    options = ["--space", "oklab", "--lightness", "0.5"]
    assert cli.main(["compress", str(kf.sample_path()), "-k", "4", "-o", str(tmp_path / "a.png"), *options]) == 0
    kf.compress(kf.sample_path(), tmp_path / "b.png", 4, space="oklab", lightness=0.5)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    expected = kf.quantize(kf.read_image(kf.sample_path()), 4, space="oklab", lightness=0.5)
    np.testing.assert_array_equal(kf.read_image(tmp_path / "b.png"), expected.to_array())
    capsys.readouterr()
    assert cli.main(["palette", str(kf.sample_path()), "-k", "4", *options]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == set(expected.hex_colors)
    assert cli.main(["palette", str(kf.sample_path()), "--lightness", "2"]) == 1
    assert "lightness must be 1 with space='srgb'" in capsys.readouterr().err
