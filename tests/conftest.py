"""Pictures and arrays that many tests share; all read-only, so that a test fails if an input is written to."""

import gc
import shutil
import sys

import chromium
import numpy as np
import PIL
import pytest
import xdist
from hypothesis import HealthCheck, settings
from PIL import Image
from xdist.scheduler import WorkStealingScheduling

import kmeans_fast as kf
from kmeans_fast.engines import obstacles

# Compiling takes a while, which says nothing about the example that happened to come first. The same examples are drawn
# each time, so that no run depends on luck; `pytest --hypothesis-profile=search` looks for others.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("default", settings.get_profile("search"), derandomize=True)
settings.load_profile("default")

# Modules and tests that take seconds: `pytest -m short` runs all but these.
LONG = {
    "test_benchmarks",
    "test_cells",
    "test_cli",
    "test_cli_compress",
    "test_color_seeding",
    "test_combinations",
    "test_compare",
    "test_dask",
    "test_dithering",
    "test_effort",
    "test_engines",
    "test_files",
    "test_fixed",
    "test_gate",
    "test_histogram",
    "test_hostile",
    "test_limits",
    "test_memory",
    "test_notebooks",
    "test_palette_files",
    "test_plotting",
    "test_point_cells",
    "test_products",
    "test_reporting",
    "test_servers",
    "test_halves",
    "test_shorts",
    "test_site_files",
    "test_sklearn",
    "test_sorting",
    "test_sources",
    "test_spaces",
    "test_spaces_16",
    "test_sums",
    "test_thinning",
    "test_tiff",
    "test_translucency",
    "test_translucency_16",
    "test_warming",
    "test_draws_are_the_same_on_every_engine_and_thread",
    "test_drawn_float_arrays",
    "test_every_dtype_gives_the_textbook_result",
    "test_many_callers_at_once",
    "test_small_crowded_arrays",
    "test_whole_picture_on_any_number_of_threads",
}

MANY_TESTS = 500

# Where a wheel brings compiled code, that is tested without numba too.
ENGINES = [name for name in ("numba", "numpy") if name != "numba" or not obstacles.to_compiled_code()]
needs_compiled_code = pytest.mark.skipif("numba" not in ENGINES, reason="needs numba or its compiled code")
needs_pillow_13 = pytest.mark.skipif(int(PIL.__version__.split(".")[0]) < 13, reason="this Pillow reads it wrongly")
needs_numba = pytest.mark.skipif(not obstacles.numba_is_installed(), reason="needs numba, which isn't installed")


def locked(array):
    array.setflags(write=False)
    return array


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items):
    for item in items:
        names = {item.path.stem, getattr(item, "originalname", item.name)}
        if not names & LONG and not any(map(item.get_closest_marker, ("stress", "browser"))):
            item.add_marker("short")


def pytest_sessionstart(session):
    """Compile before several processes start, which would all compile the same."""
    if session.config.getoption("numprocesses", None):  # None in those processes
        warm_up()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Let each process have tests that stand together: they need the same fixtures and compiled code."""
    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None


def pytest_collection_finish(session):
    gc.freeze()  # thousands of tests, and what was imported, needn't be looked over for garbage again and again
    if len(session.items) > MANY_TESTS and not session.config.option.collectonly and not xdist.is_xdist_worker(session):
        warm_up()


def warm_up():
    """Compile what most tests need on all processors at once."""
    if obstacles.numba_is_installed():
        kf.warmup()


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture(scope="module")
def filtered_though_few():
    """Have few points compared by the filters, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kmeans_fast.engines.numba_dense.PLAIN_WORK", 0)
        yield


@pytest.fixture(scope="session")
def cat():
    """The sample picture, (300, 451, 3) uint8."""
    with Image.open(kf.sample_path()) as picture:
        return locked(np.array(picture.convert("RGB")))


@pytest.fixture(scope="session")
def small_cat(cat):
    """A part of it that is no multiple of any block: (61, 97, 3) uint8, about 3,700 colours."""
    return locked(cat[100:161, 120:217].copy())


@pytest.fixture(autouse=True)
def _folder_of_a_page(request, monkeypatch):
    """Let the examples of a page of the documentation run in a folder of their own, with the sample picture in it."""
    if request.path.suffix == ".rst":
        folder = request.getfixturevalue("tmp_path")
        shutil.copy(kf.sample_path(), folder / "cat.png")
        monkeypatch.chdir(folder)


@pytest.fixture
def browser(tmp_path):
    """Headless Chromium, in a profile of its own."""
    if chromium.CHROMIUM is None:
        pytest.skip("Chromium isn't installed")
    if sys.platform == "win32":
        pytest.skip("speaks to Chromium through inherited pipes")
    opened = chromium.Browser(tmp_path / "profile")
    yield opened
    opened.close()
