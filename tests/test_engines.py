"""Which engine serves a call when none is asked for, what happens where Numba can't, and that freezers see both."""

import inspect
import os
import subprocess
import sys
from functools import partial
from importlib.util import find_spec
from modulefinder import ModuleFinder
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import needs_compiled_code, needs_numba

import kmeans_fast as kf
from kmeans_fast import engines
from kmeans_fast.engines import objects

ROOT = Path(kf.__file__).parents[1]
compiles_itself = pytest.mark.skipif(objects.SHIPPED.is_dir(), reason="a wheel's code serves without Numba")


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


@pytest.mark.parametrize(("shape", "expected"), [((20_000, 3), "numpy"), ((700, 784), "auto")])
def test_few_points_of_many_features_are_much_work(monkeypatch, shape, expected):
    monkeypatch.delitem(sys.modules, "llvmlite", raising=False)
    chosen, choose = [], engines.choose
    monkeypatch.setattr(engines, "choose", lambda name, work: chosen.append(choose(name, work)) or "numpy")
    points = np.arange(shape[0] * shape[1]).reshape(shape) % 251 / 1.0
    kf.kmeans(points, 10, init=points[:10], max_iter=1)
    kf.assign(points, points[:10])
    assert chosen == [expected, expected]


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
import numpy as np
import kmeans_fast as kf
from kmeans_fast import cli

image = (np.arange(3 * 63_000) % 251).astype(np.uint8).reshape(210, 300, 3)  # with 8 clusters, no small work
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


@pytest.mark.parametrize(
    ("hidden", "reason"),
    [
        pytest.param(("numba",), "numba isn't installed", marks=compiles_itself),
        (("numba", "llvmlite"), "numba isn't installed"),
        pytest.param(("llvmlite",), "llvmlite isn't installed", marks=needs_numba),
    ],
    ids=str,
)
def test_what_is_not_installed(tmp_path, hidden, reason):
    hide = f"import sys; sys.modules |= dict.fromkeys({hidden})"
    check_that_numpy_serves(printed_by(hide + USE_ALL, NUMBA_CACHE_DIR=str(tmp_path)), reason)


