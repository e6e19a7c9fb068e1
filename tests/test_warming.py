"""`warmup`, and objects of compiled code: all is compiled, kept, found again, and done without where that can't be."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import needs_numba

import kmeans_fast as kf
from kmeans_fast import cli, engines, warming
from kmeans_fast.engines import background, child, levels, loading, numba_jit, numba_seeding, objects, serving

pytestmark = needs_numba

PACKAGE = Path(kf.__file__).parent
WITHOUT_CODE = shutil.ignore_patterns("__pycache__")

# Of all kernels this one is compiled soonest.
PROBLEM = """
import sys
import numpy as np
from kmeans_fast import engines
place = engines.load("numba").seeding.locate(np.empty(0), np.arange(10.0), 12.0)
print(place, int("numba" not in sys.modules))
"""
ANSWER = 5
# Numba imports SciPy where it is installed, which takes as long as all else, and is for none of our kernels.
WITHOUT_SCIPY = "import sys\nsys.modules['scipy'] = None\n"


def solve(problem=PROBLEM, **environment):
    """Run a problem in a new process; return its answer, and whether it did without Numba."""
    run = run_python(problem, **environment)
    assert run.stderr == ""
    return tuple(map(int, run.stdout.split()))


def run_python(code, *options, **environment):
    command = [sys.executable, "-P", *options, "-c", WITHOUT_SCIPY + code]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)


@pytest.fixture(scope="module")
def warm_folder(tmp_path_factory):
    """A folder that holds what the small problem needs."""
    folder = tmp_path_factory.mktemp("cache")
    assert solve(NUMBA_CACHE_DIR=str(folder)) == (ANSWER, 0)
    return folder


@pytest.fixture
def solve_here(warm_folder, monkeypatch):
    """Solve it in this process, which has forgotten what it compiled, with a folder; what `solve` returns."""
    compiled, compile_now, load = [], serving.compile_now, loading.load
    known = {(path.stem, path.read_bytes()[32:].split(b"\n", 6)[6]) for path in kept(warm_folder)}

    def load_known(code, symbol):
        assert compiled or (symbol, code) in known, "what isn't good code, and might end this process, was used"
        known.add((symbol, code))
        return load(code, symbol)

    monkeypatch.setattr(loading, "load", load_known)
    monkeypatch.setattr(serving, "compile_now", lambda variant: (compiled.append(variant), compile_now(variant)))

    def solve_here(folder, dtype=np.float64):
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(folder))
        monkeypatch.setattr(numba_seeding.locate, "_variants", {})
        compiled.clear()
        place = engines.load("numba").seeding.locate(np.empty(0, dtype), np.arange(10.0), 12.0)
        return place, int(not compiled)

    return solve_here


@pytest.fixture
def folder(warm_folder, tmp_path):
    """A copy of it, to be spoilt."""
    return shutil.copytree(warm_folder, tmp_path / "cache")


def kept(folder):
    return sorted(folder.rglob("*.o"))


ALL_KERNELS = """
from kmeans_fast import engines, warming
from kmeans_fast.engines import numba_jit, serving

engines.load("auto")
missing = {variant.job.kernel for variant in serving.missing_for(lambda: warming._use(everything=False))}
print({kernel.name for kernel in numba_jit.KERNELS} - missing)
"""


def test_no_kernel_is_left_out(tmp_path):
    """So that a platform's wheel brings the code of all, too."""
    assert run_python(ALL_KERNELS, NUMBA_CACHE_DIR=str(tmp_path)).stdout == "set()\n"


