"""The engines: one set of functions, compiled by Numba or in plain NumPy, that give the same bytes.

An engine's modules hold functions on arrays: no classes, no options, no input or output. Compiled code runs without
Numba, which is imported only to compile; see `objects`. As both engines give the same bytes and leave the same state
behind, any call of a function may be served by either.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

NAMES = ("auto", "numba", "numpy")
# Points times clusters up to which NumPy has finished before llvmlite has been imported.
SMALL_WORK = 500_000


class Engine(NamedTuple):
    """An engine's name and its functions; tests compare those of one engine with those of the other."""

    name: str
    fallbacks: Sequence[str]
    """Modules that NumPy served a call of, because a kernel wasn't compiled yet."""
    dense: SimpleNamespace
    seeding: SimpleNamespace
    cells: SimpleNamespace
    point_cells: SimpleNamespace
    color_seeding: SimpleNamespace
    histogram: SimpleNamespace
    hashing: SimpleNamespace
    entries: SimpleNamespace
    diffusion: SimpleNamespace
    mixing: SimpleNamespace
    fractions: SimpleNamespace
    sorting: SimpleNamespace
    sums: SimpleNamespace
    regions: SimpleNamespace
    rounding: SimpleNamespace
    shorts: SimpleNamespace
    halves: SimpleNamespace
    translucent: SimpleNamespace
    uniform: SimpleNamespace

    @property
    def served_by(self) -> str:
        """Who served all calls so far: "numba" where that was compiled code, else "numpy"."""
        return "numpy" if self.name == "numpy" or self.fallbacks else "numba"


def choose(name: str, work: int) -> str:
    """Return ``"numpy"`` if ``"auto"`` is asked for and so many points times clusters are few; else the name as it is.

    Importing llvmlite, to load compiled code, takes 70 ms. A process that has not done so yet is served by NumPy
    sooner if it needs less: it took 0.3 s for a work of a million.
    """
    return "numpy" if name == "auto" and work <= SMALL_WORK and "llvmlite" not in sys.modules else name


def load(name: str) -> Engine:
    """Return the engine of this name; ``"auto"`` is compiled code where it is at hand, and NumPy where it isn't.

    Raises
    ------
    ValueError
        If there is no engine of that name.
    ImportError
        If ``"numba"`` is asked for by name and can't be had.
    """
    if name not in NAMES:
        raise ValueError(f"engine must be one of {', '.join(map(repr, NAMES))}, got {name!r}")
    plain = _numpy_modules()
    if name == "numpy":
        return Engine(name, (), *(SimpleNamespace(**_functions(module)) for module in plain))
    from kmeans_fast.engines import obstacles, serving

    if name == "numba":
        if obstacle := obstacles.to_compiled_code():
            raise ImportError(f"engine='numba' can't be had, as {obstacle}; engine='numpy' works without")
        return Engine(name, (), *map(serving.compiled, _numba_modules(), map(_functions, plain)))
    fallbacks: list[str] = []
    parts = (
        serving.at_hand(compiled, _functions(module), fallbacks)
        for compiled, module in zip(_numba_modules(), plain, strict=True)
    )
    return Engine(name, fallbacks, *parts)


def _functions(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """Return what a module offers: the functions of its own that have public names."""
    return {name: getattr(module, name) for name in _names(module)}


@cache
def _names(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    ]


# The modules are imported by name, in plain statements, so that what bundles a program with its modules finds them.


def _numba_modules() -> tuple[ModuleType, ...]:
    from kmeans_fast.engines import (
        numba_cells,
        numba_color_seeding,
        numba_dense,
        numba_diffusion,
        numba_entries,
        numba_fractions,
        numba_halves,
        numba_hashing,
        numba_histogram,
        numba_mixing,
        numba_point_cells,
        numba_regions,
        numba_rounding,
        numba_seeding,
        numba_shorts,
        numba_sorting,
        numba_sums,
        numba_translucent,
        numba_uniform,
    )

    return (
        numba_dense,
        numba_seeding,
        numba_cells,
        numba_point_cells,
        numba_color_seeding,
        numba_histogram,
        numba_hashing,
        numba_entries,
        numba_diffusion,
        numba_mixing,
        numba_fractions,
        numba_sorting,
        numba_sums,
        numba_regions,
        numba_rounding,
        numba_shorts,
        numba_halves,
        numba_translucent,
        numba_uniform,
    )


def _numpy_modules() -> tuple[ModuleType, ...]:
    from kmeans_fast.engines import (
        numpy_cells,
        numpy_color_seeding,
        numpy_dense,
        numpy_diffusion,
        numpy_entries,
        numpy_fractions,
        numpy_halves,
        numpy_hashing,
        numpy_histogram,
        numpy_mixing,
        numpy_point_cells,
        numpy_regions,
        numpy_rounding,
        numpy_seeding,
        numpy_shorts,
        numpy_sorting,
        numpy_sums,
        numpy_translucent,
        numpy_uniform,
    )

    return (
        numpy_dense,
        numpy_seeding,
        numpy_cells,
        numpy_point_cells,
        numpy_color_seeding,
        numpy_histogram,
        numpy_hashing,
        numpy_entries,
        numpy_diffusion,
        numpy_mixing,
        numpy_fractions,
        numpy_sorting,
        numpy_sums,
        numpy_regions,
        numpy_rounding,
        numpy_shorts,
        numpy_halves,
        numpy_translucent,
        numpy_uniform,
    )
