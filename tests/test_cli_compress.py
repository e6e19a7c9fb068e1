"""`kmeans-fast compress` of many pictures, of standard input and to standard output."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_cli import finish, run, start  # noqa: F401 - a fixture

import kmeans_fast as kf
from kmeans_fast import cli
from kmeans_fast.cli.bar import Bar


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with three pictures, one of them in a folder, all of which become smaller."""
    ramp = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8)
    for name, options in {"a.png": {"compress_level": 0}, "b.jpg": {"quality": 100}, "in/c.gif": {}}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(ramp).convert("RGB").save(path, **options)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(before, folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - before


@pytest.fixture
def compress(run, folder):  # noqa: F811
    """Run the command; returns status, stdout, stderr and the names of the files that are new."""

    def compress(*arguments):
        before = written(set(), folder)
        status, out, err = run("compress", *arguments)
        return status, out, err, written(before, folder)

    return compress


# ------------------------------------------------------------------------------------------------ which, and where to


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["a.png", "b.jpg"], {"a-8-colors.png", "b-8-colors.png"}),
        (["a.png", "-k", "3", "b.jpg"], {"a-3-colors.png", "b-3-colors.png"}),
        (["a.png", "b.jpg", "-q", "20"], {"a-20-db.png", "b-20-db.png"}),
        (["a.png", "b.jpg", "--ext", "-small.png"], {"a-small.png", "b-small.png"}),
        (["b.jpg", "in/c.gif", "--ext", ".png"], {"b.png", "in/c.png"}),
        (["a.png", "in/c.gif", "-O", "new/out"], {"new/out/a.png", "new/out/c.gif"}),
        (["a.png", "a.png", "./a.png"], {"a-8-colors.png"}),
        (["*.*", "-O", "out"], {"out/a.png", "out/b.png"}),
        (["**/*.gif", "-O", "out"], {"out/c.gif"}),
        (["-r", "."], {"a-8-colors.png", "b-8-colors.png", "in/c-8-colors.gif"}),
        (["-r", ".", "-O", "out"], {"out/a.png", "out/b.png", "out/in/c.gif"}),
        (["-r", "in", "a.png", "-O", "out"], {"out/a.png", "out/c.gif"}),
        (["a.png", "-o", "x.png"], {"x.png"}),
    ],
)
def test_which_files_are_written(compress, arguments, expected):
    status, _, err, names = compress(*arguments)
    assert (status, err, names) == (0, "", expected)


def test_the_same_bytes_as_one_at_a_time(compress, folder):
    compress("a.png", "b.jpg", "in/c.gif", "-j", 3, "-O", "many")
    for name, output in {"b.jpg": "b.png", "in/c.gif": "c.gif"}.items():
        kf.compress(name, output)
        assert Path("many", output).read_bytes() == Path(output).read_bytes()


def test_a_file_with_wildcards_in_its_name_is_meant_itself(compress, folder):
    Path("a.png").rename("[b].jpg")
    assert compress("[b].jpg", "-O", "out")[3] == {"out/[b].png"}


def test_a_command_can_be_given_twice(compress):
    assert compress("*.*", "-k", 2)[0] == 0
    status, _, err, names = compress("*.*", "-k", 2)
    assert (status, names) == (0, set())
    assert err == (
        "kmeans-fast: warning: a-2-colors.png is left out, as it is the output of a.png; "
        "b-2-colors.png is left out, as it is the output of b.jpg\n"
    )
    compress("-r", ".", "-O", "out")
    assert compress("-r", ".", "-O", "out")[2:] == ("", set())


def test_no_output_replaces_another_or_a_source(compress, folder):
    Path("in/c.gif").rename("a.gif")
    Path("a.gif").rename("a.bmp")  # what a file is called says nothing of what is in it
    before = Path("a.png").read_bytes()
    status, _, err, names = compress("a.png", "a.bmp", "b.jpg", "-O", "out")
    assert (status, names) == (1, {"out/a.png", "out/b.png"})
    assert err == "kmeans-fast: error: a.bmp: its output out/a.png would be that of a.png too\n"
    status, _, err, names = compress("a.bmp", "a.png", "b.jpg", "--ext", ".png")
    assert (status, names) == (1, {"b.png"})
    assert "a.bmp: its output would replace a.png, another of the pictures" in err
    assert Path("a.png").read_bytes() == before
    assert compress("a.png", "--ext", ".png")[0] == 1
    assert Path("a.png").read_bytes() == before


