"""What keeps Numba from compiling, as far as that can be known without importing it."""

import os
from importlib.util import find_spec


def llvmlite_is_installed() -> bool:
    """Say whether what runs compiled code can be found, without importing it."""
    return find_spec("llvmlite") is not None


def numba_is_installed() -> bool:
    """Say whether Numba can be found, without importing it."""
    return find_spec("numba") is not None


def compiling_obstacle() -> str:
    """Return what is known to keep Numba from compiling, worded to follow "as", or ""; nothing is imported."""
    if not numba_is_installed():
        return "numba isn't installed"
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):  # then kernels stay Python functions
        return "NUMBA_DISABLE_JIT is set"
    return ""
