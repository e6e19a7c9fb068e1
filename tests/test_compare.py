"""The table of rivals: their page shows what is recorded, losses are marked and counted, and measuring works."""

import importlib.util
import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from conftest import needs_numba

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- compare: begin -->", "<!-- compare: end -->"


def load(path):
    """Import a script, without leaving its folder among those that modules are searched in."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    folders = sys.path.copy()
    spec.loader.exec_module(module)
    sys.path[:] = folders
    return module


compare, quality = (load(ROOT / "asv_benchmarks" / f"{name}.py") for name in ("compare", "quality"))
rivals = compare.rivals


def recorded():
    return json.loads((ROOT / "asv_benchmarks" / "recorded" / "compare.json").read_text(encoding="utf-8"))


def test_the_page_shows_what_is_recorded():
    page = (ROOT / "asv_benchmarks" / "README.md").read_text(encoding="utf-8")
    assert (page.count(BEGIN), page.count(END)) == (1, 1), f"the page needs {BEGIN} and {END} once each"
    assert page.split(BEGIN)[1].split(END)[0].strip() == compare.markdown(recorded()).strip()


def test_the_recorded_tables_are_those_of_the_record():
    shown = (ROOT / "asv_benchmarks" / "recorded" / "compare.md").read_text(encoding="utf-8")
    assert shown == compare.markdown(recorded())


def row(tool, seconds, megabytes, error, *, task="iterations", ours=False, n_clusters=16, step=1):
    size = None if megabytes is None else megabytes * 1e6
    return {
        "task": task, "tool": tool, "ours": ours, "n_clusters": n_clusters, "seconds": seconds, "calls": 3,
        "bytes": size, "error": error, "step": step,
    }  # fmt: skip


@pytest.fixture
def record():
    """One task with a loss in memory at K=16, and in all at K=256; one without."""
    return {
        "date": "2026-01-02", "cpu": "A Processor", "processors": 2, "threads": 2, "python": "3.11.0",
        "system": "Linux", "versions": {"kmeans_fast": "0.0.1", "faiss-cpu": "1.0"}, "iterations": 8, "repeat": 3,
        "picture": {"name": "made", "width": 1000, "height": 500, "colors": 12345},
        "left_out": {"OpenCV kmeans": "not installed"},
        "rows": [
            row("ours", 0.0101, 20, 100.004, ours=True),
            row("rival", 0.0104, 3, 100.001),
            row("textbook", 0.5, 50, 100.0, step=10),
            row("ours", 0.01, 20, 50.0, ours=True, n_clusters=256),
            row("rival", 0.009, 3, 49.9, n_clusters=256),
            row("textbook", 0.5, 500, 100.0, n_clusters=256),
            row("ours", 0.01, 2, 50.0, ours=True, task="palettes"),
            row("rival", 1.25, 3, 60.0, task="palettes"),
            row("ours", 0.02, 2, 20.0, ours=True, task="palettes", n_clusters=256),
            row("rival", 3, 3, 21.0, task="palettes", n_clusters=256),
        ],
    }  # fmt: skip


def test_losses_are_marked(record):
    lines = compare.markdown(record).splitlines()
    assert "| | K=16: time, memory | error | K=256: time, memory | error |" in lines
    assert "| ours | 10 ms, 20 MB ▼ | 100.00 | 10 ms ▼, 20 MB ▼ | 50.00 ▼ |" in lines
    assert "| rival | 10 ms, **3 MB** | 100.00 | **9 ms**, **3 MB** | **49.90** |" in lines


def test_losses_are_counted(record):
    text = compare.markdown(record)
    assert "Other tools beat 4 of our 6 figures" in text
    assert "- memory of ours, K=16 and 256: rival\n" in text
    assert "- time of ours, K=256: rival\n" in text
    assert "- error of ours, K=256: rival\n" in text
    assert "No other tool beats any of our 6 figures." in text


def test_what_every_other_tool_does_better_is_said_in_two_words(record):
    record["rows"] = [row("ours", 1, 1, 1, ours=True), row("one", 0.1, 2, 2), row("other", 0.1, 2, 2)]
    assert "- time of ours, K=16: all others" in compare.markdown(record)


def test_what_is_scaled_is_marked_and_has_no_error(record):
    text = compare.markdown(record)
    assert "| textbook | 5 s†, 500 MB† | — | 500 ms, 500 MB | 100.00 |" in text
    assert "† K=16 on one pixel in 10, and multiplied" in " ".join(text.split())


def test_memory_that_is_not_known_is_no_figure(record):
    record["rows"] = [row("ours", 1, None, 1, ours=True), row("rival", 2, 1, 2)]
    text = compare.markdown(record)
    assert "| ours | 1 s, — | 1.00 |" in text
    assert "| rival | 2 s, 1 MB | 2.00 |" in text
    assert "our 2 figures" in text


def test_what_the_numbers_rest_on_is_named(record):
    text = " ".join(compare.markdown(record).split())
    for part in ("A Processor", "2026-01-02", "3.11.0", "kmeans_fast 0.0.1", "faiss-cpu 1.0", "12,345 colours"):
        assert part in text
    assert "Left out: OpenCV kmeans (not installed)." in text


def test_the_figure_is_drawn(record, tmp_path):
    compare.draw(record, tmp_path / "figure.png")
    assert 1000 < (tmp_path / "figure.png").stat().st_size < 100_000


def test_a_rival_that_is_not_installed_is_left_out(small_cat):
    rival = rivals.Tool("Rival", make=None, module="no_such_module_at_all")
    assert compare.measure_times(small_cat, 1, {"iterations": [rival]}, ()) == ([], {"Rival": "not installed"})


@needs_numba
def test_a_real_comparison_with_the_textbook(monkeypatch, small_cat):
    monkeypatch.setattr(rivals, "PAUSE", 0)
    monkeypatch.setattr(compare.kf, "warmup", lambda: None)  # compiles more than this needs
    names = ("kmeans_fast, 8 bits", "kmeans_fast, float32", "textbook NumPy")
    tools = [rivals.find(rivals.ITERATIONS, name) for name in names]
    rows, left_out = compare.measure_times(small_cat, 2, {"iterations": tools}, (4,))
    assert not left_out
    assert [(row["tool"], row["ours"], row["calls"]) for row in rows] == [
        (name, name != "textbook NumPy", 2) for name in names
    ]
    for measured in rows:
        assert measured["seconds"] > 0
        assert measured["error"] == pytest.approx(rows[-1]["error"], rel=1e-6)


def test_who_is_slow_is_called_once_and_the_least_time_counts(monkeypatch):
    durations = {"fast": iter([2.0, 0.5, 1.0]), "slow": iter([2.5])}
    calls = []
    monkeypatch.setattr(rivals, "seconds_of", lambda call: (next(durations[call()]), f"result {len(calls)}"))

    def call(name):
        calls.append(name)
        return name

    found = rivals.take_turns({name: partial(call, name) for name in durations}, 3)
    assert found == {"fast": (0.5, 3, "result 1"), "slow": (2.5, 1, "result 2")}
    assert calls == ["fast", "slow", "fast", "fast"]


@pytest.mark.filterwarnings("default")  # rivals' warnings aren't ours
@pytest.mark.parametrize("tool", [*rivals.PALETTES, rivals.WEIGHTED], ids=lambda tool: tool.name)
@needs_numba
def test_palettes_paint_the_picture(tool, small_cat):
    if reason := tool.missing():
        pytest.skip(f"{tool.name}: {reason}")
    run, paint = tool.make(small_cat)
    painted = paint(run(16))
    assert painted.shape == small_cat.shape
    assert len(np.unique(painted.reshape(-1, 3), axis=0)) <= 16
    assert rivals.mean_squared_distance(small_cat, painted) < small_cat.var(axis=(0, 1)).sum()


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("tool", rivals.ITERATIONS, ids=lambda tool: tool.name)
@needs_numba
def test_all_come_from_the_same_centroids_to_the_same_error(tool, small_cat):
    if reason := tool.missing():
        pytest.skip(f"{tool.name}: {reason}")
    run, error = compare.prepare("iterations", tool, small_cat, 4)
    exact, _ = compare.prepare("iterations", rivals.ITERATIONS[0], small_cat, 4)
    assert error(run()) == pytest.approx(error(exact()), rel=1e-3)


def test_quality_marks_the_lowest_error_and_names_what_is_lower():
    row = {"kmeans_fast": (10.0, 0.01), "one": (9.0, 0.5), "other": (20.0, 0.002)}
    assert list(quality.cells(8, row)) == ["8", "10.00 / 10.0", "**9.00** / 500.0", "20.00 / 2.0"]
    assert quality.loss("cat.png", 8, row) == "cat.png K=8: one 10.00% lower"
    assert quality.loss("cat.png", 8, row | {"one": (10.0, 0.5)}) is None


@pytest.mark.skipif(not rivals.MEMORY_IS_KNOWN, reason="reads the peak from Linux's /proc")
def test_memory_is_measured_in_a_child():
    request = {"picture": None, "megapixels": 0.05, "task": "iterations", "tool": "textbook NumPy", "n_clusters": 16}
    array = 50_000 * 16 * 3 * 8
    assert array < rivals.in_a_child(compare.__file__, request, rivals.UNKEPT) < 4 * array
