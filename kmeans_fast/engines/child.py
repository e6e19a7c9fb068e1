"""A process beside this one that compiles kernels and keeps their objects; it may outlive the one that started it.

A process, not a thread: whoever started it can exit or fork at any time, and no call waits for the interpreter.
"""

import gc
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, cast

from kmeans_fast.engines import levels, objects
from kmeans_fast.engines.objects import Job


def can_start() -> bool:
    """Say whether there is an interpreter to start: none in a frozen program, nor in a server that embeds Python."""
    return "python" in Path(sys.executable or "").name.lower() and not getattr(sys, "frozen", False)


def start(jobs: Sequence[Job], folder: Path, level: str = "", nice: bool = True) -> "subprocess.Popen[str]":
    """Compile these kernels to objects in a folder, for the best level if none is named. Nothing waits for it."""
    asked = json.dumps({"jobs": jobs, "folder": str(folder), "level": level, "nice": nice})
    below_normal = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0) if nice else 0
    process = subprocess.Popen(  # noqa: S603 -- this very interpreter
        [sys.executable, "-P", "-m", __name__],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # a Ctrl-C isn't meant for it
        creationflags=below_normal | getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    with _pipe(process.stdin) as stdin:
        stdin.write(asked)
    return process


def failures(process: "subprocess.Popen[str]") -> dict[Job, str]:
    """Wait for a process to end; return why it couldn't compile what it couldn't."""
    with _pipe(process.stdout) as stdout:
        output = stdout.read()
    process.wait()
    try:
        return {Job(*job): reason for job, reason in json.loads(output)}
    except ValueError:  # it was ended before it could say anything
        return {}


def abandon(process: "subprocess.Popen[str]") -> None:
    """Let a process go on alone, so that Python doesn't complain that nobody waits for it."""
    _pipe(process.stdout).close()
    process.returncode = 0


def _pipe(pipe: IO[str] | None) -> IO[str]:
    return cast("IO[str]", pipe)


def main() -> None:
    """Compile what was asked for and isn't there yet; print what failed, and why, as JSON."""
    options = json.load(sys.stdin)
    if options["nice"] and hasattr(os, "nice"):
        os.nice(10)
    gc.set_threshold(20_000)  # a compiler makes much, of which little is garbage: that took a twelfth of the time
    sys.modules["scipy"] = None  # type: ignore[assignment]  # Numba would import it for functions that no kernel calls
    folder, failed = Path(options["folder"]), []
    for job in [Job(*job) for job in options["jobs"]]:
        try:
            level = options["level"] or levels.best_level()
            if objects.read(folder, job, level) is None:
                _compile(job, level, folder)
        except Exception as error:  # whatever the compiler, or an incomplete installation of it, comes up with
            failed.append((job, f"{type(error).__name__}: {error}"))
            objects.keep_failure(*failed[-1], folder)
    print(json.dumps(failed))  # noqa: T201 -- to the process that asked


def _compile(job: Job, level: str, folder: Path) -> None:
    # The name alone would leave Numba with the features of this very processor. With AVX-512 LLVM prefers vectors of
    # half the length, for early processors that slow down with whole ones: dense passes took up to 1.2 times as long.
    features = "-prefer-256-bit" if level == "x86-64-v4" else ""
    os.environ.update(NUMBA_CPU_NAME=level, NUMBA_CPU_FEATURES=features)
    from kmeans_fast.engines.compiling import compile_kernel

    if objects.keep(job, level, compile_kernel(job, level), [folder]) is None:
        raise OSError(f"{folder} can't be written to")


if __name__ == "__main__":
    main()
