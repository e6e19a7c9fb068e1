"""On servers: interrupts, failing callbacks, global settings, bounded threads, forks, pools, Numba's threading layers.

What can end the process, or depends on what it did before, runs in a process of its own.
"""

import concurrent.futures
import hashlib
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import joblib
import numpy as np
import pytest
from conftest import needs_compiled_code, needs_numba

import kmeans_fast as kf

ROOT = str(Path(kf.__file__).parents[1])
N_CALLERS = 32
# A cold cache makes the first of these tests compile, maybe on a busy machine; a process that hangs takes longer.
TIMEOUT = 300

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in Linux's /proc")


def environment(**more):
    return {**os.environ, "PYTHONPATH": os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")]), **more}


def run_child(script, *arguments, **more_environment):
    """Return what a Python script prints; it must end well."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    pipes = {"capture_output": True, "text": True, "timeout": TIMEOUT, "check": False}
    child = subprocess.run(command, env=environment(**more_environment), **pipes)
    assert child.returncode == 0, child.stderr
    return child.stdout


def signature(result):
    """Return a checksum of what `quantize` or `kmeans` returned."""
    values = result.palette if hasattr(result, "palette") else result.centroids
    return hashlib.sha256(values.tobytes() + result.labels.tobytes()).hexdigest()


# ---------------------------------------------------------------------------------------------------------- interrupts

INTERRUPTED = """
import signal, sys, threading, time
import numpy as np
import kmeans_fast as kf

phase, engine = sys.argv[1:]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
rng = np.random.default_rng(0)
if phase == "histogram":
    points, n_clusters = rng.integers(0, 256, (360_000, 3), np.uint8), 256
else:
    # with labels of one byte, as those of the small call, for which code has been compiled
    points, n_clusters = rng.normal(size=(400_000, 8)), 2000 if phase == "seeding" else 250
first = "k-means++" if phase == "seeding" else points[:n_clusters]
options = {"engine": engine, "n_threads": 2}
iterations = []

def small_call(engine):
    return kf.kmeans(points[:3000], 8, max_iter=3, engine=engine).centroids.tobytes()

def note(iteration, *_):
    iterations.append(iteration)
    if phase != "seeding" and iteration == 1:
        print("begun", flush=True)

expected = small_call("numpy")
assert small_call(engine) == expected  # whatever has to be compiled is now
try:
    if phase == "seeding":
        print("begun", flush=True)
    kf.kmeans(points, n_clusters, init=first, max_iter=10**6, callback=note, **options)
except KeyboardInterrupt:
    print("interrupted", flush=True)
assert bool(iterations) == (phase != "seeding"), iterations
assert threading.active_count() == 1, threading.enumerate()
assert small_call(engine) == expected
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
@pytest.mark.parametrize("phase", ["histogram", "dense", "seeding"])
def test_an_interrupt_ends_a_long_call_and_the_next_call_is_right(phase, engine):
    """It took 0.0 to 0.3 s; the call by itself would take hours."""
    command = [sys.executable, "-c", INTERRUPTED, phase, engine]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment(), **pipes) as child:
        assert child.stdout.readline() == "begun\n", child.stderr.read()
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=TIMEOUT)
    assert (child.returncode, out, err) == (0, "interrupted\n", "")


# ----------------------------------------------------------------------------------------------------- other behaviour


def half_transparent(image):
    alpha = np.where(np.arange(image.shape[1]) % 3, 255, 100).astype(np.uint8)
    return np.dstack([image, np.broadcast_to(alpha, image.shape[:2])])


CALLS = {
    "kmeans, histogram": lambda image, **options: kf.kmeans(image, 5, max_iter=3, **options),
    "kmeans, dense": lambda image, **options: kf.kmeans(image.astype(np.float32), 5, max_iter=3, **options),
    "quantize, opaque": lambda image, **options: kf.quantize(image, 5, max_iter=3, **options),
    "quantize, transparent": lambda image, **options: kf.quantize(half_transparent(image), 5, max_iter=3, **options),
}


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("name", CALLS)
def test_an_exception_from_a_callback_passes_through_unchanged(cat, engine, name, n_threads):
    """The picture has three chunks, so that there really are three threads."""
    call, error, before = CALLS[name], RuntimeError("from the callback"), threading.enumerate()

    def fail(iteration, *_):
        if iteration == 2:
            raise error

    expected = signature(call(cat, engine=engine, n_threads=n_threads))
    with pytest.raises(RuntimeError) as caught:
        call(cat, engine=engine, n_threads=n_threads, callback=fail)
    assert caught.value is error
    assert (error.args, error.__cause__, error.__context__) == (("from the callback",), None, None)
    assert threading.enumerate() == before
    assert signature(call(cat, engine=engine, n_threads=n_threads)) == expected