@pytest.mark.stress
def test_after_warmup_nothing_is_left_to_compile(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    kf.warmup()

    def use():
        random = np.random.default_rng(0)
        for dtype in (np.uint8, np.float32, np.float64):
            is_picture = dtype == np.uint8
            for n_features in (1, 3, 4) if is_picture else (1, 3, 4, 6, 20):
                points = (random.random((300, 250, n_features)) * 255).astype(dtype)
                for n_clusters in (3, 200):
                    for algorithm in ("auto",) if is_picture else ("auto", "dense"):
                        kf.kmeans(points, n_clusters, init="random", algorithm=algorithm, max_iter=2)
                    if not is_picture:
                        kf.assign(points[:9], points[0, :n_clusters])
                kf.kmeans(points, 3, max_iter=2)
                if is_picture:
                    kf.quantize(points, 12)
                    kf.quantize(points, 200, init="random")

    assert serving.missing_for(use) == []


def test_several_processes_compile_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    for kernel in numba_jit.KERNELS:
        monkeypatch.setattr(kernel, "_variants", {})

    def use():
        """Call kernels that are soon compiled; one for two signatures."""
        auto = engines.load("auto")
        for dtype in (np.float32, np.float64):
            auto.seeding.locate(np.empty(0), np.arange(10, dtype=dtype), 12.0)
        auto.sorting.count_runs(np.arange(9, dtype=np.uint32), 0, 9)
        auto.sorting.count_digits(np.arange(9, dtype=np.uint32), 0, np.zeros(256, np.int64))

    missing = serving.missing_for(use)
    assert len(missing) == 4
    serving.compile_at_once(missing, objects.writable_folder(), levels.best_level(), 2)
    assert len(kept(tmp_path)) == len(missing)
    assert serving.missing_for(use) == []


def test_the_command_compiles_and_says_so(monkeypatch, capsys):
    called = []
    monkeypatch.setattr("kmeans_fast.warming.warmup", lambda *, everything: called.append(everything))
    monkeypatch.setattr(warming, "compiled_code", lambda: warming.CompiledCode("the-folder", True, 18, 15))
    assert cli.main(["warmup"]) == cli.main(["warmup", "--all"]) == 0
    assert called == [False, True]
    assert capsys.readouterr().out.startswith("15 kernels compiled for this processor, in the-folder (")


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
    monkeypatch.setattr(warming, "compiled_code", lambda: warming.CompiledCode(*state))
    assert cli.main(["info"]) == 0
    assert f"cache:       {description}\n" in capsys.readouterr().out


def test_what_is_compiled_is_counted(warm_folder):
    code = "from kmeans_fast.warming import compiled_code as c\nprint(c().n_kernels, c().n_kept)"
    n_kernels, n_kept = solve(code, NUMBA_CACHE_DIR=str(warm_folder))
    assert n_kernels > 10
    assert n_kept == 1


def test_code_is_kept_for_the_next_process(folder):
    assert solve(NUMBA_CACHE_DIR=str(folder)) == (ANSWER, 1)


SPOILT = {
    "empty": lambda _: b"",
    "half": lambda data: data[: len(data) // 2],
    "one byte short": lambda data: data[:-1],
    "one bit changed": lambda data: (
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
    ),
    "its checksum changed": lambda data: data[:7] + bytes([data[7] ^ 255]) + data[8:],
    "something else": lambda _: b"something else",
}


@pytest.mark.parametrize("how", SPOILT)
def test_damaged_files_are_compiled_anew(folder, solve_here, how):
    assert solve_here(folder) == (ANSWER, 1)
    for path in kept(folder):
        path.write_bytes(SPOILT[how](path.read_bytes()))
    assert solve_here(folder) == (ANSWER, 0)
    assert solve_here(folder) == (ANSWER, 1)  # and kept again


def test_code_of_another_signature_is_not_used(folder, solve_here):
    """What a wrong name, or a folder put together by hand, could lead to."""
    (own,) = kept(folder)
    assert solve_here(folder, np.float32) == (ANSWER, 0)
    other = next(path for path in kept(folder) if path != own)
    other.replace(own)
    assert solve_here(folder) == (ANSWER, 0)


def test_code_for_other_source_is_not_used(folder, solve_here, monkeypatch):
    monkeypatch.setattr(objects, "source_stamp", lambda: "other source")
    assert solve_here(folder) == (ANSWER, 0)


def test_code_for_another_processor_is_not_used(folder, solve_here, monkeypatch):
    """Neither where it has another level's name, nor where this processor lacks what it needs."""
    (path,) = kept(folder)
    with monkeypatch.context() as patch:
        has = levels.can_run
        patch.setattr(levels, "can_run", lambda level: level != path.parent.name and has(level))
        assert solve_here(folder) == (ANSWER, 0)
    for other in set(kept(folder)) - {path}:
        other.unlink()
    path.parent.rename(path.parent.with_name("x86-64"))
    assert solve_here(folder) == (ANSWER, 0)


def test_without_any_folder_each_process_compiles(tmp_path):
    """No place for code: a file where the folder would be, the source on a read-only disk, and no home."""
    package = read_only_package(tmp_path)
    blocked = tmp_path / "file"
    blocked.touch()
    nowhere = {"NUMBA_CACHE_DIR": str(blocked), "HOME": str(blocked), "XDG_CACHE_HOME": str(blocked)}
    code = PROBLEM + "from kmeans_fast import cli\nprint(cli.main(['info']), file=sys.stderr)\n"
    run = run_python(code, PYTHONPATH=str(package), **nowhere)
    answer, *info = run.stdout.splitlines()
    assert answer == f"{ANSWER} 0"
    assert "none, as no folder for it can be written to" in "\n".join(info)
    assert run.stderr == "0\n"


def read_only_package(tmp_path):
    """Copy the package to where __pycache__ is a file, which stops even root from writing there."""
    package = shutil.copytree(PACKAGE, tmp_path / "site" / PACKAGE.name, ignore=WITHOUT_CODE)
    (package / "engines" / "__pycache__").touch()
    return tmp_path / "site"


def test_a_full_disk_stops_no_call(tmp_path, solve_here, monkeypatch):
    """Writing fails from the first byte; the call is right nevertheless, and again in the next process."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(objects, "replace_file", full)
    for _ in range(2):
        assert solve_here(tmp_path) == (ANSWER, 0)
    assert kept(tmp_path) == []


def test_a_folder_that_can_only_be_read_is_read(warm_folder, solve_here, monkeypatch):
    """As in a container that was warmed up when it was built, and has a read-only disk now."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert solve_here(warm_folder) == (ANSWER, 1)


def test_the_command_fails_where_code_cannot_be_kept(monkeypatch, capsys):
    monkeypatch.setattr(objects, "writable_folder", lambda: None)
    assert cli.main(["warmup"]) == 1
    message = "no folder for compiled code can be written to; NUMBA_CACHE_DIR can name one"
    assert capsys.readouterr().err == f"kmeans-fast: error: {message}\n"


# ---------------------------------------------------------------------------------------------- beside NumPy's service

# Has kernels compiled beside it from the first call on, as if NumPy had cost a process as much as that already.
BESIDE = """
import os, signal, sys, time
import numpy as np
import llvmlite
import kmeans_fast as kf
from kmeans_fast import engines
from kmeans_fast.engines import background

background.SECONDS, background.OTHER_SECONDS = {}, -1.0
points = np.arange(210).reshape(70, 3).astype(np.uint8)

def call():  # two calls, of kernels that are soon compiled: the second is missed when the first is being compiled
    labels = kf.assign(points, points[:4])
    return labels.tolist(), engines.load("auto").sorting.count_runs(np.arange(9, dtype=np.uint32), 0, 9)

first = call()
assert background._state.process is not None, "nothing is compiled"
"""


# Calls until nothing is compiled any more.
WAIT = """
for _ in range(600):
    assert call() == first
    if background._state.process is None:
        break
    time.sleep(0.05)
print(len(background._state.given_up) > 0, background._state.process)
"""


def run_beside(tmp_path, code, numba=""):
    """Run code after kernels began to be compiled; by a Numba of this source where one is given."""
    before = ""
    if numba:
        (tmp_path / "site/numba").mkdir(parents=True)
        (tmp_path / "site/numba/__init__.py").write_text(numba)
        before = f"import sys\nsys.path.insert(0, {str(tmp_path / 'site')!r})\n"
    command = [sys.executable, "-P", "-c", before + BESIDE + code]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


BROKEN = "raise ImportError('Numba needs NumPy 2.0 or less')\n"
# Takes its time, as a real one does, but no processor's.
SLOW = "import time\ntime.sleep(1)\n" + BROKEN


def test_calls_switch_over_when_code_is_there(tmp_path):
    done = run_beside(
        tmp_path,
        """
from kmeans_fast.engines import serving
while missing := serving.missing_for(call):
    assert call() == first
    time.sleep(0.05)
assert call() == first
print(len(missing), "numba" in sys.modules)
""",
    )
    assert (done.stdout, done.stderr, done.returncode) == ("0 False\n", "", 0)


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("raise SystemError('on purpose')", 1),
        ("os._exit(7)", 7),
    ],
)
def test_a_process_can_end_while_code_is_compiled(tmp_path, end, status):
    done = run_beside(tmp_path, end, SLOW)
    assert done.returncode == status
    assert ("on purpose" in done.stderr) == ("on purpose" in end)
    assert done.stderr == "" or "on purpose" in end


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_while_code_is_compiled(tmp_path):
    done = run_beside(
        tmp_path,
        """
child = os.fork()
assert call() == first
if child == 0:
    os._exit(0)
print(os.waitpid(child, 0)[1], background._state.process.poll())
""",
        SLOW,
    )
    assert (done.stdout, done.returncode) == ("0 None\n", 0)  # and it still goes on
    assert "Warning" not in done.stderr


