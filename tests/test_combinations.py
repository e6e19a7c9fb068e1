"""Each option with each other one: what would ignore another is refused, and nothing else is."""

import itertools

import numpy as np
import pytest
from test_cli import run  # noqa: F401 - a fixture

import kmeans_fast as kf

# Of `quantize`, each with what it needs to mean anything.
OPTIONS = {
    "n_colors": {"n_colors": 6},
    "quality": {"quality": 20},
    "max_error": {"max_error": 30},
    "sort": {"sort": "hue"},
    "space": {"space": "linear"},
    "lightness": {"space": "oklab", "lightness": 0.5},
    "dither": {"dither": "bayer"},
    "strength": {"dither": "atkinson", "strength": 0.5},
    "palette": {"palette": ["black", "#c0a080"]},
    "fixed": {"fixed": ["red", "#804020"]},
    "min_region": {"min_region": 3},
    "keep_hidden_color": {"keep_hidden_color": True},
    "init": {"init": "random"},
    "n_init": {"n_init": 2},
    "max_iter": {"max_iter": 1},
    "tol": {"tol": 9},
    "relaxation": {"relaxation": 1},
    "momentum": {"momentum": 0},
    "effort": {"effort": 2},
    "seed": {"seed": 1},
    "callback": {"callback": print},
}
SEARCH = ("init", "n_init", "max_iter", "tol", "relaxation", "momentum", "effort", "seed", "callback")
REFUSED = {
    "n_colors": ("quality", "max_error"),
    "palette": ("n_colors", "quality", "max_error", "sort", "fixed", *SEARCH),
    "min_region": ("dither", "strength"),
    "keep_hidden_color": ("space", "lightness", "dither", "strength"),
}
PICTURE = kf.read_image(kf.sample_path())[40::80, 60::120]  # 16 pixels, all of which differ
IN_PAIRS = {frozenset((name, other)) for name, others in REFUSED.items() for other in others}


@pytest.mark.parametrize("pair", list(itertools.combinations(OPTIONS, 2)), ids="-".join)
def test_options_of_quantize(pair, capsys):
    options = {**OPTIONS[pair[0]], **OPTIONS[pair[1]]}
    if frozenset(pair) not in IN_PAIRS:
        assert kf.quantize(PICTURE, **options).labels.shape == (4, 4)
        return
    with pytest.raises(ValueError, match="|".join(pair)):
        kf.quantize(PICTURE, **options)
    assert not capsys.readouterr().out


@pytest.mark.parametrize("n_channels", [3, 4])
@pytest.mark.parametrize("name", OPTIONS)
def test_options_for_16_bits(name, n_channels):
    """What is refused for them is dithering, and spaces where there is transparency."""
    image = PICTURE.astype(np.uint16) * 251
    image = np.dstack([image, image[..., :1]])[..., :n_channels]
    if name in ("dither", "strength") or (n_channels == 4 and name in ("space", "lightness")):
        with pytest.raises(ValueError, match=r"8 bits|without transparency"):
            kf.quantize(image, engine="numpy", **OPTIONS[name])
    else:
        result = kf.quantize(image, engine="numpy", **OPTIONS[name])
        assert result.palette.dtype == np.uint16
        assert result.labels.shape == (4, 4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("-k 6 -q 28", "-q/--quality: not allowed with argument -k/--colors"),
        ("-k 6 --max-error 9", "--max-error: not allowed with argument -k/--colors"),
        ("-k 6 --palette black,white", "n_colors can't be given with palette"),
        ("--seed 3 --palette black,white", "seed can't be given with palette"),
        ("--space lab --keep-hidden-color", "keep_hidden_color is for space='srgb'"),
        ("--dither bayer --keep-hidden-color", "keep_hidden_color is for pictures without dithering"),
        ("--dither bayer --min-region 3", "min_region must be 1 with dither='bayer'"),
        ("--strength 0.5", "strength must be left out without dither"),
        ("--lightness 0.5", "lightness must be 1 with space='srgb'"),
        ("-o b.png -O folder", "-O/--folder: not allowed with argument -o/--output"),
        ("-o b.png --format webp", "the output is a WebP"),
        ("-o b.png --ext -x.png", "--ext is for outputs without a name"),
        ("--format webp --ext -x.png", "the output is a WebP"),
        ("--format webp --sort hue", "sort is for formats that keep the order of entries"),
        ("--format webp --compress-level 1", "compress_level is for PNG"),
        ("--format gif --encoder libdeflate", "encoder is for PNG"),
        ("--format gif --keep-hidden-color", "GIF can't keep the colours of what is transparent"),
        ("--format gif --keep-metadata", "GIF holds no metadata that keep_metadata keeps"),
        ("--strip --keep-metadata", "--keep-metadata: not allowed with argument --strip"),
        ("--quiet --json", "--json: not allowed with argument --quiet"),
        ("--quiet --metrics", "--metrics: not allowed with argument --quiet"),
    ],
)
def test_options_of_compress(run, tmp_path, monkeypatch, options, said):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    kf.quantize(np.zeros((3, 3, 3), np.uint8), 1).save("a.png")
    status, out, err = run("compress", "a.png", *options.split())
    assert (status in (1, 2), out) == (True, "")
    assert said in err
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
