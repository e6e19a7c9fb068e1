"""When ``engine="auto"`` has kernels compiled: once NumPy, in their place, has cost this process more than that would.

So no job waits for a compiler, and none costs more than twice what it would have cost with foresight.
"""

import atexit
import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from kmeans_fast.engines import objects, obstacles
from kmeans_fast.engines.numba_jit import Variant

if TYPE_CHECKING:
    import subprocess

# Seconds that compiling takes, that for starting Numba included, on one core of a 2.1 GHz machine.
SECONDS = {
    "numba_cells._relabel": 7.0,
    "numba_point_cells._relabel_points": 6.0,
    "numba_dense._product_pass": 5.0,
    "numba_sorting.sort_parts": 3.0,
    "numba_dense._filtered_pass": 2.8,
    "numba_diffusion.diffuse": 2.5,
    "numba_sums._move": 2.4,
    "numba_color_seeding._split": 2.3,
    "numba_color_seeding._add_gains": 2.1,
    "numba_dense._measure": 2.1,
    "numba_dense._add": 1.8,
    "numba_color_seeding.choose": 1.8,
}
STARTING, OTHER_SECONDS = 1.0, 1.3


class _State:
    """What is going on in this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.seconds: dict[Variant, float] = {}  # that NumPy took
        self.compiled: list[Variant] = []
        self.given_up: set[Variant] = set()
        self.process: subprocess.Popen[str] | None = None


_state = _State()
_folder: tempfile.TemporaryDirectory[str] | None = None


def charge(variant: Variant, seconds: float) -> None:
    """Note what NumPy took in place of a kernel, and have it compiled if it's time. Waits for nothing."""
    state = _state
    with state.lock:
        done = _collect(state)
        if variant in state.compiled:
            variant.look_again()
        elif variant not in state.given_up and variant not in done:
            state.seconds[variant] = state.seconds.get(variant, 0.0) + seconds
            if state.process is None and state.seconds[variant] > seconds_to_compile(variant.job):
                _start(state)


def seconds_to_compile(job: objects.Job) -> float:
    """Estimate what it takes to compile a kernel."""
    return SECONDS.get(objects.short_name(job.kernel), OTHER_SECONDS)


def _start(state: _State) -> None:
    """Have all compiled that was missed, the dearest first: that costs less than starting once more."""
    missed = sorted(state.seconds, key=lambda variant: -state.seconds[variant])
    state.seconds = {}
    state.process = _compiler([variant.job for variant in missed])
    if state.process is None:
        state.given_up |= set(missed)
    else:
        state.compiled = missed


def _compiler(jobs: list[objects.Job]) -> "subprocess.Popen[str] | None":
    from kmeans_fast.engines import child

    if obstacles.known_to_compiling() or not child.can_start():
        return None
    try:
        return child.start(jobs, _writable_folder())
    except OSError:  # no memory for a process, or no disk at all
        return None


def _writable_folder() -> Path:
    """Return where objects are kept, or a folder of this process's own where they can't be."""
    global _folder
    kept = objects.writable_folder()
    if kept is not None:
        return kept
    if _folder is None:
        _folder = tempfile.TemporaryDirectory(prefix="kmeans-fast-", ignore_cleanup_errors=True)
        objects.extra_folders.append(Path(_folder.name))
    return Path(_folder.name)


def _collect(state: _State) -> list[Variant]:
    """See whether the compiler is done, and with what; what it couldn't do isn't asked of it again."""
    if state.process is None or state.process.poll() is None:
        return []
    from kmeans_fast.engines import child

    failed = child.failures(state.process)
    for variant in state.compiled:
        variant.look_again()
        if variant.job not in failed and state.process.returncode != 0 and objects.find(variant.job) is None:
            failed[variant.job] = f"the compiler was ended, status {state.process.returncode}"
            objects.keep_failure(variant.job, failed[variant.job], _writable_folder())
        if variant.job in failed:
            state.given_up.add(variant)
    done, state.process, state.compiled = state.compiled, None, []
    return done


def _forget() -> None:
    """Begin anew, or end: the compiler goes on alone, or for the parent."""
    global _state
    if _state.process is not None:
        from kmeans_fast.engines import child

        child.abandon(_state.process)
    _state = _State()


atexit.register(_forget)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
