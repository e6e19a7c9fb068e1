"""Long tests, for ``pytest -m stress``: cold processes that share a cache, damaged cache files, thousands of calls."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import needs_compiled_code, needs_numba
from test_servers import environment, needs_proc

pytestmark = pytest.mark.stress

N_PROCESSES = 16
TIMEOUT = 1800

CHECKSUMS = """
import hashlib, json, sys
import numpy as np
import kmeans_fast as kf

engine, names = sys.argv[1], sys.argv[2:]
image = np.array(kf.read_image(kf.sample_path())[:200:2, :300:2])
clear = np.dstack([image, image[..., 0]])
floats = np.random.default_rng(0).normal(size=(500, 3))

def clustered(points, n_clusters=5, **options):
    result = kf.kmeans(points, n_clusters, max_iter=5, engine=engine, **options)
    return [result.centroids, result.labels, result.counts, np.array(result.inertia)]

def quantized(image, n_colors):
    result = kf.quantize(image, n_colors, engine=engine)
    return [result.palette, result.labels, result.counts, np.array(result.mse)]

calls = {
    "uint8 8": lambda: quantized(image, 8),
    "uint8 40": lambda: quantized(image, 40),
    "uint8 clear": lambda: quantized(clear, 20),
    "uint8 dense": lambda: clustered(image, algorithm="dense"),
    "float32": lambda: clustered(floats.astype(np.float32)),
    "float32 weights": lambda: clustered(floats.astype(np.float32), sample_weight=np.arange(len(floats))),
    "float64": lambda: clustered(floats),
    "float64 many": lambda: clustered(floats, 300),
}
checksums = {}
for name in names or calls:
    data = b"".join(array.tobytes() for array in calls[name]())
    checksums[name] = hashlib.sha256(data).hexdigest()
print(json.dumps(checksums))
"""
NAMES = ("uint8 8", "uint8 40", "uint8 clear", "uint8 dense", "float32", "float32 weights", "float64", "float64 many")
FEW_NAMES = ("uint8 8", "uint8 clear", "float32")


def run_checksums(engine, names, folder):
    """Return status, checksums and what was said on stderr of a process that keeps its machine code in a folder."""
    command = [sys.executable, "-c", CHECKSUMS, engine, *names]
    pipes = {"capture_output": True, "text": True, "timeout": TIMEOUT, "check": False}
    child = subprocess.run(command, env=environment(NUMBA_CACHE_DIR=str(folder)), **pipes)
    return child.returncode, json.loads(child.stdout or "{}"), child.stderr


def right_answers(names, folder):
    """Return what a process must come to, as the NumPy engine has it."""
    status, checksums, err = run_checksums("numpy", names, folder)
    assert (status, err) == (0, "")
    return 0, checksums, ""


@needs_numba
def test_cold_processes_that_share_an_empty_cache(tmp_path):
    """Each begins with another kind of points, so that they write different files at the same time, and the same."""
    expected = right_answers(NAMES, tmp_path)

    def run(i):
        first = i % len(NAMES)
        return run_checksums("numba", NAMES[first:] + NAMES[:first], tmp_path)

    with ThreadPoolExecutor(N_PROCESSES) as pool:
        results = list(pool.map(run, range(N_PROCESSES)))
    assert [result for result in results if result != expected] == []
    assert cache_files(tmp_path)
    assert run_checksums("numba", NAMES, tmp_path) == expected


# ------------------------------------------------------------------------------------------------- damaged cache files


def cache_files(folder):
    return sorted(folder.rglob("*.o"))


def emptied(file, _):
    file.write_bytes(b"")


def cut_to_half(file, _):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def cut_by_one_byte(file, _):
    file.write_bytes(file.read_bytes()[:-1])


def one_byte_changed(file, _):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)


def the_checksum_changed(file, _):
    """Of which the eighth byte is a part."""
    data = bytearray(file.read_bytes())
    data[7] ^= 0xFF
    file.write_bytes(data)


def swapped(file, other):
    file.write_bytes(other)


def deleted(file, _):
    file.unlink()


def unreadable(file, _):
    """Take the right to read it, which the superuser doesn't need."""
    file.chmod(0)


def in_the_way(file, _):
    """Put a folder in its place: it can't be read, nor replaced."""
    file.unlink()
    file.mkdir()


DAMAGES = (
    emptied,
    cut_to_half,
    cut_by_one_byte,
    one_byte_changed,
    the_checksum_changed,
    swapped,
    deleted,
    unreadable,
    in_the_way,
)


def damage(files, chosen, how):
    """Damage the chosen ones of some files; the other content for each is that of the next file."""
    others = [file.read_bytes() for file in files[1:] + files[:1]]
    for file, other in zip(files, others, strict=True):
        if file in chosen:
            how(file, other)


@pytest.fixture(scope="module")
def warm_cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("warm")
    status, _, err = run_checksums("numba", FEW_NAMES, folder)
    assert (status, err) == (0, "")
    return folder


def runs_after_damage(warm_cache, folder, how, chosen_of):
    """Return what two processes come to, one after the other, with a copy of the cache that was damaged."""
    shutil.copytree(warm_cache, folder)
    files = cache_files(folder)
    chosen = chosen_of(files)
    damage(files, chosen, how)
    results = [run_checksums("numba", FEW_NAMES, folder) for _ in range(2)]
    shutil.rmtree(folder)
    return results, ", ".join(file.name for file in chosen)


@needs_numba
def test_damaged_cache_files_change_nothing(warm_cache, tmp_path):
    """All files at once, and single ones; the failing cases are listed all together."""
    expected, draws, failing = right_answers(FEW_NAMES, tmp_path), np.random.default_rng(0), []
    choices = {"all": lambda files: files, "one": lambda files: [files[draws.integers(len(files))]]}
    for how in DAMAGES:
        for amount, chosen_of in choices.items():
            results, names = runs_after_damage(warm_cache, tmp_path / "copy", how, chosen_of)
            for run, (status, checksums, err) in zip(("first", "second"), results, strict=True):
                if (status, checksums, err) != expected:
                    where = names if amount == "one" else "all"
                    said = err.strip().splitlines()[-1:] or ["another answer"]
                    failing.append(f"{how.__name__}, {where}, {run} process: status {status}, {said[0]}")
    assert failing == []


# --------------------------------------------------------------------------------------------------- thousands of calls


@needs_compiled_code
@needs_proc
def test_a_thousand_mixed_calls_leave_nothing_behind():
    """With one arena: glibc's, one a thread, go on growing to the largest call of each for longer than this takes."""
    command = [sys.executable, Path(__file__).with_name("soak.py"), "--calls", "1000"]
    pipes = {"capture_output": True, "text": True, "timeout": TIMEOUT, "check": False}
    child = subprocess.run(command, env=environment(MALLOC_ARENA_MAX="1"), **pipes)
    assert child.returncode == 0, child.stdout + child.stderr
