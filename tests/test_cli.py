"""The command line: what it prints where, and with which exit status."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kmeans_fast as kf
from kmeans_fast import cli, quantize, read_image
from kmeans_fast.cli import installation
from kmeans_fast.cli import messages as told

FOUR_COLORS = np.array([[9, 9, 9], [255, 0, 0], [0, 128, 255], [250, 250, 250]], np.uint8)
COUNTS = [10, 40, 30, 20]


@pytest.fixture
def picture(tmp_path):
    """A picture of 100 pixels in four colours."""
    path = tmp_path / "photo.jpg.bmp"
    Image.fromarray(np.repeat(FOUR_COLORS, COUNTS, axis=0).reshape(10, 10, 3)).save(path)
    return path


@pytest.fixture
def run(capsys):
    """Run a command in this process; returns exit status, stdout, stderr."""

    def run(*arguments):
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as error:
            status = error.code
        out, err = capsys.readouterr()
        return status, out, err

    return run


def start(*arguments, **options):
    """Start a command in a process of its own."""
    root = str(Path(kf.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    environment.pop("PYTHONUNBUFFERED", None)  # what stays in a buffer until the end is a case of its own
    command = [sys.executable, "-m", "kmeans_fast", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    return subprocess.Popen(command, **(pipes | options))


def finish(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


# ---------------------------------------------------------------------------------------------------- compress


def test_compress(run, tmp_path):
    status, out, err = run("compress", kf.sample_path(), "-k", 3, "-o", tmp_path / "out.png", "--max-iter", 5)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"{kf.sample_path()} -> {tmp_path / 'out.png'}"
    assert re.fullmatch(r"451 x 300 pixels +before +after", lines[1])
    assert re.fullmatch(r"colours +32,584 +3", lines[4])
    expected = quantize(read_image(kf.sample_path()), 3, max_iter=5)
    np.testing.assert_array_equal(read_image(tmp_path / "out.png"), expected.to_array())


def test_output_goes_beside_the_source_by_default(run, picture):
    status, out, _ = run("compress", picture, "-k", 2)
    assert status == 0
    output = picture.with_name("photo.jpg-2-colors.png")
    assert out.startswith(f"{picture} -> {output}\n")
    assert set(picture.parent.iterdir()) == {picture, output}
    assert quantize(read_image(output), 8).n_colors == 2


def test_the_default_output_of_an_output_is_another_file(run, tmp_path, picture):
    run("compress", picture)
    first = picture.with_name("photo.jpg-8-colors.png")
    before = first.read_bytes()
    assert run("compress", first)[0] == 0
    assert first.read_bytes() == before
    assert picture.with_name("photo.jpg-8-colors-8-colors.png").is_file()


def test_verbose_prints_each_iteration(run, tmp_path):
    status, out, err = run("compress", kf.sample_path(), "-k", 4, "-o", tmp_path / "a.png", "--max-iter", 3, "-v")
    assert (status, err) == (0, "")
    assert re.findall(r"^iteration (\d+): change in centroid locations", out, re.MULTILINE) == ["1", "2", "3"]


def test_options_reach_k_means(monkeypatch, run, picture):
    calls = []

    class Report:
        notes, quality_met = (), True

        def __str__(self):
            return "a report"

    def compress(source, destination, n_colors, **options):
        calls.append((source, destination, n_colors, options))
        return Report()

    monkeypatch.setattr("kmeans_fast.imaging.compression.compress", compress)
    output = picture.with_name("a.png")
    command = ["compress", picture, "-o", output, "--seed", 7, "--init", "random", "--n-init", 2, "--max-iter", 9]
    command += [
        "--tol",
        0.5,
        "--threads",
        3,
        "--engine",
        "numpy",
        "-v",
        "--colors",
        5,
        "--sort",
        "hue",
        "--compress-level",
        3,
        "--max-pixels",
        1000,
        "--space",
        "lab",
        "--lightness",
        0.5,
        "--dither",
        "bayer",
        "--strength",
        0.5,
        "--effort",
        2,
        "--min-region",
        3,
    ]
    assert run(*command) == (0, "a report\n", "")
    options = {"seed": 7, "init": "random", "n_init": 2, "max_iter": 9, "tol": 0.5, "n_threads": 3, "engine": "numpy"}
    options |= {"format": "png", "strip": False, "keep_metadata": False, "frame": None, "encoder": "zlib"}
    options |= {"sort": "hue", "quality": None, "max_error": None, "callback": kf.print_progress, "compress_level": 3}
    options |= {"max_pixels": 1000, "dither": "bayer", "strength": 0.5, "space": "lab", "lightness": 0.5}
    options |= {"effort": 2, "min_region": 3, "metrics": False, "keep_hidden_color": False}
    assert calls == [(picture, output, 5, options)]


def test_default_options_are_those_of_the_function(run, picture, tmp_path):
    run("compress", kf.sample_path(), "-o", tmp_path / "a.png")
    kf.compress(kf.sample_path(), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_hidden_colours_are_kept_if_asked_for(run, tmp_path):
    Image.fromarray(np.array([[[250, 9, 0, 0], [0, 0, 255, 255]]], np.uint8)).save(tmp_path / "a.png")
    assert run("compress", tmp_path / "a.png", "-o", tmp_path / "b.png", "--keep-hidden-color", "--quiet")[0] == 0
    assert np.asarray(Image.open(tmp_path / "b.png").convert("RGBA"))[0, 0].tolist() == [250, 9, 0, 0]
    status, _, err = run("compress", tmp_path / "a.png", "--keep-hidden-color", "--dither", "bayer")
    assert (status, "keep_hidden_color is for pictures without dithering" in err) == (2, True)


# ---------------------------------------------------------------------------------------------------- palette


def test_palette_prints_hex_share_and_count_most_frequent_first(run, picture):
    status, out, err = run("palette", picture)
    assert (status, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [
        ["#ff0000", "40.00%", "40"],
        ["#0080ff", "30.00%", "30"],
        ["#fafafa", "20.00%", "20"],
        ["#090909", "10.00%", "10"],
    ]


@pytest.mark.parametrize(
    ("is_terminal", "environment", "in_color"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": ""}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
    ],
)
def test_colour_blocks_on_a_terminal_only(run, picture, monkeypatch, is_terminal, environment, in_color):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WT_SESSION", "x")  # the new Windows terminal
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    lines = run("palette", picture)[1].splitlines()
    assert lines[0].startswith("\x1b[48;2;255;0;0m    \x1b[0m #ff0000") == in_color
    assert any("\x1b" in line for line in lines) == in_color


def test_palettes_in_other_formats(run, picture, tmp_path):
    found = kf.palette(kf.read_image(picture), 3, sort="count")
    assert run("palette", picture, "-k", 3, "--format", "hex") == (0, "".join(f"{color}\n" for color in found.hex), "")
    assert run("palette", picture, "-k", 3, "--format", "css")[1] == f"{found.to_css()}\n"
    assert run("palette", picture, "-k", 3, "--format", "json")[1] == f"{found.to_json()}\n"
    (tmp_path / "a.gpl").write_text(run("palette", picture, "-k", 3, "--format", "gpl")[1])
    assert kf.read_palette(tmp_path / "a.gpl").hex == found.hex


def test_palettes_of_several_pictures(run, picture, tmp_path):
    Image.new("RGB", (2, 2), "#ff8000").save(tmp_path / "my logo.png")
    (tmp_path / "bad.png").write_text("no picture")
    names = [tmp_path / "my logo.png", tmp_path / "bad.png", picture]
    status, out, err = run("palette", *names, "-k", 1, "--format", "hex")
    assert status == 1
    assert out.splitlines()[:2] == [str(names[0]), "#ff8000"]
    assert out.splitlines()[2] == str(picture)
    assert err.count("kmeans-fast: error: ") == 1
    assert "bad.png" in err
    out = run("palette", names[0], picture, "-k", 1, "--format", "json")[1]
    assert [json.loads(line)["source"] for line in out.splitlines()] == [str(names[0]), str(picture)]
    assert "--my-logo-1: #ff8000;" in run("palette", names[0], picture, "-k", 1, "--format", "css")[1]
    assert run("palette", picture, picture, "--format", "gpl")[0] == 2


def test_palette_ignores_and_merges(run, tmp_path):
    image = np.array([[[200, 0, 0]] * 3 + [[204, 0, 0]] + [[255, 255, 255]] * 5], np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    ways = ["--ignore", "white", "--ignore", "#010203", "--merge", "0.05", "--format", "hex", "--space", "oklab"]
    assert run("palette", tmp_path / "a.png", *ways) == (0, "#c90000\n", "")
    assert run("palette", tmp_path / "a.png", "--ignore", "whit")[2].startswith("kmeans-fast: error: ignore must be of")


def test_palette_of_a_picture_with_transparency(run, tmp_path, monkeypatch):
    Image.fromarray(np.array([[[1, 2, 3, 0], [255, 0, 0, 255], [255, 0, 0, 255]]], np.uint8)).save(tmp_path / "a.png")
    assert [line.split()[0] for line in run("palette", tmp_path / "a.png")[1].splitlines()] == [
        "#ff0000ff",
        "#00000000",
    ]


# ---------------------------------------------------------------------------------------------------- info


def test_info(run):
    status, out, err = run("info")
    assert (status, err) == (0, "")
    facts = dict(line.split(":", 1) for line in out.splitlines())
    assert facts["kmeans_fast"].strip() == kf.__version__
    assert facts["numpy"].strip() == np.__version__
    assert facts["pillow"].strip() == Image.__version__
    for name in ("python", "numba", "imageio", "engine", "threading", "threads", "cache"):
        assert facts[name].strip(), name


def test_info_says_what_is_not_installed(monkeypatch, run):
    """The module `json` stands for a package in a bundled program, which can be without its metadata."""
    monkeypatch.setattr(installation, "_VERSIONED_PACKAGES", ("numpy", "json", "a-package-that-nobody-has"))
    assert re.search(r"^json: *unknown version$", run("info")[1], re.MULTILINE)
    assert re.search(r"^a-package-that-nobody-has: *not installed$", run("info")[1], re.MULTILINE)


def test_version_and_help(run):
    assert run("--version") == (0, f"kmeans-fast {kf.__version__}\n", "")
    status, out, err = run("--help")
    assert (status, err) == (0, "")
    for command in ("compress", "palette", "info"):
        assert command in out
        status, out_of_command, err = run(command, "--help")
        assert (status, err) == (0, "")
        assert out_of_command.startswith(f"usage: kmeans-fast {command}")


# ---------------------------------------------------------------------------------------------------- wrong usage


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["shrink"], "invalid choice: 'shrink'"),
        (["compress"], "the following arguments are required: PICTURE"),
        (["compress", "a.jpg", "--colour", "8"], "unrecognized arguments: --colour 8"),
        (["compress", "a.jpg", "-k", "0"], "argument -k/--colors: must be an integer of at least 1, got '0'"),
        (["compress", "a.jpg", "-k", "many"], "argument -k/--colors: must be an integer of at least 1, got 'many'"),
        (["palette", "a.jpg", "--seed", "-1"], "argument --seed: must be an integer of at least 0, got '-1'"),
        (["palette", "a.jpg", "--tol", "-1"], "argument --tol: must be a number of at least 0, got '-1'"),
        (["palette", "a.jpg", "--tol", "nan"], "argument --tol: must be a number of at least 0, got 'nan'"),
        (["palette", "a.jpg", "--threads", "0"], "argument --threads: must be an integer of at least 1, got '0'"),
        (["palette", "a.jpg", "--max-pixels", "0"], "argument --max-pixels: must be an integer of at least 1, got '0'"),
        (["palette", "a.jpg", "--max-iter", "1.5"], "must be an integer of at least 1, got '1.5'"),
        (["palette", "a.jpg", "--engine", "gpu"], "argument --engine: invalid choice: 'gpu'"),
        (["palette", "a.jpg", "--init", "best"], "argument --init: invalid choice: 'best'"),
        (["compress", "a.jpg", "b.png", "--colour"], "unrecognized arguments: --colour"),
        (["compress", "a.jpg", "b.jpg", "-o", "c.png"], "-o names one output, got 2 pictures; -O names a folder for"),
        (
            ["compress", "a.jpg", "-o", "b.png", "-O", "c"],
            "argument -O/--folder: not allowed with argument -o/--output",
        ),
        (["compress", "a.jpg", "-o", "b.png", "--ext", "-c.png"], "--ext is for outputs without a name of their own"),
        (
            ["compress", "a.jpg", "--ext", "-c.jpg"],
            "argument --ext: must be the end of a picture's name, such as -small",
        ),
        (
            ["compress", "a.jpg", "--ext", "/b.png"],
            "argument --ext: must be the end of a picture's name, such as -small",
        ),
        (["compress", "a.jpg", "-k", "3", "--max-error", "3"], "--max-error: not allowed with argument -k/--colors"),
        (["compress", "a.jpg", "-j", "0"], "argument -j/--jobs: must be an integer of at least 1, got '0'"),
        (["compress", "a.jpg", "--quiet", "--json"], "argument --json: not allowed with argument --quiet"),
        (["compress", "-", "a.jpg"], "- is standard input, which can't be one picture of several"),
        (["compress", "-", "-O", "out"], "what comes from standard input has no name for -O or --ext; -o names its"),
        (["compress", "a.jpg", "-O", __file__], "-O names a folder, got the file "),
        (
            ["compress", "https://a.b/c.png"],
            "argument PICTURE: only files are read, no URLs: download it first, got 'ht",
        ),
        (["palette", "file:///c.png"], "argument PICTURE: only files are read, no URLs: download it first, got 'file:"),
        (["palette", ""], "argument PICTURE: must name a file, got ''"),
        (["info", "a.jpg"], "unrecognized arguments: a.jpg"),
    ],
)
def test_wrong_usage(run, arguments, message):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert re.fullmatch(r"kmeans-fast: error: .* \(see kmeans-fast[a-z ]* --help\)\n", err)
    assert message in err


def test_an_output_that_is_no_png_or_the_source_is_wrong_usage(run, picture):
    status, out, err = run("compress", picture, "-o", picture.with_name("a.jpg"))
    assert (status, out) == (2, "")
    assert err.startswith("kmeans-fast: error: the output's name must end in .png, .apng, .gif, ")

    source = picture.with_name("a.png")
    run("compress", picture, "-o", source)
    before = source.read_bytes()
    status, out, err = run("compress", source, "-o", source)
    assert (status, out) == (2, "")
    assert "is the source itself, which is never overwritten" in err
    assert source.read_bytes() == before


# ---------------------------------------------------------------------------------------------------- failure


@pytest.mark.parametrize("command", ["compress", "palette"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"kmeans-fast: error: \S*a\.png: No such file or directory"),
        ("folder", r"kmeans-fast: error: \S*a\.png: this is a folder, not a picture"),
        (b"", r"kmeans-fast: error: '\S*a\.png' is empty \(0 bytes\)"),
        (b"hello", r"kmeans-fast: error: '\S*a\.png' is not a picture in a format that Pillow knows"),
        ("cut", r"kmeans-fast: error: '\S*a\.png' cannot be decoded; it may be damaged or cut short \(.*\)"),
    ],
)
def test_bad_sources(run, tmp_path, command, content, message):
    path = tmp_path / "a.png"
    if content == "folder":
        path.mkdir()
    elif content == "cut":
        path.write_bytes(kf.sample_path().read_bytes()[:9999])
    elif content is not None:
        path.write_bytes(content)
    status, out, err = run(command, path)
    assert (status, out) == (1, "")
    assert re.fullmatch(message + "\n", err)
    assert list(tmp_path.iterdir()) == ([path] if content is not None else [])


@pytest.mark.parametrize("command", ["compress", "palette"])
@pytest.mark.parametrize("name", [".", "..", "/", "./."])
def test_a_folder_without_a_name(run, command, name):
    status, out, err = run(command, name)
    assert (status, out) == (1, "")
    assert err == f"kmeans-fast: error: {Path(name)}: this is a folder, not a picture\n"


def test_bad_destinations(run, picture, tmp_path):
    status, out, err = run("compress", picture, "-o", tmp_path / "no" / "a.png")
    assert (status, out) == (1, "")
    assert err == f"kmeans-fast: error: {tmp_path / 'no'}: the folder for the output does not exist\n"
    (tmp_path / "file").touch()
    status, out, err = run("compress", picture, "-o", tmp_path / "file" / "a.png")
    assert (status, out) == (1, "")
    assert err == f"kmeans-fast: error: {tmp_path / 'file'}: the folder for the output is not a folder\n"


@pytest.mark.parametrize("command", ["compress", "palette"])
def test_pictures_of_too_many_pixels(run, picture, command):
    status, out, err = run(command, picture, "--max-pixels", 99)
    assert (status, out) == (1, "")
    assert re.fullmatch(
        r"kmeans-fast: error: .* has 10 x 10 = 100 pixels; at most 99 are allowed\. .*--max-pixels.*\n", err
    )
    assert list(picture.parent.iterdir()) == [picture]
    assert run(command, picture, "--max-pixels", 100)[0] == 0


@pytest.mark.parametrize("command", ["compress", "palette"])
@pytest.mark.parametrize("limit", [60, 10], ids=["Pillow would warn", "Pillow would refuse"])
def test_more_pixels_than_pillow_allows(run, picture, monkeypatch, command, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    status, out, err = run(command, picture)
    assert (status, out) == (1, "")
    assert f"at most {limit} are allowed" in err
    status, _, err = run(command, picture, "--max-pixels", 100)
    assert (status, err) == (0, "")
    assert limit == Image.MAX_IMAGE_PIXELS, "the limit of a program that calls main is its own"


def test_full_disk(run, picture, monkeypatch):
    def fsync(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    output = picture.with_name("a.png")
    status, out, err = run("compress", picture, "-o", output)
    assert (status, out) == (1, "")
    assert err == f"kmeans-fast: error: {output}: No space left on device\n"
    assert list(picture.parent.iterdir()) == [picture]


def test_one_colour_for_a_picture_with_holes(run, tmp_path):
    Image.fromarray(np.array([[[1, 2, 3, 0], [1, 2, 3, 255]]], np.uint8)).save(tmp_path / "a.png")
    status, out, err = run("palette", tmp_path / "a.png", "-k", 1)
    assert (status, out) == (1, "")
    assert err.startswith("kmeans-fast: error: n_colors must be at least 2 for a picture that is transparent in")


def test_missing_engine_and_lack_of_memory(run, picture, monkeypatch):
    for error, message in [
        (ImportError("numba is not installed"), "numba is not installed"),
        (MemoryError(), "not enough memory"),
    ]:

        def quantize(*arguments, error=error, **options):
            raise error

        monkeypatch.setattr("kmeans_fast.imaging.quantization.palette", quantize)
        assert run("palette", picture) == (1, "", f"kmeans-fast: error: {message}\n")


def test_a_bug_is_not_hidden(run, picture, monkeypatch):
    def quantize(*arguments, **options):
        raise AssertionError("a bug")

    monkeypatch.setattr("kmeans_fast.imaging.quantization.palette", quantize)
    with pytest.raises(AssertionError, match="a bug"):
        run("palette", picture)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_hostile_name_stays_on_one_line_and_is_no_escape_sequence(run, tmp_path):
    status, _, err = run("palette", tmp_path / "a\nb\x1b[31m\udcff.png")
    assert status == 1
    assert err == f"kmeans-fast: error: {tmp_path}/a\\nb\\x1b[31m\\udcff.png: No such file or directory\n"


def test_warnings_are_one_line(run, picture, tmp_path):
    """Pillow warns of damaged metadata; the picture is fine."""
    tags = Image.Exif()
    tags[0x0112] = 6
    Image.fromarray(np.zeros((2, 3, 3), np.uint8)).save(tmp_path / "a.png", exif=tags.tobytes()[:-4])
    status, out, err = finish(start("palette", tmp_path / "a.png", "--engine", "numpy"))
    assert (status, out.split()) == (0, ["#000000", "100.00%", "6"])
    assert re.fullmatch(r"kmeans-fast: warning: Corrupt EXIF data.*\n", err)


def test_what_may_surprise_is_one_line(run, tmp_path):
    frames = [Image.new("RGB", (4, 3), color) for color in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    status, _, err = run("compress", tmp_path / "a.tif", "-k", 2)
    assert status == 0
    assert err == "kmeans-fast: warning: of 3 pictures the first was read\n"
    frames[0].save(tmp_path / "b.tif", save_all=True, append_images=[frames[1].resize((9, 9))])
    assert run("palette", tmp_path / "b.tif")[2] == "kmeans-fast: warning: of 2 pictures the first was read\n"


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.tif"])
def test_a_palette_is_that_of_all_frames(run, tmp_path, name):
    frames = [Image.new("RGB", (4, 3), color) for color in ("red", "lime", "blue")]
    options = {"lossless": True} if name.endswith("webp") else {}
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
    status, out, err = run("palette", tmp_path / name, "--format", "hex")
    assert (status, sorted(out.split()), err) == (0, ["#0000ff", "#00ff00", "#ff0000"], "")


def test_an_output_that_is_larger_is_said_and_no_failure(run, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg", quality=5)
    status, _, err = run("compress", tmp_path / "a.jpg", "-k", 200)
    assert status == 0
    assert re.fullmatch(r"kmeans-fast: warning: the output is larger than the source: .*\n", err)


@pytest.mark.parametrize("command", ["compress", "palette"])
def test_a_quality_that_is_missed_is_said_and_has_its_status(run, tmp_path, command):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    status, out, err = run(command, tmp_path / "a.png", "-q", 60)
    assert status == 99
    assert out
    assert re.fullmatch(r"kmeans-fast: warning: the quality asked for was not reached: [0-9.]+ dB instead of 60\n", err)
    assert run(command, tmp_path / "a.png", "-q", 5)[0] == 0
    assert "99 done but the quality asked for was not reached" in " ".join(run(command, "--help")[1].split())


def test_what_libtiff_writes_by_itself_is_part_of_the_line(tmp_path):
    """It writes to the descriptor, past Python."""
    path = tmp_path / "a.tif"
    Image.new("RGB", (64, 64)).save(path, compression="tiff_lzw")
    with Image.open(path) as image:
        start_of_data = image.tag_v2[273][0]
    data = bytearray(path.read_bytes())
    data[start_of_data : start_of_data + 9] = b"\xff" * 9
    path.write_bytes(data)
    read = "import sys, kmeans_fast as kf\ntry: kf.read_image(sys.argv[1])\nexcept ValueError: pass"
    environment = {**os.environ, "PYTHONPATH": str(Path(kf.__file__).parents[1])}
    alone = subprocess.run([sys.executable, "-c", read, str(path)], env=environment, capture_output=True, text=True)
    assert alone.stderr, "libtiff says nothing, so this test could not fail"
    status, _, err = finish(start("palette", path, "--engine", "numpy"))
    assert status == 1
    assert re.fullmatch(r"kmeans-fast: error: .* cannot be decoded.*\n", err)
    status, _, err = finish(start("palette", path, "--engine", "numpy", "-v"))
    assert status == 1
    assert alone.stderr.splitlines()[0] in err
    assert all(line.startswith("kmeans-fast: ") for line in err.splitlines())


def test_warnings_beyond_a_few_are_shown_if_asked(capsys):
    messages = ["a", "b", "a", "c", "d", "e"]
    told.warn(messages, all_of_them=False)
    assert capsys.readouterr().err == "kmeans-fast: warning: a; b; c; 2 more (-v shows them)\n"
    told.warn(messages, all_of_them=True)
    assert capsys.readouterr().err == "".join(f"kmeans-fast: warning: {letter}\n" for letter in "abcde")
    told.warn([], all_of_them=False)
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(os.name == "nt", reason="writes to a descriptor as C does on POSIX")
def test_the_descriptor_is_as_it_was(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.tif")
    script = """if True:
        import os, sys
        from pathlib import Path
        from kmeans_fast.cli.decoders import libtiff_heard
        heard = []
        try:
            with libtiff_heard([Path(sys.argv[1])], heard):
                os.write(2, b"one\\ntwo\\n")
                raise ZeroDivisionError
        except ZeroDivisionError:
            os.write(2, b"after")
        print(heard)
    """
    environment = {**os.environ, "PYTHONPATH": str(Path(kf.__file__).parents[1])}
    command = [sys.executable, "-c", script, str(tmp_path / "a.tif")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("['one', 'two']\n", "after")


# ---------------------------------------------------------------------------------------------------- processes


def test_module_in_a_process_of_its_own(picture):
    status, out, err = finish(start("palette", picture, "-k", 4, "--engine", "numpy"))
    assert (status, err) == (0, "")
    assert out.splitlines()[0].split() == ["#ff0000", "40.00%", "40"]


def test_no_traceback_from_a_process_of_its_own(tmp_path):
    assert finish(start("palette", tmp_path / "a.png")) == (
        1,
        "",
        f"kmeans-fast: error: {tmp_path / 'a.png'}: No such file or directory\n",
    )


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["palette", kf.sample_path()], 0),
        (["palette", kf.sample_path(), "-v"], 0),
        (["info"], 0),
        (["palette", "nowhere.png"], 1),
        (["--help"], 0),
        (["--nonsense"], 2),
    ],
)
def test_a_program_without_a_console(run, monkeypatch, arguments, status):
    """Under pythonw, and in a bundled program, sys.stdout and sys.stderr are None."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        patch.setattr(sys, "stderr", None)
        assert run(*arguments) == (status, "", "")
        assert (sys.stdout, sys.stderr) == (None, None)


