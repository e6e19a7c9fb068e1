"""The engines: one set of functions, compiled by Numba or in plain NumPy, that give the same bytes.

An engine's modules hold functions on arrays: no classes, no options, no input or output. They are imported when an
engine is first asked for, so that `import kmeans_fast` doesn't import Numba.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from kmeans_fast.machine.processors import available_threads

if TYPE_CHECKING:
    from kmeans_fast.engines.numba_cache import CacheState

NAMES = ("auto", "numba", "numpy")
# Points times clusters up to which NumPy has finished before Numba has started.
SMALL_WORK = 500_000


class Engine(NamedTuple):
    """An engine's name and its modules; tests compare the functions of one engine with those of the other."""

    name: str
    dense: ModuleType
    seeding: ModuleType
    cells: ModuleType
    color_seeding: ModuleType
    histogram: ModuleType


def numba_is_installed() -> bool:
    """Say whether Numba can be found, without importing it."""
    return find_spec("numba") is not None


def choose(name: str, work: int) -> str:
    """Return ``"numpy"`` if ``"auto"`` is asked for and so many points times clusters are few; else the name as it is.

    Importing Numba and loading compiled code takes half a second, and compiling it many times that. A process that has
    not done so yet is served by NumPy sooner if it needs less: it took 0.3 s for a work of a million.
    """
    return "numpy" if name == "auto" and work <= SMALL_WORK and "numba" not in sys.modules else name


def load(name: str) -> Engine:
    """Return the engine of this name; ``"auto"`` is Numba where it works, and NumPy elsewhere.

    Raises
    ------
    ValueError
        If there is no engine of that name.
    ImportError
        If ``"numba"`` is asked for by name and can't be had.
    """
    if name not in NAMES:
        raise ValueError(f"engine must be one of {', '.join(map(repr, NAMES))}, got {name!r}")
    if name == "numpy":
        return _numpy_engine()
    found = _numba_engine_or_obstacle()
    if isinstance(found, Engine):
        return found
    if name == "numba":
        raise ImportError(f"engine='numba' can't be had, as {found}; engine='numpy' works without")
    return _numpy_engine()


def numba_obstacle() -> str:
    """Return what keeps Numba from serving this process, worded to follow "as", or "" if nothing does; imports it."""
    found = _numba_engine_or_obstacle()
    return "" if isinstance(found, Engine) else found


@cache
def _numba_engine_or_obstacle() -> Engine | str:
    """Import Numba and what it compiles, once in a process: an import that fails would do so slowly in each call."""
    if not numba_is_installed():
        return "numba isn't installed"
    try:
        from numba import config

        if getattr(config, "DISABLE_JIT", False):  # then kernels stay Python functions, which take hours
            return "NUMBA_DISABLE_JIT is set"
        return _numba_engine()
    except (
        Exception
    ) as error:  # ImportError for a NumPy that is too new for it; AttributeError and others if it's broken
        return f"numba can't be imported ({type(error).__name__}: {error})"


# The modules are imported by name, in plain statements, so that what bundles a program with its modules finds them.


def _numba_engine() -> Engine:
    from kmeans_fast.engines import numba_cells, numba_color_seeding, numba_dense, numba_histogram, numba_seeding

    return Engine("numba", numba_dense, numba_seeding, numba_cells, numba_color_seeding, numba_histogram)


def _numpy_engine() -> Engine:
    from kmeans_fast.engines import numpy_cells, numpy_color_seeding, numpy_dense, numpy_histogram, numpy_seeding

    return Engine("numpy", numpy_dense, numpy_seeding, numpy_cells, numpy_color_seeding, numpy_histogram)


def describe() -> dict[str, str]:
    """Return what would run here: the engine and why, its threading, its threads, and where machine code is kept."""
    obstacle = numba_obstacle()
    return {
        "engine": f"numpy, as {obstacle}" if obstacle else "numba",
        "threading": "Python threads around kernels that release the GIL",
        "threads": str(available_threads()),
        "cache": "none, nothing is compiled" if obstacle else describe_cache(),
    }


def compiled_code() -> CacheState:
    """Return what is kept of the kernels of the Numba engine, which must be at hand."""
    load("numba")
    from kmeans_fast.engines.numba_cache import cache_state  # import Numba, as load did
    from kmeans_fast.engines.numba_jit import KERNELS

    return cache_state(KERNELS)


def describe_cache() -> str:
    """Say where the Numba engine's machine code is kept, and whether it's all there."""
    state = compiled_code()
    if state.folder is None:
        return "none, as no folder for it can be written to: compiled anew in each process"
    how = "warm" if state.n_kept == state.n_kernels else "partly warm" if state.n_kept else "cold"
    can_grow = "" if state.is_writable else ", which can only be read"
    return (
        f"{how}, {state.n_kept} of {state.n_kernels} kernels compiled for this processor, in {state.folder}{can_grow}"
    )
