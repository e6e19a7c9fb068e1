"""Pictures and arrays that many tests share; all read-only, so that a test fails if an input is written to."""

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

import kmeans_fast as kf
from kmeans_fast import engines

# Compiling takes a while, which says nothing about the example that happened to come first. The same examples are drawn
# each time, so that no run depends on luck; `pytest --hypothesis-profile=search` looks for others.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("default", settings.get_profile("search"), derandomize=True)
settings.load_profile("default")

ENGINES = [name for name in ("numba", "numpy") if name != "numba" or engines.numba_is_installed()]
needs_numba = pytest.mark.skipif("numba" not in ENGINES, reason="needs numba, which isn't installed")


def locked(array):
    array.setflags(write=False)
    return array


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture(scope="session")
def cat():
    """The sample picture, (300, 451, 3) uint8."""
    with Image.open(kf.sample_path()) as picture:
        return locked(np.array(picture.convert("RGB")))


@pytest.fixture(scope="session")
def small_cat(cat):
    """A part of it that is no multiple of any block: (61, 97, 3) uint8, about 3,700 colours."""
    return locked(cat[100:161, 120:217].copy())
