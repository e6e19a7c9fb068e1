"""Which engine serves a call when none is asked for, what happens where Numba can't, and that freezers see both."""

import inspect
import os
import subprocess
import sys
from modulefinder import ModuleFinder
from pathlib import Path

import pytest
from conftest import needs_compiled_code, needs_numba

import kmeans_fast as kf
from kmeans_fast import engines

ROOT = Path(kf.__file__).parents[1]


@pytest.mark.parametrize(
    ("name", "work", "is_imported", "expected"),
    [
        ("auto", 1, False, "numpy"),
        ("auto", engines.SMALL_WORK, False, "numpy"),
        ("auto", engines.SMALL_WORK + 1, False, "auto"),
        ("auto", 1, True, "auto"),
        ("numba", 1, False, "numba"),
        ("numpy", 10**12, True, "numpy"),
    ],
)
def test_choice(monkeypatch, name, work, is_imported, expected):
    monkeypatch.delitem(sys.modules, "llvmlite", raising=False)
    if is_imported:
        monkeypatch.setitem(sys.modules, "llvmlite", object())
    assert engines.choose(name, work) == expected


@needs_compiled_code
def test_a_small_call_in_a_fresh_process_does_not_import_llvmlite():
    code = """if True:
        import sys
        import numpy as np
        import kmeans_fast as kf
        image = np.arange(3 * 50 * 50).reshape(50, 50, 3).astype(np.uint8)
        engine = kf.kmeans(image, 8).engine
        quantized = kf.quantize(image, 8)
        kf.assign(image, quantized.palette)
        print(engine, "llvmlite" in sys.modules or "numba" in sys.modules)
    """
    assert printed_by(code) == ["numpy False"]


def printed_by(code, *folders, **environment):
    """Return the lines that a script prints in a process that looks for modules in some folders first."""
    path = os.pathsep.join(map(str, [*folders, ROOT]))
    command = [sys.executable, "-W", "error", "-c", code]
    environment = os.environ | {"PYTHONPATH": path} | environment
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


# --------------------------------------------------------------------------------------------- where Numba cannot serve

USE_ALL = """
import kmeans_fast as kf
from kmeans_fast import cli

image = kf.read_image(kf.sample_path())
print(kf.kmeans(image, 8, max_iter=1).engine, kf.quantize(image, 8, max_iter=1).n_colors)
try:
    kf.kmeans(image, 8, engine="numba")
except ImportError as error:
    print(error)
kf.warmup()
assert cli.main(["warmup"]) == cli.main(["info"]) == 0
"""


def check_that_numpy_serves(lines, reason):
    served, refusal, warmed, *info = lines
    assert served == "numpy 8"
    assert refusal == f"engine='numba' can't be had, as {reason}; engine='numpy' works without"
    assert warmed == f"nothing to compile, as {reason}"
    assert f"engine:      numpy, as {reason}" in info
    assert any(line.startswith("cache:       cold, 0 of ") for line in info)


@needs_numba
def test_numba_that_is_switched_off(tmp_path):
    """As it is by everyone who measures coverage."""
    lines = printed_by(USE_ALL, NUMBA_DISABLE_JIT="1", NUMBA_CACHE_DIR=str(tmp_path))
    check_that_numpy_serves(lines, "NUMBA_DISABLE_JIT is set")


@pytest.mark.parametrize("hidden", [("numba",), ("numba", "llvmlite")], ids=str)
def test_numba_that_is_not_installed(tmp_path, hidden):
    hide = f"import sys; sys.modules |= dict.fromkeys({hidden})"
    check_that_numpy_serves(printed_by(hide + USE_ALL, NUMBA_CACHE_DIR=str(tmp_path)), "numba isn't installed")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise ImportError('Numba needs NumPy 2.0 or less')", "ImportError: Numba needs NumPy 2.0 or less"),
        ("np.long_gone", "NameError: name 'np' is not defined"),
        ("from . import config", "ModuleNotFoundError: No module named 'numba.core'"),
    ],
    ids=["for another NumPy", "broken", "with other insides"],
)
def test_numba_that_cannot_be_imported(tmp_path, source, reason):
    """It's tried once in a process."""
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba/config.py").touch()
    (tmp_path / "numba/__init__.py").write_text(f"import sys; print('tried', file=sys.__stdout__)\n{source}\n")
    lines = printed_by(USE_ALL, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert lines.count("tried") == 1
    lines.remove("tried")
    check_that_numpy_serves(lines, f"numba can't be imported ({reason})")


# ----------------------------------------------------------------------------------------------------------- freezers


def test_freezers_see_all_modules():
    """They follow import statements, as the standard library's finder does, and no names made by a program."""
    finder = ModuleFinder([str(ROOT)], excludes=["numpy", "numba", "llvmlite", "imageio", "PIL", "matplotlib"])
    finder.import_hook("kmeans_fast.cli")
    found = {Path(module.__file__) for name, module in finder.modules.items() if name.startswith("kmeans_fast")}
    assert {path.stem for path in (ROOT / "kmeans_fast").rglob("*.py")} >= {"numba_dense", "numpy_dense"}
    left_for_the_user = {ROOT / "kmeans_fast" / name for name in ("__main__.py", "plotting.py")}
    assert set((ROOT / "kmeans_fast").rglob("*.py")) - found == left_for_the_user


# Bundles a program that uses both engines, and runs it.
PROGRAM = """
import kmeans_fast as kf
from kmeans_fast import cli
import numpy as np

points = np.arange(30_000).reshape(10_000, 3) % 251
results = [kf.kmeans(points.astype(np.uint8), 8, max_iter=3, engine=engine) for engine in ("numba", "numpy")]
print(*(result.engine for result in results), results[0].centroids.tobytes() == results[1].centroids.tobytes())
print(cli.main(["info"]))
"""


@pytest.mark.stress
@needs_numba
def test_a_program_bundled_by_pyinstaller(tmp_path):
    pytest.importorskip("PyInstaller", reason="`pip install pyinstaller` for this test")
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--paths", str(ROOT), "program.py"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=900)
    done = subprocess.run([tmp_path / "dist/program/program"], capture_output=True, text=True, check=True, timeout=900)
    first, *info, status = done.stdout.splitlines()
    assert (first, status) == ("numba numpy True", "0")
    assert any(line.startswith("engine:      compiled code") for line in info)


@pytest.mark.parametrize("part", range(5), ids=engines.Engine._fields[1:6])
def test_both_engines_have_the_same_functions(part):
    """The same names, and the same arguments in the same order."""
    compiled, plain = engines._numba_modules()[part], engines._numpy_modules()[part]
    functions = engines._functions(plain)
    assert functions
    for name, function in functions.items():
        other = getattr(compiled, name)
        expected = list(inspect.signature(function).parameters)
        assert list(inspect.signature(getattr(other, "function", other)).parameters) == expected
