"""On servers: interrupts, failing callbacks, global settings, bounded threads, forks, pools, Numba's threading layers.

What can end the process, or depends on what it did before, runs in a process of its own.
"""

import concurrent.futures
import functools
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
from conftest import ENGINES, needs_compiled_code, needs_numba

import kmeans_fast as kf

ROOT = str(Path(kf.__file__).parents[1])
N_CALLERS = 8
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

engine = sys.argv[1]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
rng = np.random.default_rng(0)
many = rng.normal(size=(400_000, 8))
pixels = rng.integers(0, 256, (100_000, 3), np.uint8)
first = many[:250]  # with labels of one byte, as those of the small call, for which code has been compiled
calls = {
    "histogram": lambda **options: kf.kmeans(pixels, 256, init=pixels[:256], **options),
    "dense": lambda **options: kf.kmeans(many if engine == "numba" else many[:40_000], 250, init=first, **options),
    "seeding": lambda **options: kf.kmeans(many, 2000, init="k-means++", **options),
}

def small_call(engine):
    return kf.kmeans(many[:3000], 8, max_iter=3, engine=engine).centroids.tobytes()

def note(iteration, *_):
    iterations.append(iteration)
    if phase != "seeding" and iteration == 1:
        print("begun", flush=True)

expected = small_call("numpy")
assert small_call(engine) == expected  # whatever has to be compiled is now
for phase, call in calls.items():
    iterations = []
    try:
        if phase == "seeding":
            print("begun", flush=True)
        call(max_iter=10**6, callback=note, engine=engine, n_threads=2)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    assert bool(iterations) == (phase != "seeding"), (phase, iterations)
    assert threading.active_count() == 1, threading.enumerate()
    assert small_call(engine) == expected
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_an_interrupt_ends_a_long_call_and_the_next_call_is_right(engine):
    """In each phase it took 0.0 to 0.3 s; the call by itself would take hours."""
    command = [sys.executable, "-c", INTERRUPTED, engine]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment(), **pipes) as child:
        for _ in range(3):
            assert child.stdout.readline() == "begun\n", child.stderr.read()
            time.sleep(0.1)
            child.send_signal(signal.SIGINT)
            assert child.stdout.readline() == "interrupted\n", child.stderr.read()
        out, err = child.communicate(timeout=TIMEOUT)
    assert (child.returncode, out, err) == (0, "", "")


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
np.seterr(over="raise", invalid="call")  # as a host might have it
for engine in sys.argv[1:]:
    options = {"engine": engine, "n_threads": 3}
    if engine == "numba" and importlib.util.find_spec("numba"):
        import numba
        numba.set_num_threads(1)
    before = settings()
    with tempfile.TemporaryDirectory() as folder:
        palette = kf.quantize(image, 8, max_iter=3, **options).palette
        kf.quantize(np.dstack([image, image[..., 0]]), 8, max_iter=2, **options)
        kf.kmeans(image.astype(np.float32), 4, max_iter=2, **options)
        kf.assign(image, palette, **options)
        kf.compress(kf.sample_path(), Path(folder) / "a.png", 20, max_iter=2, **options)
    after = settings()
    print([name for name in before if before[name] != after[name]])
"""


def test_global_settings_are_left_as_found():
    assert run_child(SETTINGS, *reversed(ENGINES)).splitlines() == ["[]"] * len(ENGINES)  # Numba is imported last


# ------------------------------------------------------------------------------------------------- how many threads run

STARTED = """
import json, os, sys, tempfile, threading
from pathlib import Path
import numpy as np
import kmeans_fast as kf

from kmeans_fast.colors import counting

counting.PIXELS_PER_TABLE = 2**17
image = kf.read_image(kf.sample_path())  # three chunks
large = np.tile(image, (2, 1, 1))  # counted in two tables
clear = np.dstack([image, image[..., 0]])
large_clear = np.tile(clear, (2, 1, 1))
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
    "quantize, quality": with_callback(kf.quantize, image, quality=20),
    "compress": with_callback(kf.compress, kf.sample_path(), out, 8),
    "assign": lambda: kf.assign(image, image[0, :5], **options),
    "from_image": lambda: kf.ColorHistogram.from_image(large, **options),
    "from_image, 4 channels": lambda: kf.ColorHistogram.from_image(large_clear, **options),
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
for engine in sys.argv[1:]:
    options = {"engine": engine, "n_threads": 1}
    for call in calls.values() if engine == "numba" else ():
        call()  # compiles
    for n_threads in (1, 3) if engine == "numba" else (1,):
        options["n_threads"] = n_threads
        counted = result[f"{engine}, {n_threads}"] = {}
        for name, call in calls.items():
            started, most = [], 0
            count()
            before = most
            call()
            count()
            counted[name] = len(started), most - before
out.unlink()
out.parent.rmdir()
print(json.dumps(result))
"""


@pytest.fixture(scope="module")
def started():
    """What each function started, by engine and number of threads, and by the function's name."""
    return json.loads(run_child(STARTED, *ENGINES))


@needs_proc
def test_one_thread_starts_no_other_in_any_function(started, engine):
    """Neither a Python thread nor one of a library, such as BLAS, as the operating system counts them."""
    counted = started[f"{engine}, 1"]
    assert {name: more for name, more in counted.items() if more != [0, 0]} == {}


@needs_proc
@needs_compiled_code
def test_several_threads_start_some_in_every_function(started):
    """So that the test above measures something."""
    assert [name for name, (n_started, _) in started["numba, 3"].items() if not n_started] == []