def test_what_cannot_be_compiled_leaves_numpy_in_place(tmp_path, monkeypatch):
    done = run_beside(tmp_path, "background._state.process.kill()\n" + WAIT, SLOW)
    assert (done.stdout, done.stderr) == ("True None\n", "")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert f"the compiler was ended, status {-signal.SIGKILL}" in warming.describe()["failed"]


def test_a_table_says_when_compiling_begins(monkeypatch):
    """Once NumPy has cost a process more, in a kernel's place, than compiling it takes; others go along."""
    engines.load("auto")  # or else there are few kernels yet, where no other test ran before
    assert {objects.short_name(kernel.name) for kernel in numba_jit.KERNELS} >= set(background.SECONDS)
    assert min(background.SECONDS.values()) > background.OTHER_SECONDS
    started = []
    nothing = [sys.executable, "-c", ""]
    monkeypatch.setattr(child, "start", lambda jobs, _: started.append(jobs) or subprocess.Popen(nothing))
    for kernel in ("numba_cells._relabel", "numba_histogram._search"):
        seconds = background.SECONDS.get(kernel, background.OTHER_SECONDS)
        monkeypatch.setattr(background, "_state", background._State())
        dear, cheap = (numba_jit.Variant(objects.Job(f"kmeans_fast.engines.{name}", "[]")) for name in (kernel, "a.b"))
        background.charge(cheap, 0.01)
        for _ in range(4):
            background.charge(dear, seconds / 4)
        assert started == []
        background.charge(dear, 0.001)
        assert started.pop() == [dear.job, cheap.job]
        background.charge(dear, 100)
        assert started == []
        background._state.process.wait()