def test_hidden_files_and_others_are_no_pictures_of_a_folder(compress, folder):
    for name in ("._a.png", ".git/a.png", "in/readme.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(b"something")
    assert compress("-r", "in", ".", "-O", "out")[3] == {"out/a.png", "out/b.png", "out/c.gif", "out/in/c.gif"}
    Path("empty").mkdir()
    assert compress("-r", "empty")[:3] == (1, "", "kmeans-fast: error: there are no pictures in empty\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("name", ["a b.png", "a\nb.png", "-k.png", "--help.png", "\udcff.png", "é 'x' $y.png"])
def test_hostile_names(compress, folder, name):
    Path("a.png").rename(name)
    status, out, err, names = compress("b.jpg", "-O", "out", "--", name)
    assert (status, err, names) == (0, "", {f"out/{name}", "out/b.png"})
    assert len(out.splitlines()) == 4


# ------------------------------------------------------------------------------------------------ what is said


def test_a_table_in_the_order_of_the_command(compress):
    status, out, err, _ = compress("in/c.gif", "a.png", "-O", "out")
    head, *rows, total = out.splitlines()
    assert (status, err) == (0, "")
    assert head.split() == ["before", "after", "%", "colours", "psnr", "(dB)"]
    assert [row.split()[-3:] for row in rows] == [["in/c.gif", "->", "out/c.gif"], ["a.png", "->", "out/a.png"]]
    before = [Path(name).stat().st_size for name in ("in/c.gif", "a.png")]
    after = [Path("out", name).stat().st_size for name in ("c.gif", "a.png")]
    assert [row.split()[:4] for row in rows] == [
        [f"{b:,}", f"{a:,}", f"{100 * a / b:.1f}", "8"] for b, a in zip(before, after, strict=True)
    ]
    assert total.split()[:5] == [
        f"{sum(before):,}",
        f"{sum(after):,}",
        f"{100 * sum(after) / sum(before):.1f}",
        "2",
        "pictures",
    ]


def test_one_bad_file_stops_no_other(compress, folder):
    Path("bad.png").write_bytes(b"hello")
    Path("hole.png").write_bytes(b"")
    status, out, err, names = compress("bad.png", "a.png", "nowhere.png", "in", "hole.png", "b.jpg", "-O", "out")
    assert (status, names) == (1, {"out/a.png", "out/b.png"})
    assert sorted(err.splitlines()) == [
        "kmeans-fast: error: 'bad.png' is not a picture in a format that Pillow knows",
        "kmeans-fast: error: 'hole.png' is empty (0 bytes)",
        "kmeans-fast: error: in: this is a folder, not a picture",
        "kmeans-fast: error: nowhere.png: No such file or directory",
    ]
    assert out.splitlines()[-1].endswith(", 4 failed")


def test_errors_name_their_picture(compress, folder):
    Image.fromarray(np.array([[[1, 2, 3, 0], [1, 2, 3, 255]]], np.uint8)).save("a.png")
    _, _, err, _ = compress("a.png", "b.jpg", "-k", 1)
    assert err.startswith("kmeans-fast: error: a.png: n_colors must be at least 2 for a picture that is transparent in")


def test_a_bug_in_one_of_many_is_not_hidden(compress, monkeypatch):
    def fail(*arguments, **options):
        raise AssertionError("a bug")

    monkeypatch.setattr("kmeans_fast.imaging.compression.compress", fail)
    with pytest.raises(AssertionError, match="a bug"):
        compress("a.png", "b.jpg")


def test_warnings_name_their_picture(compress, folder):
    frames = [Image.new("RGB", (4, 3), color) for color in ("red", "lime")]
    frames[0].save("c.tif", save_all=True, append_images=frames[1:])
    assert compress("c.tif", "a.png")[2] == "kmeans-fast: warning: c.tif: of 2 pictures the first was read\n"


def test_quiet(compress, folder):
    frames = [Image.new("RGB", (4, 3), color) for color in ("red", "lime")]
    frames[0].save("a.tif", save_all=True, append_images=frames[1:])
    assert compress("a.tif", "--quiet")[:3] == (0, "", "")
    status, out, err, _ = compress("a.tif", "b.jpg", "nowhere.png", "--quiet", "-O", "out")
    assert (status, out, err) == (1, "", "kmeans-fast: error: nowhere.png: No such file or directory\n")


def test_json(compress, folder):
    status, out, err, _ = compress("a.png", "--json")
    fields = json.loads(out)
    report = kf.compress("a.png", "a-8-colors.png")
    assert (status, err) == (0, "")
    assert fields.pop("seconds").keys() == report.seconds.keys()
    assert fields == {
        "source": "a.png", "destination": "a-8-colors.png", "width": 32, "height": 32, "written": True, "status": 0,
        "n_frames": 1,
        "bytes_before": report.bytes_before, "bytes_after": report.bytes_after, "colors_before": 63, "colors_after": 8,
        "bits_per_pixel": report.bits_per_pixel, "mse": report.mse, "psnr": report.psnr, "n_iter": report.n_iter,
        "converged": True,
        "quality_met": True, "notes": [], "metrics": None,
    }  # fmt: skip


def test_metrics_are_printed(compress, folder):
    metrics = kf.compare(kf.read_image("a.png"), kf.quantize(kf.read_image("a.png"), 8))
    assert json.loads(compress("a.png", "--json", "--metrics")[1])["metrics"] == asdict(metrics)
    out = compress("a.png", "--metrics")[1]
    assert re.search(rf"^delta E, largest +{metrics.delta_e_max:.2f}$", out, re.MULTILINE)
    _, head, row, *_ = ["", *compress("a.png", "b.jpg", "--metrics", "-O", "out")[1].splitlines()]
    assert head.split()[-5:] == ["delta", "E,", "mean", "largest", "ssim"]
    assert row.split()[5:8] == [f"{metrics.delta_e_mean:.2f}", f"{metrics.delta_e_max:.2f}", f"{metrics.ssim:.4f}"]


def test_json_has_no_infinity(compress):
    assert json.loads(compress("a.png", "-k", 99, "--json")[1])["psnr"] is None


def test_json_of_many_is_a_line_each_with_errors(compress):
    status, out, err, _ = compress("a.png", "nowhere.png", "b.jpg", "--json", "-O", "out")
    fields = {line["source"]: line for line in map(json.loads, out.splitlines())}
    assert status == 1
    assert err == "kmeans-fast: error: nowhere.png: No such file or directory\n"
    assert {name: line["status"] for name, line in fields.items()} == {"a.png": 0, "nowhere.png": 1, "b.jpg": 0}
    assert fields["nowhere.png"]["error"] == "nowhere.png: No such file or directory"
    assert json.loads(compress("nowhere.png", "--json")[1])["error"] == "nowhere.png: No such file or directory"


# ------------------------------------------------------------------------------------------------ statuses


def noise(path, **options):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path, **options)


def test_what_would_be_larger_is_not_written(compress, folder):
    noise("noise.jpg", quality=5)
    Path("noise-200-colors.png").write_bytes(b"as it was")
    status, _, err, names = compress("noise.jpg", "-k", 200, "--skip-if-larger")
    assert (status, names) == (98, set())
    assert Path("noise-200-colors.png").read_bytes() == b"as it was"
    assert err.startswith("kmeans-fast: warning: not written: it would have ")
    noise("noise.bmp")
    assert compress("noise.bmp", "-k", 200, "-o", "x.png", "--skip-if-larger")[0::3] == (0, {"x.png"})


def test_many_of_which_some_would_be_larger(compress, folder):
    noise("noise.jpg", quality=5)
    noise("noise.bmp")
    Path("noise.bmp").rename("other.bmp")
    status, out, err, names = compress("noise.jpg", "other.bmp", "-k", 200, "--skip-if-larger", "-O", "out")
    assert (status, err, names) == (98, "", {"out/other.png"})
    assert "noise.jpg (not written)" in out
    assert out.endswith("1 not written, as they would be larger\n")
    status, out, err, _ = compress("noise.jpg", "other.bmp", "-k", 200, "-O", "out")
    assert (status, err) == (0, "")
    assert "noise.jpg -> out/noise.png (larger)" in out


def test_the_gravest_status_counts(compress, folder):
    noise("noise.jpg", quality=5)
    noise("noise.bmp")
    Path("noise.bmp").rename("other.bmp")
    larger, missed = ["noise.jpg", "-q", 60, "--skip-if-larger"], ["other.bmp", "-q", 60]
    assert compress(*larger, *missed, "-O", "out")[0] == 99
    assert compress(*larger, *missed, "nowhere.png", "-O", "out")[0] == 1


# ------------------------------------------------------------------------------------------------ streams


def test_standard_input_and_output(folder):
    process = start("compress", "-", "-k", 4, stdin=subprocess.PIPE, text=False)
    out, err = process.communicate(Path("a.png").read_bytes(), timeout=300)
    assert process.returncode == 0
    kf.compress("a.png", "expected.png", 4)
    assert out == Path("expected.png").read_bytes()
    assert err.decode().splitlines()[0] == "- -> -"


def test_either_stream_alone(folder, monkeypatch, capfdbinary):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path("a.png").read_bytes())))
    assert cli.main(["compress", "-", "-o", "x.png", "--quiet"]) == 0
    assert cli.main(["compress", "a.png", "-o", "-", "--quiet", "-v"]) == 0
    assert capfdbinary.readouterr().out == Path("x.png").read_bytes()