SETTINGS = """
import gc, importlib.util, locale, os, random, signal, sys, tempfile, threading, warnings
from pathlib import Path
import numpy as np
import kmeans_fast as kf

engine = sys.argv[1]
if engine == "numba" and importlib.util.find_spec("numba"):
    import numba

def settings():
    found = {
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "path": list(sys.path),
        "thread stack": threading.stack_size(),
        "switch interval": sys.getswitchinterval(),
        "recursion": sys.getrecursionlimit(),
        "hooks": (sys.excepthook, threading.excepthook, sys.unraisablehook, sys.gettrace(), threading.gettrace()),
        "garbage": (gc.isenabled(), gc.get_threshold()),
        "warnings": list(warnings.filters),
        "floating point errors": np.geterr(),
        "print options": np.get_printoptions(),
        "NumPy's random numbers": [part if np.isscalar(part) else part.tolist() for part in np.random.get_state()],
        "random numbers": random.getstate(),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "locale": locale.setlocale(locale.LC_ALL),
        "threads": threading.enumerate(),
    }
    if engine == "numba" and importlib.util.find_spec("numba"):
        found["Numba's threads"] = numba.get_num_threads()
        found["Numba's layer"] = numba.config.THREADING_LAYER
    return found

image = np.array(kf.read_image(kf.sample_path()))
options = {"engine": engine, "n_threads": 3}
np.seterr(over="raise", invalid="call")  # as a host might have it
if engine == "numba" and importlib.util.find_spec("numba"):
    numba.set_num_threads(1)
before = settings()
with tempfile.TemporaryDirectory() as folder:
    palette = kf.quantize(image, 8, **options).palette
    kf.quantize(np.dstack([image, image[..., 0]]), 8, max_iter=2, **options)
    kf.kmeans(image.astype(np.float32), 4, max_iter=2, **options)
    kf.assign(image, palette, **options)
    kf.compress(kf.sample_path(), Path(folder) / "a.png", 20, **options)
after = settings()
print([name for name in before if before[name] != after[name]])
"""


def test_global_settings_are_left_as_found(engine):
    assert run_child(SETTINGS, engine).strip() == "[]"


# ------------------------------------------------------------------------------------------------- how many threads run

STARTED = """
import json, os, sys, tempfile, threading
from pathlib import Path
import numpy as np
import kmeans_fast as kf

engine, n_threads = sys.argv[1], int(sys.argv[2])
options = {"engine": engine, "n_threads": n_threads}
image = kf.read_image(kf.sample_path())  # three chunks
large = np.tile(image, (16, 1, 1))  # two million pixels, from which on there are several tables
clear = np.dstack([image, image[..., 0]])
part = clear[:160]  # two chunks
given = {"init": image[0, :5], "algorithm": "dense"}
out = Path(tempfile.mkdtemp()) / "a.png"

def with_callback(function, *arguments, **more):
    return lambda: function(*arguments, max_iter=2, callback=count, **options, **more)

def update():
    histogram = kf.ColorHistogram.from_image(image, **options)
    histogram.update(large, **options)

calls = {
    "kmeans, floats": with_callback(kf.kmeans, image.astype(np.float32), 5),
    "kmeans, histogram": with_callback(kf.kmeans, image, 5),
    "kmeans, dense": with_callback(kf.kmeans, image, 5, **given),
    "kmeans, weights": with_callback(kf.kmeans, image, 5, sample_weight=np.ones(image.shape[:2])),
    "quantize, 8": with_callback(kf.quantize, image, 8),
    "quantize, 64": with_callback(kf.quantize, image, 64),
    "quantize, 8, transparent": with_callback(kf.quantize, part, 8),
    "quantize, 64, transparent": with_callback(kf.quantize, part, 64),
    "quantize, quality": with_callback(kf.quantize, image, quality=24),
    "compress": with_callback(kf.compress, kf.sample_path(), out, 8),
    "assign": lambda: kf.assign(image, image[0, :5], **options),
    "from_image": lambda: kf.ColorHistogram.from_image(large, **options),
    "from_image, 4 channels": lambda: kf.ColorHistogram.from_image(np.tile(clear, (16, 1, 1)), **options),
    "update": update,
}
started, most = [], 0

def count(*_):
    global most
    most = max(most, len(os.listdir("/proc/self/task")))

def start(self, original=threading.Thread.start):
    started.append(self.name)
    original(self)

threading.Thread.start = start
result = {}
for name, call in calls.items():
    call()  # imports and compiles
    started, most = [], 0
    count()
    before = most
    call()
    count()
    result[name] = len(started), most - before
out.unlink()
out.parent.rmdir()
print(json.dumps(result))
"""


