"""The gate against slowdowns: what it compares with, and what it calls slower. Nothing is timed here."""

import importlib.util
import io
import sys
from pathlib import Path

import pytest

import kmeans_fast as kf

GATE = Path(__file__).parents[1] / "asv_benchmarks" / "gate.py"


@pytest.fixture
def gate():
    spec = importlib.util.spec_from_file_location("gate", GATE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Replayed:
    """A side whose times are made up: for each benchmark those of its processes, the last one for ever."""

    def __init__(self, times):
        self.times = {name: list(values) for name, values in times.items()}
        self.least = {}
        self.processes = dict.fromkeys(times, 0)

    def start(self):
        self.ran = set()

    def get_ready(self):
        for name in self.times:
            self.least.setdefault(name, float("inf"))

    def run(self, name):
        self.ran.add(name)
        self.least[name] = min(self.least[name], self.times[name][0])

    def stop(self):
        for name in self.ran:
            self.processes[name] += 1
            if len(self.times[name]) > 1:
                del self.times[name][0]


def test_a_slowdown_is_found_and_named(gate, capsys):
    new, old = Replayed({"a": [1.0], "b": [1.3]}), Replayed({"a": [1.0], "b": [1.0]})
    assert gate.measure(new, old, 3) == ["b"]
    lines = gate.table(new, old, "0123456789abcdef").splitlines()
    assert [line.endswith("SLOWER") for line in lines] == [False, False, True]
    assert lines[0].split() == ["ms,", "the", "least", "of", "all", "rounds", "012345678", "now", "ratio"]
    assert lines[2].split() == ["b", "1000.00", "1300.00", "1.30", "SLOWER"]
    assert "once more: b" in capsys.readouterr().out


def test_what_seems_slower_is_measured_in_new_processes(gate):
    """In the first four of the new side's processes memory lay badly."""
    new, old = Replayed({"a": [9.0] * 4 + [1.0], "b": [1.0]}), Replayed({"a": [1.0], "b": [1.0]})
    assert gate.measure(new, old, 3) == []
    assert (new.processes, old.processes) == ({"a": 5, "b": 3}, {"a": 5, "b": 3})


def test_a_little_slower_passes(gate):
    assert gate.measure(Replayed({"a": [1.1]}), Replayed({"a": [1.0]}), 2) == []


def test_only_what_both_know_is_compared(gate):
    new, old = Replayed({"a": [1.0], "only now": [9.0]}), Replayed({"a": [1.0], "no more": [1.0]})
    assert gate.measure(new, old, 1) == []
    assert len(gate.table(new, old, "f" * 40).splitlines()) == 2


def test_the_base_is_the_last_commit_with_results_or_else_the_parent(gate, monkeypatch, tmp_path):
    commits = [letter * 40 for letter in "dcba"]
    monkeypatch.setattr(gate, "git", lambda *_: "\n".join(commits))
    assert gate.find_base(tmp_path) == "d" * 40
    for machine, commit in ((gate.MACHINE, "a"), (gate.MACHINE, "c"), ("one of one's own", "d")):
        (tmp_path / machine).mkdir(exist_ok=True)
        (tmp_path / machine / f"{commit * 8}-existing.json").touch()
    assert gate.find_base(tmp_path) == "c" * 40


def test_the_first_commit_passes(gate, monkeypatch, capsys):
    monkeypatch.setattr(gate, "git", lambda *_: "")
    monkeypatch.setattr(sys, "argv", ["gate.py"])
    assert gate.main() == 0
    assert "no commit before this one" in capsys.readouterr().out


def test_a_slow_package_does_not_pass(gate, monkeypatch, capsys):
    """All of it, with made-up sides: a table is printed, and the status says no."""
    sides = iter([Replayed({"a": [1.5]}), Replayed({"a": [1.0]})])
    monkeypatch.setattr(gate, "Side", lambda *_: next(sides))
    monkeypatch.setattr(gate, "git", lambda *_: "f" * 40 + "\n")
    monkeypatch.setattr(sys, "argv", ["gate.py", "--processes", "2"])
    assert gate.main() == 1
    assert "slower than fffffffff by more than 15%: a" in capsys.readouterr().out


def test_what_an_earlier_commit_lacks_is_left_out_but_must_work_now(gate, monkeypatch, capsys):
    monkeypatch.setattr(gate, "make_benchmarks", lambda: {"a": lambda: None, "b": lambda: kf.not_yet})
    monkeypatch.setattr(sys, "stdin", io.StringIO("a\n"))
    gate.work(gate.ROOT.parent)  # any other folder that this package is in
    known, seconds = capsys.readouterr().out.splitlines()
    assert (known, float(seconds) > 0) == ('["a"]', True)
    with pytest.raises(AttributeError, match="not_yet"):
        gate.work(gate.ROOT)