@needs_compiled_code
def test_llvmlite_that_cannot_be_loaded(tmp_path):
    """As where its library needs a newer system than this."""
    (tmp_path / "llvmlite").mkdir()
    (tmp_path / "llvmlite/__init__.py").touch()
    (tmp_path / "llvmlite/binding.py").write_text("raise OSError('Could not find libllvmlite.so')")
    lines = printed_by(USE_ALL, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    check_that_numpy_serves(lines, "llvmlite can't be used (OSError: Could not find libllvmlite.so)")


@needs_compiled_code
def test_a_version_of_numpy_that_compiled_code_does_not_know(tmp_path):
    other = "from kmeans_fast.engines import loading\nloading.layout_is_known = lambda: False\n"
    reason = "this version of NumPy lays out its arrays in a way that compiled kernels don't know"
    lines = printed_by(other + USE_ALL, NUMBA_CACHE_DIR=str(tmp_path))
    check_that_numpy_serves(lines, f"llvmlite can't be used (ImportError: {reason})")


@needs_numba
def test_a_processor_asked_for_that_is_not_this_one(tmp_path):
    code = USE_ALL[: USE_ALL.index("print")] + "print(kf.kmeans(image, 8, max_iter=1).engine)\ncli.main(['info'])"
    served, *info = printed_by(code, NUMBA_CACHE_DIR=str(tmp_path), NUMBA_CPU_NAME="pentium-mmx")
    assert served == "numpy"
    reason = "NUMBA_CPU_NAME is 'pentium-mmx', whose code can't run on this processor"
    assert [line for line in info if line.startswith(f"engine:      numpy, as {reason}")]


@compiles_itself
@pytest.mark.skipif(find_spec("llvmlite") is None, reason="needs llvmlite, which comes with numba")
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


# ------------------------------------------------------------------------------------- one engine goes on in the other

# Functions that leave state for others are tried in all calls that use them, others in two.
STATEFUL = {"lower_to_centroid", "relabel", "lower", "count", "tally", "move"}
FUNCTIONS = [
    (part, name)
    for part, module in zip(engines.Engine._fields[2:], engines._numpy_modules(), strict=True)
    for name in engines._functions(module)
]


def calls_of_all(image):
    """Return calls of the public functions that reach all kernels; the picture, twice, is counted in tables."""
    part = image[:40]
    clear, floats, weights = np.dstack([part, part[..., 0]]), part[:5].astype(np.float32), np.arange(300)
    distinct = np.arange(2**18, dtype=np.uint32).view(np.uint8).reshape(-1, 4)
    repeated = np.tile(distinct, (2, 1))  # counted in tables that grow, where distinct ones are sorted
    scattered = (np.arange(2**17 + 2**8, dtype=np.uint32) * np.uint32(0x9E3779B1)).view(np.uint8).reshape(-1, 256, 4)
    large = np.tile(image, (2, 1, 1))
    opaque = np.dstack([large, np.where(large[..., :1] < 9, 200, 255).astype(np.uint8)])
    calls = [
        partial(kf.quantize, large, 16, max_iter=3),
        partial(kf.quantize, image[:2], 4, max_iter=1, effort=2),
        partial(kf.quantize, part, 10, init="k-means++", max_iter=3),
        partial(kf.quantize, clear, 20, max_iter=3),
        partial(kf.quantize, scattered, 2, max_iter=1),
        partial(kf.quantize, part[:20, :60], 4, max_iter=1, dither="floyd-steinberg"),  # slow where it is NumPy's
        partial(kf.quantize, part, 4, max_iter=1, space="lab"),
        partial(kf.quantize, part, 40, max_iter=1, dither="bayer"),
        partial(kf.quantize, part, 4, max_iter=1, min_region=9),
        partial(kf.quantize, part / np.float32(255), 4, max_iter=1),
        partial(kf.kmeans, part, 4, init="random", max_iter=3),
        partial(kf.kmeans, floats, 40, max_iter=2),
        partial(kf.kmeans, floats[0, :300], 4, max_iter=3, sample_weight=weights),
        partial(kf.kmeans, floats, 3, init=floats[0, [0, 9, 0]], max_iter=1),  # one is left without points
        partial(kf.kmeans, floats, 9, init=floats[0, :9], max_iter=3),
        partial(kf.kmeans, np.dstack([floats] * 4), 9, max_iter=2),
        partial(kf.kmeans, image[:20].astype(np.float32), 8, max_iter=2, algorithm="dense"),
        partial(kf.kmeans, np.dstack([floats, floats]), 3, max_iter=2),  # too few to round points for
        partial(kf.assign, floats, floats[0, :9]),
    ]
    counted = (distinct, repeated, opaque, large * np.uint16(257))
    return calls + [partial(kf.ColorHistogram.from_image, pixels) for pixels in counted]


def bytes_of(call):
    result = call(engine="auto", n_threads=2)
    if isinstance(result, np.ndarray):
        return result.tobytes()
    if isinstance(result, kf.ColorHistogram):
        return result.codes.tobytes()
    return result.labels.tobytes() + result.counts.tobytes()


@pytest.fixture(scope="module")
def small_is_large():
    """Few points are clustered on cells, and cut into pieces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kmeans_fast.points.cell_passes.LEAST_POINTS", 1000)
        patch.setattr("kmeans_fast.points.cell_passes.LEAST_COMPARED", 27)
        patch.setattr("kmeans_fast.machine.chunks.PIECE_WORK", 2**17)
        patch.setattr("kmeans_fast.imaging.finding.MANY_COLORS", 2**16)
        yield


def noting(kernels, used):
    """Return an engine whose functions add their names to a set when they are called."""

    def note(name, function):
        return lambda *arguments: used.add(name) or function(*arguments)

    for part in {part for part, _ in FUNCTIONS}:
        functions = {name: note((part, name), each) for name, each in vars(getattr(kernels, part)).items()}
        kernels = kernels._replace(**{part: SimpleNamespace(**functions)})
    return kernels


@pytest.fixture(scope="module")
def calls(cat, small_is_large):
    """Return calls, the bytes that each gives, and the functions that each uses, by the engine's name."""
    noted, load = [], engines.load
    with pytest.MonkeyPatch.context() as patch:
        for call in calls_of_all(cat):
            used, given = {"numba": set(), "numpy": set()}, set()
            for name in used:
                kernels = noting(load(name), used[name])
                patch.setattr(engines, "load", lambda _, kernels=kernels: kernels)
                given.add(bytes_of(call))
            noted.append((call, given.pop(), used))
            assert not given  # both gave the same
    return noted


@needs_compiled_code
@pytest.mark.parametrize(("part", "name"), FUNCTIONS)
def test_any_call_may_be_served_by_either_engine(calls, monkeypatch, part, name):
    """One function by NumPy and all others compiled, as when code for all but one is there, and the reverse."""
    compiled, plain, called = engines.load("numba"), engines.load("numpy"), set()
    for most, other in ((compiled, plain), (plain, compiled)):

        def function(*arguments, most=most, other=other):
            called.add(most.name)
            return getattr(getattr(other, part), name)(*arguments)

        mixed = most._replace(**{part: SimpleNamespace(**vars(getattr(most, part)) | {name: function})})
        monkeypatch.setattr(engines, "load", lambda _, mixed=mixed: mixed)
        that_use_it = [(call, expected) for call, expected, used in calls if (part, name) in used[most.name]]
        for call, expected in that_use_it if name in STATEFUL else that_use_it[-2:]:
            assert bytes_of(call) == expected
    rounds = part in ("shorts", "halves")  # which doesn't pay for NumPy alone
    assert called == ({"numba"} if rounds else {"numba", "numpy"})


# ----------------------------------------------------------------------------------------------------------- freezers


def test_freezers_see_all_modules():
    """They follow import statements, as the standard library's finder does, and no names made by a program."""
    others = ["numpy", "numba", "llvmlite", "imageio", "PIL", "matplotlib", *sys.stdlib_module_names]
    finder = ModuleFinder([str(ROOT)], excludes=others)
    finder.import_hook("kmeans_fast.cli")
    found = {Path(module.__file__) for name, module in finder.modules.items() if name.startswith("kmeans_fast")}
    assert {path.stem for path in (ROOT / "kmeans_fast").rglob("*.py")} >= {"numba_dense", "numpy_dense"}
    imported_by_the_user = ("__main__.py", "sklearn.py", "points/blocks.py")
    left_for_the_user = {ROOT / "kmeans_fast" / name for name in imported_by_the_user}
    for folder in ("dask", "plotting"):
        left_for_the_user |= set((ROOT / "kmeans_fast" / folder).glob("*.py"))
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


@pytest.mark.parametrize("part", range(len(engines.Engine._fields) - 2), ids=engines.Engine._fields[2:])
def test_both_engines_have_the_same_functions(part):
    """The same names, and the same arguments in the same order."""
    compiled, plain = engines._numba_modules()[part], engines._numpy_modules()[part]
    functions = engines._functions(plain)
    assert functions
    for name, function in functions.items():
        other = getattr(compiled, name)
        expected = list(inspect.signature(function).parameters)
        assert list(inspect.signature(getattr(other, "function", other)).parameters) == expected