@needs_proc
def test_one_thread_starts_no_other_in_any_function(engine):
    """Neither a Python thread nor one of a library, such as BLAS, as the operating system counts them."""
    counted = json.loads(run_child(STARTED, engine, 1))
    assert {name: more for name, more in counted.items() if more != [0, 0]} == {}


@needs_proc
@needs_compiled_code
def test_several_threads_start_some_in_every_function():
    """So that the test above measures something."""
    counted = json.loads(run_child(STARTED, "numba", 3))
    assert [name for name, (started, _) in counted.items() if not started] == []


MANY_CALLERS = """
import hashlib, os, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import kmeans_fast as kf

engine, n_callers = sys.argv[1], int(sys.argv[2])
image = kf.read_image(kf.sample_path())
options = {"max_iter": 3, "engine": engine, "n_threads": 2}

def work():
    quantized, clustered = kf.quantize(image, 8, **options), kf.kmeans(image, 8, init="random", **options)
    arrays = [quantized.palette, quantized.labels, clustered.centroids, clustered.labels]
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()

def work_with_others(barrier):
    barrier.wait()
    return work()

def n_threads():
    return len(os.listdir("/proc/self/task"))

def watch():
    while not done.is_set():
        seen.append(n_threads())
        time.sleep(0.001)

expected, before = work(), n_threads()
seen, done = [], threading.Event()
watcher = threading.Thread(target=watch)
watcher.start()
with ThreadPoolExecutor(n_callers) as pool:
    results = set(pool.map(work_with_others, [threading.Barrier(n_callers)] * n_callers))
done.set()
watcher.join()
print(results == {expected}, max(seen) - before)
"""


@needs_proc
@needs_compiled_code
def test_threads_are_bounded_by_those_asked_for(record_property):
    """Each of 32 callers asks for two: itself and a helper. One more watches."""
    same, n_more = run_child(MANY_CALLERS, "numba", N_CALLERS).split()
    record_property("threads", n_more)
    assert same == "True"
    assert N_CALLERS < int(n_more) <= 2 * N_CALLERS + 1


# --------------------------------------------------------------------------------------------------- several processes


def quantize_in_child(image):
    """Return a checksum of a picture, by the engine that a server would have."""
    return signature(kf.quantize(image, 8, max_iter=3, n_threads=2))


forks = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@forks
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_pools_of_processes_work_after_the_parent_has(cat, method):
    expected = quantize_in_child(cat)
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(quantize_in_child, [cat] * 4) == [expected] * 4


@forks
def test_a_process_pool_executor_works_after_the_parent_has(cat):
    expected = quantize_in_child(cat)
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        assert list(pool.map(quantize_in_child, [cat] * 4)) == [expected] * 4


@forks
@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_joblib_works_after_the_parent_has(cat, backend):
    expected = quantize_in_child(cat)
    calls = (joblib.delayed(quantize_in_child)(cat) for _ in range(4))
    assert joblib.Parallel(n_jobs=2, backend=backend)(calls) == [expected] * 4


