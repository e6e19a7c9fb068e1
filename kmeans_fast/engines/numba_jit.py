"""How every Numba kernel of the package is compiled.

Kernels are plain serial functions on a chunk of points that release the GIL; `kmeans_fast.machine.threads` runs several
at once. No kernel is compiled with `parallel=True`: Numba's threading layers abort the process when two Python threads
enter them (numba#9288) or after a fork (umap#707), and one such function took four times as long to compile.
"""

from collections.abc import Callable
from typing import Any

import numba

from kmeans_fast.engines.numba_cache import keep_code

# All that have been decorated so far: when the engine has been loaded, all there are.
KERNELS: list[Any] = []


def kernel(fastmath: set[str] | bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function at its first call, and keep the machine code on disk where that is possible.

    `fastmath` takes LLVM's flags. Exact arithmetic must go without: fusing a multiply with an add rounds once
    instead of twice.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(**_options(fastmath))(function)
        keep_code(dispatcher)
        KERNELS.append(dispatcher)
        return dispatcher

    return decorate


def part(fastmath: set[str] | bool = False, inline: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function that only kernels call: a call from Python would crash.

    Without a way in from Python, and without a place in the cache of its own, it compiles in half the time. With
    `inline` it is copied into its caller before types are inferred, which is quicker still if there is only one; it
    then has its caller's `fastmath`.
    """
    options = _options(fastmath) | {"no_cpython_wrapper": True, "inline": "always" if inline else "never"}
    return lambda function: numba.njit(**options)(function)


def _options(fastmath: set[str] | bool) -> dict[str, Any]:
    return {"nogil": True, "error_model": "numpy", "fastmath": fastmath, "no_cfunc_wrapper": True}