def test_json_goes_where_the_picture_does_not(folder, monkeypatch, capfdbinary):
    assert cli.main(["compress", "a.png", "-o", "-", "--json"]) == 0
    assert json.loads(capfdbinary.readouterr().err)["destination"] == "-"


def test_nothing_is_written_of_a_stream_that_would_be_larger(folder):
    noise("noise.jpg", quality=5)
    process = start("compress", "-", "-k", 200, "--skip-if-larger", stdin=subprocess.PIPE, text=False)
    out, err = process.communicate(Path("noise.jpg").read_bytes(), timeout=300)
    assert (process.returncode, out) == (98, b"")
    assert b"not written" in err


def test_an_empty_stream(folder):
    process = start("compress", "-", stdin=subprocess.DEVNULL)
    assert finish(process) == (1, "", "kmeans-fast: error: the picture is empty (0 bytes)\n")


def test_terminals_are_no_place_for_pictures(run, folder, monkeypatch):  # noqa: F811
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "a picture is not written to a terminal" in run("compress", "a.png", "-o", "-")[2]
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert "nothing is piped into it" in run("compress", "-", "-o", "x.png")[2]


@pytest.mark.skipif(os.name == "nt", reason="pipes break otherwise on Windows")
@pytest.mark.parametrize("arguments", [["a.png", "-o", "-"], ["a.png", "b.jpg", "--json"], ["a.png", "b.jpg"]])
def test_a_closed_pipe_is_quiet(folder, arguments):
    process = start("compress", *arguments, "--engine", "numpy")
    process.stdout.close()
    process.wait(timeout=300)
    told = process.stderr.read()
    process.stderr.close()
    assert process.returncode == 141
    assert "Traceback" not in told
    assert "Broken pipe" not in told


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_ctrl_c_in_the_middle_of_many_leaves_whole_files_only(tmp_path):
    """The first picture's line says that it is done; the others, which would take days, are the larger files."""
    Image.new("RGB", (8, 8)).save(tmp_path / "small.bmp")
    for n in range(6):
        noise(tmp_path / f"{n}.bmp")
    command = ["compress", "-r", tmp_path, "-O", tmp_path / "out", "-j", 7, "--json", "-k", 200, "--engine", "numpy"]
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = start(*command, "--max-iter", 10**6, "--tol", 0, "--init", "random", "--n-init", 1000)
    signal.signal(signal.SIGINT, inherited)
    assert json.loads(process.stdout.readline())["source"] == str(tmp_path / "small.bmp")
    process.send_signal(signal.SIGINT)
    status, out, err = finish(process)
    assert (status, out, err) == (130, "", "")
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out/small.png"]
    with Image.open(tmp_path / "out/small.png") as image:
        image.load()


