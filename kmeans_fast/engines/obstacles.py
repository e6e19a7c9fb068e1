"""What keeps compiled code from running here, or Numba from compiling: worded to follow "as", "" if nothing does.

Imports are tried once in a process, as one that fails would do so slowly each time. An installation that doesn't fit
together can raise anything.
"""

import os
from functools import cache
from importlib.util import find_spec

from kmeans_fast.engines import loading, objects


def numba_is_installed() -> bool:
    """Say whether Numba can be found, without importing it."""
    return find_spec("numba") is not None


def to_compiled_code() -> str:
    """Return what keeps `engine="numba"` from being had. Imports llvmlite."""
    return to_running() or ("" if objects.shipped() else known_to_compiling())


@cache
def to_running() -> str:
    """Return what keeps compiled code from running. Imports llvmlite."""
    if find_spec("llvmlite") is None:
        return "llvmlite isn't installed" if numba_is_installed() else "numba isn't installed"
    try:
        loading.start()
    except Exception as error:
        return f"llvmlite can't be used ({type(error).__name__}: {error})"
    return ""


def known_to_compiling() -> str:
    """Return what keeps Numba from compiling, as far as that can be known without importing it."""
    if not numba_is_installed():
        return "numba isn't installed"
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):  # then kernels stay Python functions
        return "NUMBA_DISABLE_JIT is set"
    return ""


def to_compiling() -> str:
    """Return what keeps Numba from compiling. Imports it."""
    return to_running() or known_to_compiling() or _to_importing_numba()


@cache
def _to_importing_numba() -> str:
    try:
        from kmeans_fast.engines import compiling  # noqa: F401
    except Exception as error:
        return f"numba can't be imported ({type(error).__name__}: {error})"
    return ""
