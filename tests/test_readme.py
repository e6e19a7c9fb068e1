"""What README.md shows is so: its commands, its code, its picture, its links and its list of names."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kmeans_fast as kf
from kmeans_fast import cli
from kmeans_fast.cli import arguments

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def marked_command(name):
    """The one-line command under the comment by which .ci/run finds it."""
    found = re.findall(rf"^<!-- ci: {name} -->\n```bash\n(.+)\n```$", README, re.MULTILINE)
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("name", ["picture", "tests"])
def test_the_script_runs_the_two_commands(name):
    assert marked_command(name).startswith("python3 -m venv .venv && .venv/bin/pip install ")
    assert re.search(rf"^run_readme {name}\b", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture
def made_by_the_command(monkeypatch, tmp_path, capsys):
    """Run the first command without its set-up; return the picture that it makes and what it prints."""
    monkeypatch.chdir(tmp_path)
    command = marked_command("picture").split("&&")[-1]
    program, *arguments = shlex.split(command)
    assert program == ".venv/bin/kmeans-fast"
    arguments = [str(ROOT / text) if text.startswith("kmeans_fast/") else text for text in arguments]
    assert cli.main(arguments) == 0
    return tmp_path / "cat8.png", capsys.readouterr().out


def test_the_picture_after_is_what_the_command_makes(made_by_the_command):
    path, _ = made_by_the_command
    with Image.open(path) as made, Image.open(ROOT / "kmeans_fast" / "data" / "cat8.png") as shown:
        assert (made.mode, made.getpalette()) == (shown.mode, shown.getpalette())
        np.testing.assert_array_equal(np.array(made), np.array(shown))


def test_the_report_is_what_the_command_prints(made_by_the_command):
    """Except for the bytes, which depend on the zlib that Pillow has, and the seconds."""
    _, printed = made_by_the_command
    shown, _ = blocks("console")
    for line in printed.splitlines():
        if line.startswith(("451 x 300", "colours", "mse", "psnr")) or "iterations" in line:
            assert line in shown.splitlines()


COMMANDS = re.findall(r"^\$ kmeans-fast (.*?)(?: <.*)?$", "".join(blocks("console")), re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_line_takes_the_commands(command):
    assert callable(arguments.parse(shlex.split(command)).run)


def test_the_sizes_over_the_pictures():
    data = ROOT / "kmeans_fast" / "data"
    before, after = ((data / name).stat().st_size for name in ("cat.png", "cat8.png"))
    assert f"| 32,584 colours, {before:,} bytes | 8 colours, {after:,} bytes |" in README


def test_the_code_runs(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    code = "".join(block for block in blocks("python") if not block.startswith(">>>"))
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 -- our own text
    with Image.open("photo8.png") as picture:
        assert len(picture.convert("RGB").getcolors()) == 8
    assert "#" in capsys.readouterr().out


def test_the_table_of_names_is_the_interface():
    section = README.split("## The whole interface")[1].split("`kmeans_fast.plotting`")[0]
    names = re.findall(r"^\| `(\w+)", section, re.MULTILINE)
    assert sorted(names) == sorted(kf.__all__)


def test_the_named_attributes_exist(small_cat):
    section = README.split("## The whole interface")[1]
    results = {"KMeansResult": kf.kmeans(small_cat, 2), "QuantizedImage": kf.quantize(small_cat, 2)}
    for name, result in results.items():
        (row,) = re.findall(rf"^\| `{name}` \| (.*) \|$", section, re.MULTILINE)
        for attribute in re.findall(r"`(\w+)", row):
            assert hasattr(result, attribute)


@pytest.mark.parametrize(
    "page", ["README.md", "CHANGELOG.md", "asv_benchmarks/README.md", "kmeans_fast/data/README.md"]
)
def test_links_lead_somewhere(page):
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (path.parent / target).exists(), target


def test_the_changelog_has_a_place_for_what_comes_next():
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