# Runs a parallel function of its own on the layer asked for, as another library in the same process might have.
ON_A_LAYER = """
import hashlib, os, signal, sys
from concurrent.futures import ThreadPoolExecutor
import numba
import numpy as np
import kmeans_fast as kf

@numba.njit(parallel=True)
def total(values):
    result = 0.0
    for i in numba.prange(len(values)):
        result += values[i]
    return result

layer, n_callers = sys.argv[1], int(sys.argv[2])
try:
    assert total(np.ones(1000)) == 1000
except ValueError as error:  # the layer's library can't be loaded
    print("no layer:", error)
    sys.exit()
assert numba.threading_layer() == layer, numba.threading_layer()
image = kf.read_image(kf.sample_path())[:160]  # two chunks

def work(_=None):
    quantized = kf.quantize(image, 8, max_iter=3, engine="numba", n_threads=2)
    clustered = kf.kmeans(image.astype(np.float32), 5, max_iter=2, engine="numba", n_threads=2)
    arrays = [quantized.palette, quantized.labels, clustered.centroids, clustered.labels]
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()

"""
CALL_FROM_MANY_THREADS = """
expected = work()
with ThreadPoolExecutor(n_callers) as pool:
    print(set(pool.map(work, range(n_callers))) == {expected})
"""
CALL_AFTER_A_FORK = """
expected = work()
child = os.fork()
if child == 0:
    signal.alarm(200)  # ends it if it hangs
    os._exit(0 if work() == expected else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0)
"""


def run_on_layer(layer, script):
    # The package tbb puts its library where only programs of the whole environment look.
    libraries = os.pathsep.join([str(Path(sys.prefix) / "lib"), os.environ.get("LD_LIBRARY_PATH", "")])
    settings = {"NUMBA_THREADING_LAYER": layer, "PYTHONWARNINGS": "ignore", "LD_LIBRARY_PATH": libraries}
    out = run_child(ON_A_LAYER + script, layer, N_CALLERS, **settings)
    if out.startswith("no layer"):
        pytest.skip(f"this system has no layer {layer} for Numba")
    return out.strip()


@needs_numba
@pytest.mark.parametrize("layer", ["workqueue", "omp", "tbb"])
def test_many_threads_may_call_beside_any_threading_layer(layer):
    """A function with parallel=True would abort the process here, with workqueue (numba#9288)."""
    assert run_on_layer(layer, CALL_FROM_MANY_THREADS) == "True"


@needs_numba
@needs_fork
@pytest.mark.parametrize("layer", ["workqueue", "omp", "tbb"])
def test_a_fork_after_parallel_regions_neither_hangs_nor_ends(layer):
    """GNU OpenMP ends a forked child that enters it again (umap#707); so nothing here may."""
    assert run_on_layer(layer, CALL_AFTER_A_FORK) == "True"


# ------------------------------------------------------------------------------------------------------- a real server

APPLICATION = """
import hashlib
import kmeans_fast as kf

image = kf.read_image(kf.sample_path())

def application(environ, start_response):
    result = kf.quantize(image, 8, max_iter=3, n_threads=2)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [hashlib.sha256(result.palette.tobytes() + result.labels.tobytes()).hexdigest().encode()]

application({}, lambda *_: None)  # in the process that the workers are forked from
"""


def fetch(url):
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response:  # noqa: S310 -- http, on this machine
        return response.read().decode()


def address_of(server, log):
    """Wait until the server has said where it listens, on a port that the system chose."""
    for _ in range(TIMEOUT * 20):
        assert server.poll() is None, "the server ended"
        if listening := re.search(r"Listening at: (http://127\.0\.0\.1:\d+)", log.read_text()):
            return listening[1]
        time.sleep(0.05)
    raise AssertionError("the server doesn't listen")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no gunicorn")
def test_gunicorn_with_processes_and_threads_gives_the_same_bytes_to_all(cat, tmp_path):
    (tmp_path / "app.py").write_text(APPLICATION)
    log = tmp_path / "log"
    options = ["--workers", "2", "--threads", "4", "--preload", "--bind", "127.0.0.1:0"]
    command = [sys.executable, "-m", "gunicorn", *options, "app:application"]
    with log.open("w") as file, subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=file) as server:
        try:
            address = address_of(server, log)
            with concurrent.futures.ThreadPoolExecutor(40) as pool:
                answers = list(pool.map(fetch, [f"{address}/"] * 40))
        finally:
            server.terminate()
    assert answers == [quantize_in_child(cat)] * 40
    assert "[ERROR]" not in log.read_text()
    assert "[CRITICAL]" not in log.read_text()