# ------------------------------------------------------------------------------------------------ the bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_is_gone_at_the_end():
    stream = Terminal()
    bar = Bar(stream, 3)
    bar.step()
    assert stream.getvalue().startswith("\r[##########....................] 1 of 3, ")
    shown = len(stream.getvalue()) - 1
    bar.clear()
    assert stream.getvalue().endswith("\r" + " " * shown + "\r")
    bar.step()
    bar.clear()
    bar.step()
    assert stream.getvalue().endswith("\r")


def test_no_bar_without_a_terminal_or_if_it_is_not_wanted():
    for stream, n_steps in ((io.StringIO(), 3), (Terminal(), 0)):
        bar = Bar(stream, n_steps)
        bar.step()
        bar.clear()
        assert stream.getvalue() == ""


# ------------------------------------------------------------------------------------------------ formats and palettes


def test_an_animation_stays_one(compress, folder):
    frames = [Image.new("RGB", (16, 16), (50 * n, 0, 0)) for n in range(4)]
    frames[0].save("a.gif", save_all=True, append_images=frames[1:], duration=70)
    assert compress("a.gif", "-k", 3)[::3] == (0, {"a-3-colors.gif"})
    with Image.open("a-3-colors.gif") as image:
        assert image.n_frames > 1


@pytest.mark.parametrize("name", ["gif", "webp", "tiff", "bmp"])
def test_formats(compress, folder, name):
    assert compress("b.jpg", "--format", name)[::3] == (0, {f"b-8-colors.{name}"})
    noise("noise.bmp")
    assert compress("noise.bmp", "--format", name, "--skip-if-larger", "-O", "out", "-k", 2)[0] in (0, 98)
    compress("b.jpg", "--format", name, "-O", "out")
    assert compress("b.jpg", "--format", name, "--ext", ".png")[0] == 2
    for output in (f"b-8-colors.{name}", f"out/b.{name}"):
        with Image.open(output) as image:
            assert image.format.lower() == name


