"""Wheels: the plain one, and a platform's, with which the suite passes on compiled code where there is no Numba.

And the suite with the oldest versions of all that pyproject.toml asks for. `build`, `twine` and `uv` are installed
where they are needed, into folders of their own.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from conftest import needs_numba

ROOT = Path(__file__).parents[1]
MOST_BYTES = 5_000_000
# What is about the repository, about compiling, or about kernels alone, with arrays that no public function gives them.
NOT_OF_THE_WHEEL = (
    "benchmarks", "codes", "compare", "documentation", "gate", "hashing", "readme", "site_files", "sorting", "warming",
    "wheel",
)  # fmt: skip
PARTS = ("py.typed", "data/cat.png", "data/README.md", "reporting/template/page.html", "cli/__init__.py")
NOT_NEEDED = ("kmeans_fast", "numba", "tbb", "mypy", "ruff", "pre-commit")

pytestmark = [pytest.mark.stress, needs_numba]

USE = """
import sys
import numpy as np
import kmeans_fast as kf

image = kf.read_image(kf.sample_path())
results = [kf.quantize(image, 20, engine=engine) for engine in ("numba", "numpy")]
assert results[0].palette.tobytes() == results[1].palette.tobytes()
assert results[0].labels.tobytes() == results[1].labels.tobytes()
print(kf.kmeans(np.zeros((1000, 1000, 3), np.float32) + np.arange(3), 2).engine, "numba" in sys.modules)
"""


def run(command, cwd=None, **environment):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")} | environment
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(folder, **environment):
    run([sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, ROOT], **environment)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return wheel, archive.namelist()


def environment(folder, *needs):
    """Make a virtual environment with these packages; return its interpreter."""
    run([sys.executable, "-m", "venv", folder])
    interpreter = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if needs:
        run([interpreter, "-m", "pip", "install", *needs])
    return interpreter


@pytest.fixture(scope="module")
def platform_wheel(tmp_path_factory):
    return build(tmp_path_factory.mktemp("platform"), KMEANS_FAST_PRECOMPILE="1")


@pytest.fixture(scope="module")
def python(platform_wheel, tmp_path_factory):
    """The interpreter of an environment that has the wheel and what tests need, but no Numba."""
    folder = tmp_path_factory.mktemp("environment")
    interpreter = environment(folder)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needs = project["dependencies"] + [need for name in extras if name not in ("bench", "all") for need in extras[name]]
    needs = [need for need in needs if re.match(r"[\w-]+", need)[0] not in NOT_NEEDED]
    run([interpreter, "-m", "pip", "install", "--no-deps", platform_wheel[0]])
    run([interpreter, "-m", "pip", "install", *needs])
    return interpreter


def test_the_plain_wheel_is_for_any_platform(tmp_path):
    wheel, names = build(tmp_path)
    assert wheel.name.endswith("-py3-none-any.whl")
    assert [name for name in names if "shipped" in name or name.endswith(".o")] == []
    assert {name.split("/")[0] for name in names} == {"kmeans_fast", "kmeans_fast-0.1.0.dist-info"}
    assert {f"kmeans_fast/{name}" for name in PARTS} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_source_distribution_is_what_git_has(tmp_path):
    """But for dotfiles that only matter to Git; a wheel can be built of it, and both may be uploaded."""
    interpreter = environment(tmp_path / "tools", "build", "twine")
    run([interpreter, "-m", "build", "--outdir", tmp_path, ROOT])
    (made,), (wheel,) = tmp_path.glob("*.tar.gz"), tmp_path.glob("*.whl")
    run([interpreter, "-m", "twine", "check", "--strict", made, wheel])
    with tarfile.open(made) as archive:
        packed = {name.split("/", 1)[1] for name in archive.getnames()}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    tracked = listed.stdout.splitlines()
    left_out = {name for name in tracked if not name.startswith((".github/", ".pre-commit", ".git"))} - packed
    assert left_out == set()
    assert packed - set(tracked) == {"PKG-INFO"}


def test_a_platforms_wheel_brings_objects_for_its_usual_processors(platform_wheel):
    wheel, names = platform_wheel
    assert re.search(r"-py3-none-(manylinux|macosx|win)_\w+\.whl$", wheel.name)
    assert wheel.stat().st_size <= MOST_BYTES
    levels = {}
    for name in names:
        if name.endswith(".o"):
            level, file = name.removeprefix("kmeans_fast/engines/shipped/").split("/")
            levels.setdefault(level, set()).add(file)
    assert set(levels) in ({"x86-64-v2", "x86-64-v3", "x86-64-v4"}, {"generic"})
    assert all(files == levels[level] and len(files) > 50 for level in levels for files in levels.values())


@pytest.mark.parametrize("level", ["", "x86-64-v2", "x86-64-v3"])
def test_it_runs_compiled_without_numba(python, tmp_path, platform_wheel, level):
    if level and not any(level in name for name in platform_wheel[1]):
        pytest.skip("this system has other levels of processors")
    environment = {"NUMBA_CPU_NAME": level, "NUMBA_CACHE_DIR": str(tmp_path)}
    assert run([python, "-P", "-c", USE], **environment) == "numba False\n"
    info = run([python, "-P", "-m", "kmeans_fast", "info"], **environment)
    assert "numba:       not installed\n" in info
    assert re.search(r"warm, (\d+) of \1 kernels compiled for this processor, brought by the wheel", info)
    assert list(tmp_path.rglob("*.o")) == []


def test_the_suite_passes_on_what_it_brings(python, tmp_path):
    """With no way to compile, each test of the compiled engine runs on objects of the wheel."""
    shutil.copytree(ROOT / "tests", tmp_path / "tests")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    left_out = [f"--ignore=tests/test_{name}.py" for name in NOT_OF_THE_WHEEL]
    left_out.append("--deselect=tests/test_engines.py::test_freezers_see_all_modules")
    out = run([python, "-P", "-m", "pytest", "-q", f"--rootdir={tmp_path}", *left_out, "tests"], cwd=tmp_path)
    skipped = re.findall(r"^SKIPPED .*", out, re.MULTILINE)
    others = r"needs numba|a wheel's code serves|Linux|this system|this Pillow|always full|control group|SCIPY_ARRAY"
    assert [line for line in skipped if not re.search(others, line)] == []
    assert int(re.search(r"(\d+) passed", out)[1]) > 2000


def test_the_suite_passes_with_the_oldest_versions_that_are_asked_for(tmp_path):
    """Of what these need themselves the newest is taken, of which they may warn: warnings are no errors here."""
    interpreter = environment(tmp_path / "environment", "uv")
    install = [interpreter, "-m", "uv", "pip", "install", "--python", interpreter]
    run([*install, "--resolution", "lowest-direct", "-e", f"{ROOT}[test]"])
    run([interpreter, "-m", "pytest", "-q", "-o", "filterwarnings=", "-p", "no:cacheprovider"], cwd=ROOT)