def test_help_answers_without_the_heavy_imports():
    script = """if True:
        import sys
        from kmeans_fast.cli import main
        try:
            main(["compress", "--help"])
        except SystemExit:
            print([name for name in ("PIL", "imageio", "numba", "matplotlib") if name in sys.modules])
    """
    root = str(Path(kf.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root}
    out = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_interrupt_is_quiet_and_leaves_nothing(tmp_path):
    """Random pixels keep k-means busy for hundreds of iterations; the first line says that it has begun."""
    source = tmp_path / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)).save(source)
    command = ["compress", source, "-k", 200, "-o", tmp_path / "a.png", "-v", "--max-iter", 10**6]
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    process = start(*command, "--engine", "numpy", "--init", "random")
    signal.signal(signal.SIGINT, inherited)
    assert process.stdout.readline().startswith("iteration 1:")
    process.send_signal(signal.SIGINT)
    status, _, err = finish(process)
    assert (status, err) == (130, "")
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.skipif(os.name == "nt", reason="pipes break otherwise on Windows")
def test_a_reader_that_goes_away_is_no_error(picture):
    process = start("palette", picture, "--engine", "numpy", stdout=subprocess.PIPE)
    process.stdout.close()
    process.wait(timeout=300)
    assert (process.returncode, process.stderr.read()) == (141, "")
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_output_that_cannot_be_printed(picture):
    with Path("/dev/full").open("w") as full:
        status, _, err = finish(start("palette", picture, "--engine", "numpy", stdout=full))
    assert (status, err) == (1, "kmeans-fast: error: No space left on device\n")
