"""The processors that kernels are compiled for: levels that many processors share.

Code for a level runs on each processor that has the level's features. On the processors measured it is as fast as code
for the one processor alone, and it can be taken to another machine. Numba's ``NUMBA_CPU_NAME`` sets another one.
"""

import os
import platform
from functools import cache

_V2 = {"cx16", "popcnt", "sahf", "sse3", "sse4.1", "sse4.2", "ssse3"}
_V3 = _V2 | {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave"}
_V4 = _V3 | {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"}
# What LLVM lists of any x86-64, or of all that have AVX-512 or SSE 4.2.
_BASE = {"64bit", "cmov", "crc32", "cx8", "evex512", "fxsr", "mmx", "sse", "sse2"}
# LLVM's names for processors and features, the best first.
X86_LEVELS = {"x86-64-v4": _V4, "x86-64-v3": _V3, "x86-64-v2": _V2, "x86-64": set[str]()}
OTHER_LEVELS = {"generic": set[str]()}


def levels() -> list[str]:
    """Return the levels that code may be kept for on this machine, the best first, whether it can run them or not."""
    chosen = os.environ.get("NUMBA_CPU_NAME")
    return [chosen] if chosen else list(_levels())


def _levels() -> dict[str, set[str]]:
    return X86_LEVELS if platform.machine().lower() in ("x86_64", "amd64") else OTHER_LEVELS


def shipped_levels() -> list[str]:
    """Return the levels that a wheel for this platform brings code for: those that there still are processors of."""
    return [level for level in _levels() if level != "x86-64"]


def can_run(level: str) -> bool:
    """Say whether this processor has all that code for a level may use. Imports llvmlite."""
    required = (_levels() | OTHER_LEVELS).get(level)
    name, features = _host()
    return level == name if required is None else required <= features


def best_level() -> str:
    """Return the level to compile for.

    Raises
    ------
    ValueError
        If ``NUMBA_CPU_NAME`` names a processor whose code this one can't run.
    """
    if why := obstacle():
        raise ValueError(why)
    return next(level for level in levels() if can_run(level))


def lanes() -> int:
    """Return how many float32 a vector has of the level to compile for; of another processor, those of most."""
    return {"x86-64-v4": 16, "x86-64-v2": 4, "x86-64": 4}.get(best_level(), 8)


def obstacle() -> str:
    """Return why there is no level to compile for, or ""."""
    if any(map(can_run, levels())):
        return ""
    return f"NUMBA_CPU_NAME is {levels()[0]!r}, whose code can't run on this processor, {_host()[0]!r}"


def tuned(level: str) -> tuple[str, str]:
    """Return LLVM's processor and features for code of a level: of this processor, less what the level hasn't.

    What is timed by another processor's tables took up to a tenth longer. A level that this one can't run, or that
    isn't known, stands for itself.
    """
    required = X86_LEVELS.get(level)
    if required is None or not can_run(level):
        return level, ""
    from llvmlite import binding

    # All that LLVM knows of, as a virtual machine may lack what its processor has.
    known = set(binding.get_host_cpu_features())
    return binding.get_host_cpu_name(), ",".join(f"-{feature}" for feature in sorted(known - required - _BASE))


@cache
def _host() -> tuple[str, set[str]]:
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    return binding.get_host_cpu_name(), {name for name, is_there in features.items() if is_there}