def test_what_says_how_colours_are_meant_stays_unless_stripped(compress, folder):
    with Image.open("a.png") as image:
        image.save("a.png", dpi=(300, 300), compress_level=0)
    compress("a.png", "-o", "kept.png")
    compress("a.png", "--strip", "-o", "stripped.png")
    for name, is_there in {"kept.png": True, "stripped.png": False}.items():
        with Image.open(name) as image:
            assert ("dpi" in image.info) == is_there


def test_a_palette_that_is_given(compress, folder):
    assert compress("a.png", "--palette", "black,#202020,white")[::3] == (0, {"a-palette.png"})
    with Image.open("a-palette.png") as image:
        assert image.getpalette()[:9] == [0, 0, 0, 32, 32, 32, 255, 255, 255]
    Path("p.hex").write_text("000000\n202020\nffffff\n")
    compress("a.png", "--palette", "p.hex", "-o", "same.png")
    assert Path("same.png").read_bytes() == Path("a-palette.png").read_bytes()
    status, _, err, _ = compress("a.png", "--palette", "p.hex", "-k", 3)
    assert (status, err) == (1, "kmeans-fast: error: n_colors can't be given with palette, which is taken as it is\n")
    assert "max_iter can't be given" in compress("a.png", "--palette", "p.hex", "--max-iter", 5)[2]
