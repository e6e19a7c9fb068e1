"""The script that compares the command line with other tools on a site's files; the figures are a person's to read."""

import runpy
import sys
from functools import partial
from pathlib import Path

import pytest
from skimage import data

import kmeans_fast as kf

SCRIPT = Path(__file__).parents[1] / "asv_benchmarks" / "site_files.py"


@pytest.fixture
def script():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture
def photos(tmp_path):
    from PIL import Image

    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(data.astronaut()).save(folder / "a.png")
    return folder


def test_forty_files_of_all_kinds(script, photos, monkeypatch):
    for name, size in {"screenshot": (320, 200), "logo": 64}.items():  # large ones take seconds to draw
        small = partial(lambda make, size, n, *_: make(n, size), script[name], size)
        monkeypatch.setitem(script["site"].__globals__, name, small)
    pictures = list(script["site"](photos))
    assert len({name for name, _ in pictures}) == 40
    assert {image.mode for _, image in pictures} == {"RGB", "RGBA"}


def test_our_part_writes_them_all(script, photos, tmp_path):
    paths = [tmp_path / f"{name}.png" for name in ("logo", "icon")]
    script["logo"](0, 64).save(paths[0])
    script["pixel_art"](0, 64).save(paths[1])
    script["by_us"](paths, tmp_path / "out", "--engine", "numpy")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["icon.png", "logo.png"]
    assert kf.compare(kf.read_image(paths[1]), kf.read_image(tmp_path / "out" / "icon.png")).mse == 0


def test_a_sheet_and_a_picture_to_look_at(script, photos, tmp_path, monkeypatch, capsys):
    names = script["print_sheet"].__globals__
    monkeypatch.setitem(sys.modules, "imagequant", None)  # it warns of what Pillow will change
    monkeypatch.setitem(names, "COLORS", (4,))
    monkeypatch.setitem(names, "kinds", lambda _: {"logo": script["logo"](0, 64), "comic": script["comic"]((99, 80))})
    monkeypatch.setattr(
        sys, "argv", ["x", "sheet", str(photos), "--pngquant", "", "--look", str(tmp_path / "look.png")]
    )
    script["main"]()
    out = capsys.readouterr().out
    assert "| libimagequant | ModuleNotFoundError |" in out
    assert "pngquant isn't installed, and is left out" in out
    assert out.count("| kmeans_fast |") == 2
    assert kf.read_image(tmp_path / "look.png").shape[0] == 2 * script["TILE"]
