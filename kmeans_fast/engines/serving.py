"""How an engine's functions find their kernels' code: compiled at once, or served by NumPy until it is at hand."""

import threading
import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from kmeans_fast.engines import background, levels, objects, obstacles
from kmeans_fast.engines.numba_jit import NotAtHand, Variant

Function = Callable[..., Any]
# Two threads that need the same kernel wait for one compiler.
_compiling = threading.RLock()
# What is missing is only noted here, while this is a set.
_missing: set[Variant] | None = None


def compiled(module: ModuleType, plain: dict[str, Function]) -> SimpleNamespace:
    """Return functions of a compiled module that have their kernels compiled when they are first called."""
    return SimpleNamespace(**{name: _compile_first(getattr(module, name)) for name in plain})


def _compile_first(function: Function) -> Function:
    def call(*arguments: Any) -> Any:
        while True:
            try:
                return function(*arguments)
            except NotAtHand as missing:
                compile_now(missing.variant)

    return call


def compile_now(variant: Variant) -> None:
    """Compile a kernel in this process, and keep it where that is possible.

    Raises
    ------
    ImportError
        If Numba is switched off or can't be imported, whatever it raises then.
    """
    with _compiling:
        if variant.is_at_hand:
            return
        if why := obstacles.to_compiling():
            raise ImportError(f"engine='numba' can't be had, as {why}; engine='numpy' works without")
        from kmeans_fast.engines.compiling import compile_kernel

        level = levels.best_level()
        code = compile_kernel(variant.job, level)
        objects.keep(variant.job, level, code)
        variant.use(code)


def at_hand(module: ModuleType, plain: dict[str, Function], fallbacks: list[str]) -> SimpleNamespace:
    """Return functions of a compiled module that NumPy's serve for as long as there is no code.

    Their modules' names are added to `fallbacks` when that happens. As both give the same bytes, and leave the same
    state behind, any call may be served by either.
    """
    functions = {name: _or_else(getattr(module, name), function, fallbacks) for name, function in plain.items()}
    return SimpleNamespace(**functions)


def _or_else(function: Function, plain: Function, fallbacks: list[str]) -> Function:
    def call(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except NotAtHand as error:
            missing = error.variant
        fallbacks.append(plain.__name__)
        if _missing is not None:
            _missing.add(missing)
            return plain(*arguments)
        start = time.perf_counter()
        try:
            return plain(*arguments)
        finally:
            background.charge(missing, time.perf_counter() - start)

    return call


def missing_for(use: Callable[[], None]) -> list[Variant]:
    """Return what isn't compiled of all that `use` calls; NumPy serves it meanwhile."""
    global _missing
    import llvmlite  # noqa: F401 - or else small work would be NumPy's anyhow

    _missing = set()
    try:
        use()
        return list(_missing)
    finally:
        _missing = None


def _shares(variants: Sequence[Variant], n_shares: int) -> list[list[Variant]]:
    """Share kernels out, each share as long, those of a module together: they have parts in common."""
    in_order = sorted(variants, key=lambda variant: variant.job)
    seconds = [background.seconds_to_compile(variant.job) - background.STARTING for variant in in_order]
    total = sum(seconds)
    shares: list[list[Variant]] = [[] for _ in range(n_shares)]
    for variant, own, end in zip(in_order, seconds, accumulate(seconds), strict=True):
        shares[int((end - own / 2) * n_shares / total)].append(variant)
    return [share for share in shares if share]


def compile_at_once(variants: Sequence[Variant], folder: Path, level: str, n_processes: int) -> None:
    """Compile kernels for a level in several processes, and wait for them.

    Raises
    ------
    RuntimeError
        If one can't be compiled.
    """
    from kmeans_fast.engines import child  # would make a call that compiles nothing start later

    if not child.can_start():
        for variant in variants:
            compile_now(variant)
        return
    shares = _shares(variants, n_processes)
    processes = [child.start([variant.job for variant in share], folder, level, nice=False) for share in shares]
    failed = {job: reason for process in processes for job, reason in child.failures(process).items()}
    for variant in variants:
        if objects.read(folder, variant.job, level) is None:
            reason = failed.get(variant.job, "the compiler was ended")
            raise RuntimeError(f"{variant.job.kernel} can't be compiled: {reason}")
        variant.look_again()
