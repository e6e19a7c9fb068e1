"""`warmup` and the cache of compiled code: all is compiled, kept, found again, and done without where that can't be."""

import os
import pickle
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from conftest import needs_numba

import kmeans_fast as kf
from kmeans_fast import cli, engines

pytestmark = needs_numba

# Of all kernels this one is compiled soonest.
PROBLEM = """
import numpy as np
from kmeans_fast.engines.numba_seeding import locate
place = locate(np.empty(0), np.arange(10.0), 12.0)
print(place, sum(locate.stats.cache_hits.values()))
"""
ANSWER = 5


def solve(problem=PROBLEM, *arguments, **environment):
    """Run a problem in a new process; return its answer, and how many times code came from the cache."""
    run = subprocess.run(
        [sys.executable, "-P", "-c", problem, *map(str, arguments)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stderr == ""
    return tuple(map(int, run.stdout.split()))


@pytest.fixture(scope="module")
def warm_folder(tmp_path_factory):
    """A cache that holds what the small problem needs."""
    folder = tmp_path_factory.mktemp("cache")
    assert solve(NUMBA_CACHE_DIR=str(folder)) == (ANSWER, 0)
    return folder


@pytest.fixture
def folder(warm_folder, tmp_path):
    """A copy of it, to be spoilt."""
    return shutil.copytree(warm_folder, tmp_path / "cache")


def kept(folder, suffix):
    return sorted(folder.rglob(f"*.{suffix}"))


def cache_state(*fields):
    return import_module("kmeans_fast.engines.numba_cache").CacheState(*fields)


def engines_kernels():
    engines.load("numba")
    return import_module("kmeans_fast.engines.numba_jit").KERNELS


def signatures():
    return {(number, signature) for number, kernel in enumerate(engines_kernels()) for signature in kernel.signatures}


@pytest.mark.stress
def test_after_warmup_nothing_is_left_to_compile():
    kf.warmup()
    warm = signatures()
    random = np.random.default_rng(0)
    for dtype in (np.uint8, np.int16, np.float32):
        for n_features in (1, 3, 4, 6):
            points = (random.random((300, 250, n_features)) * 255).astype(dtype)
            for n_clusters in (3, 300):
                for algorithm in ("auto", "dense"):
                    kf.kmeans(points, n_clusters, init="random", algorithm=algorithm, max_iter=2, engine="numba")
                kf.assign(points[:9], points[0, :n_clusters], engine="numba")
            kf.kmeans(points, 3, max_iter=2, engine="numba")
            if dtype == np.uint8 and n_features < 5:
                kf.quantize(points, 12, engine="numba")
                kf.quantize(points, 300, engine="numba", init="random")
    assert signatures() == warm


def test_the_command_compiles_and_says_so(monkeypatch, capsys):
    called = []
    monkeypatch.setattr("kmeans_fast.warming.warmup", lambda: called.append(True))
    monkeypatch.setattr(engines, "compiled_code", lambda: cache_state("the-folder", True, 18, 18))
    assert cli.main(["warmup"]) == 0
    assert called
    assert capsys.readouterr().out.startswith("18 kernels compiled for this processor, in the-folder (")


@pytest.mark.parametrize(
    ("state", "description"),
    [
        (("f", True, 18, 18), "warm, 18 of 18 kernels compiled for this processor, in f"),
        (("f", False, 18, 3), "partly warm, 3 of 18 kernels compiled for this processor, in f, which can only be read"),
        (("f", True, 18, 0), "cold, 0 of 18 kernels compiled for this processor, in f"),
        ((None, False, 18, 0), "none, as no folder for it can be written to: compiled anew in each process"),
    ],
)
def test_info_says_what_there_is(monkeypatch, capsys, state, description):
    monkeypatch.setattr(engines, "compiled_code", lambda: cache_state(*state))
    assert cli.main(["info"]) == 0
    assert f"cache:       {description}\n" in capsys.readouterr().out


def test_what_is_compiled_is_counted(folder):
    code = "from kmeans_fast.engines import compiled_code as c\nprint(c().n_kernels, c().n_kept)"
    n_kernels, n_kept = solve(code, NUMBA_CACHE_DIR=str(folder))
    assert (n_kernels, n_kept) == (len(engines_kernels()), 1)


def test_code_is_kept_for_the_next_process(folder):
    assert solve(NUMBA_CACHE_DIR=str(folder)) == (ANSWER, 1)


SPOILT = {
    "empty": lambda _: b"",
    "half": lambda data: data[: len(data) // 2],
    "one byte short": lambda data: data[:-1],
    "one bit changed": lambda data: (
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
    ),
    "a length changed": lambda data: data[:7] + bytes([data[7] ^ 255]) + data[8:],
    "something else": lambda _: pickle.dumps("something else"),
}
# As the small problem, with one folder after another: a process for each would take most of its time to start.
PROBLEM_IN_EACH = """
import sys
import numba
import numpy as np
from kmeans_fast.engines.numba_cache import keep_code
from kmeans_fast.engines.numba_jit import _options
from kmeans_fast.engines.numba_seeding import locate

for folder in sys.argv[1:]:
    numba.config.CACHE_DIR = folder
    fresh = numba.njit(**_options(False))(locate.py_func)
    keep_code(fresh)
    print(fresh(np.empty(0), np.arange(10.0), 12.0), sum(fresh.stats.cache_hits.values()))
"""


def test_damaged_files_are_compiled_anew(warm_folder, tmp_path):
    folders = []
    for name, spoil in SPOILT.items():
        for suffix in ("nbi", "nbc"):
            folders.append(shutil.copytree(warm_folder, tmp_path / f"{name}, {suffix}"))
            for path in kept(folders[-1], suffix):
                path.write_bytes(spoil(path.read_bytes()))
    untouched = shutil.copytree(warm_folder, tmp_path / "untouched")
    numbers = solve(PROBLEM_IN_EACH, *folders, untouched)
    answers, hits = numbers[::2], numbers[1::2]
    assert answers == (ANSWER,) * len(answers)
    assert hits == (0,) * len(folders) + (1,)
    assert solve(PROBLEM_IN_EACH, *folders) == (ANSWER, 1) * len(folders)  # and kept again


def test_code_of_another_signature_is_not_used(folder):
    """What two processes that write at once can leave behind: an index that leads to the other one's code."""
    solve(PROBLEM.replace("arange(10.0)", "arange(10)"), NUMBA_CACHE_DIR=str(folder))
    for path in kept(folder, "1.nbc"):
        path.with_name(path.name.replace(".1.nbc", ".2.nbc")).replace(path)
    assert solve(NUMBA_CACHE_DIR=str(folder))[0] == ANSWER


def test_code_for_other_source_is_not_used(folder):
    for path in kept(folder, "nbi"):
        with path.open("rb") as file:
            version, (_, entries) = pickle.load(file), pickle.load(file)  # noqa: S301 -- our own
        path.write_bytes(pickle.dumps(version) + pickle.dumps(("other source", entries)))
    assert solve(NUMBA_CACHE_DIR=str(folder)) == (ANSWER, 0)


def test_without_any_folder_each_process_compiles(tmp_path):
    """No place for a cache: a file where the folder would be, the source on a read-only disk, and no home."""
    package = read_only_package(tmp_path)
    blocked = tmp_path / "file"
    blocked.touch()
    nowhere = {"NUMBA_CACHE_DIR": str(blocked), "HOME": str(blocked), "XDG_CACHE_HOME": str(blocked)}
    assert solve(PYTHONPATH=str(package), **nowhere) == (ANSWER, 0)
    info = subprocess.run(
        [sys.executable, "-P", "-m", "kmeans_fast", "info"],
        env=os.environ | nowhere | {"PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "none, as no folder for it can be written to" in info.stdout
    assert info.stderr == ""


def read_only_package(tmp_path):
    """Copy the package to where __pycache__ is a file, which stops even root from writing there."""
    package = shutil.copytree(
        Path(kf.__file__).parent, tmp_path / "site" / "kmeans_fast", ignore=shutil.ignore_patterns("__pycache__")
    )
    (package / "engines" / "__pycache__").touch()
    return tmp_path / "site"


def test_a_full_disk_stops_no_call(folder):
    """Writing fails from the first byte; the call is right nevertheless, and again in the next process."""
    for path in kept(folder, "nb?"):
        path.unlink()
    code = "import numba.core.caching as c\ndef full(*_): raise OSError(28, 'No space left on device')\n"
    code += "c.IndexDataCacheFile._save_data = c.IndexDataCacheFile._save_index = full\n"
    assert solve(code + PROBLEM, NUMBA_CACHE_DIR=str(folder)) == (ANSWER, 0)
    assert solve(code + PROBLEM, NUMBA_CACHE_DIR=str(folder)) == (ANSWER, 0)


def test_a_folder_that_can_only_be_read_is_read(folder):
    """As in a container that was warmed up when it was built, and has a read-only disk now."""
    code = "import tempfile\ndef refuse(*_, **__): raise OSError(30, 'Read-only file system')\n"
    code += "tempfile.TemporaryFile = refuse\n"
    assert solve(code + PROBLEM, NUMBA_CACHE_DIR=str(folder)) == (ANSWER, 1)


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        (("f", True, 18, 17), "only 17 of 18 compiled kernels could be kept in f"),
        ((None, False, 18, 0), "no folder for compiled code can be written to; NUMBA_CACHE_DIR can name one"),
    ],
)
def test_the_command_fails_where_code_cannot_be_kept(monkeypatch, capsys, state, complaint):
    monkeypatch.setattr("kmeans_fast.warming.warmup", lambda: None)
    monkeypatch.setattr(engines, "compiled_code", lambda: cache_state(*state))
    assert cli.main(["warmup"]) == 1
    assert capsys.readouterr().err == f"kmeans-fast: error: {complaint}\n"