MANY_CALLERS = """
import hashlib, os, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import kmeans_fast as kf

engine, n_callers = sys.argv[1], int(sys.argv[2])
image = np.random.default_rng(0).integers(0, 64, (160, 451, 3), np.uint8)  # two chunks
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
    """Each caller asks for two: itself and a helper. One more watches."""
    same, n_more = run_child(MANY_CALLERS, "numba", N_CALLERS).split()
    record_property("threads", n_more)
    assert same == "True"
    assert N_CALLERS < int(n_more) <= 2 * N_CALLERS + 1


# --------------------------------------------------------------------------------------------------- several processes


# By the engine that a server would have. Pickled as what it is a part of, so that children needn't import this module.
quantize_in_child = functools.partial(kf.quantize, n_colors=8, max_iter=3, n_threads=2)


@pytest.fixture(scope="module")
def part(cat):
    """Two chunks of it."""
    return cat[:160]


@pytest.fixture(scope="module")
def expected(part):
    """What comes of it, after this process has worked by itself."""
    return signature(quantize_in_child(part))


def check_all(results, expected):
    assert [signature(result) for result in results] == [expected] * 4


forks = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@forks
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_pools_of_processes_work_after_the_parent_has(part, expected, method):
    with multiprocessing.get_context(method).Pool(2) as pool:
        check_all(pool.map(quantize_in_child, [part] * 4), expected)


@forks
def test_a_process_pool_executor_works_after_the_parent_has(part, expected):
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        check_all(pool.map(quantize_in_child, [part] * 4), expected)


@forks
@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_joblib_works_after_the_parent_has(part, expected, backend):
    calls = (joblib.delayed(quantize_in_child)(part) for _ in range(4))
    check_all(joblib.Parallel(n_jobs=2, backend=backend)(calls), expected)


# Runs a parallel function of its own on the layer asked for, as another library in the same process might have.
ON_A_LAYER = """
import hashlib, os, signal, sys
from concurrent.futures import ThreadPoolExecutor
import numba
import numpy as np
import kmeans_fast as kf

layer, n_callers = sys.argv[1], int(sys.argv[2])
same = numba.vectorize(["f8(f8)"], target="parallel")(lambda value: value)  # takes half as long to compile as a prange
try:
    assert same(np.ones(1000)).sum() == 1000
except ValueError as error:  # the layer's library can't be loaded
    print("no layer:", error)
    sys.exit()
assert numba.threading_layer() == layer, numba.threading_layer()
image = np.random.default_rng(0).integers(0, 64, (160, 451, 3), np.uint8)  # two chunks

def work(_=None):
    quantized = kf.quantize(image, 8, max_iter=3, engine="numba", n_threads=2)
    clustered = kf.kmeans(image.astype(np.float32), 5, max_iter=2, engine="numba", n_threads=2)
    arrays = [quantized.palette, quantized.labels, clustered.centroids, clustered.labels]
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()

expected = work()
if hasattr(os, "fork"):
    child = os.fork()
    if child == 0:
        signal.alarm(200)  # ends it if it hangs
        os._exit(0 if work() == expected else 1)
    print("fork:", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
with ThreadPoolExecutor(n_callers) as pool:
    print("threads:", set(pool.map(work, range(n_callers))) == {expected})
"""


@pytest.fixture(scope="module", params=["workqueue", "omp", "tbb"])
def on_a_layer(request):
    """What comes of it on each layer."""
    # The package tbb puts its library where only programs of the whole environment look.
    libraries = os.pathsep.join([str(Path(sys.prefix) / "lib"), os.environ.get("LD_LIBRARY_PATH", "")])
    settings = {"NUMBA_THREADING_LAYER": request.param, "PYTHONWARNINGS": "ignore", "LD_LIBRARY_PATH": libraries}
    out = run_child(ON_A_LAYER, request.param, N_CALLERS, **settings)
    if out.startswith("no layer"):
        pytest.skip(f"this system has no layer {request.param} for Numba")
    return out.splitlines()


@needs_numba
def test_many_threads_may_call_beside_any_threading_layer(on_a_layer):
    """A function with parallel=True would abort the process here, with workqueue (numba#9288)."""
    assert "threads: True" in on_a_layer


@needs_numba
@needs_fork
def test_a_fork_after_parallel_regions_neither_hangs_nor_ends(on_a_layer):
    """GNU OpenMP ends a forked child that enters it again (umap#707); so nothing here may."""
    assert "fork: 0" in on_a_layer


# ------------------------------------------------------------------------------------------------------- a real server

APPLICATION = """
import hashlib
import kmeans_fast as kf

image = kf.read_image(kf.sample_path())[:160]  # two chunks

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
def test_gunicorn_with_processes_and_threads_gives_the_same_bytes_to_all(expected, tmp_path):
    (tmp_path / "app.py").write_text(APPLICATION)
    log = tmp_path / "log"
    options = ["--workers", "2", "--threads", "4", "--preload", "--bind", "127.0.0.1:0"]
    command = [sys.executable, "-m", "gunicorn", *options, "app:application"]
    with log.open("w") as file, subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=file) as server:
        try:
            address = address_of(server, log)
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                answers = list(pool.map(fetch, [f"{address}/"] * 16))
        finally:
            server.terminate()
    assert answers == [expected] * 16
    assert "[ERROR]" not in log.read_text()
    assert "[CRITICAL]" not in log.read_text()