@pytest.mark.parametrize("why", ["switched off", "frozen", "embedded", "no memory"])
def test_where_nothing_can_be_compiled_nothing_is_started(monkeypatch, why):
    """A frozen program's executable is the program, and that of a server may be the server."""

    def fail(*_):
        raise OSError(12, "Cannot allocate memory")

    started = []
    monkeypatch.setattr(child, "start", fail if why == "no memory" else lambda *_: started.append(why))
    monkeypatch.setattr(background, "_state", background._State())
    if why == "frozen":
        monkeypatch.setattr(sys, "frozen", True, raising=False)
    elif why == "embedded":
        monkeypatch.setattr(sys, "executable", "/usr/bin/uwsgi")
    elif why == "switched off":
        monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    variant = numba_jit.Variant(objects.Job("kmeans_fast.engines.a.b", "[]"))
    for _ in range(2):
        background.charge(variant, 100.0)
    assert started == []
    assert background._state.given_up == {variant}


def test_what_could_not_be_compiled_is_told_until_it_can_be(tmp_path, monkeypatch, capsys):
    """Numba that can't be imported by the process that compiles, and is mended later."""
    done = run_beside(tmp_path, WAIT, BROKEN)
    assert (done.stdout, done.stderr) == ("True None\n", "")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    told = warming.describe()["failed"]
    assert re.search(r"numba_dense\.\w+.* couldn't be compiled, so that numpy serves: ImportError: Numba", told)
    for kernel in numba_jit.KERNELS:
        monkeypatch.setattr(kernel, "_variants", {})
    points = np.arange(210).reshape(70, 3).astype(np.uint8)
    kf.assign(points, points[:4], engine="numba")
    engines.load("numba").sorting.count_runs(np.arange(9, dtype=np.uint32), 0, 9)
    assert "failed" not in warming.describe()


def test_other_ways_to_run_python(tmp_path):
    """Without docstrings and assertions, and from a zip file, which objects are found for until it is made anew."""
    package = shutil.copytree(PACKAGE, tmp_path / "site" / PACKAGE.name, ignore=WITHOUT_CODE)
    archive = shutil.make_archive(tmp_path / "application", "zip", package.parent, package.name)
    environment = {"PYTHONPATH": archive, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def run(problem):
        return run_python(problem, "-OO", **environment).stdout.split()

    assert [run(PROBLEM), run(PROBLEM)] == [[str(ANSWER), "0"], [str(ANSWER), "1"]]
    os.utime(archive, (1, 1))
    auto = 'auto = engines.load("auto")\nprint(auto.seeding.locate(np.empty(0), np.arange(10.0), 12.0), auto.served_by)'
    assert run(PROBLEM[: PROBLEM.index("place")] + auto) == [str(ANSWER), "numpy"]
