"""How much memory a call needs beyond what is there, told by whether it does with a limit: for scripts of tests.

What a process has in use is known to its system only within some pages a processor, and peaks are taken from that; what
it has asked for is known to the page, and the system refuses to give more than RLIMIT_DATA. So an answer does not
depend on what happens at the same time. Linux only: there the limit is for all private memory.
"""

import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

# Room of its own for each array, given back at once, and one heap for all threads: what is freed serves no later call.
ALLOCATION = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1", "PYTHONMALLOC": "malloc"}
ALLOCATION["OPENBLAS_NUM_THREADS"] = "1"  # so that the only threads are ours
STACK = 2**18


def suffices(n_bytes, call):
    """Say whether a call succeeds that may take no more than so many bytes beyond what is in use.

    Threads that an earlier call joined may still be about to end; those of this call could not have their stacks, and a
    new one is of 8 MB, as a rule.
    """
    while len(list(Path("/proc/self/task").iterdir())) > 1:
        time.sleep(0.001)
    threading.stack_size(STACK)
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_in_use() + int(n_bytes), before[1]))
    try:
        call()
    except MemoryError:
        return False
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
    return True


def _in_use():
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmData"))


def run(script, *arguments):
    """Return what a script prints in a process of its own, which finds this module."""
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, **ALLOCATION, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.strip()
