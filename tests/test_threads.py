"""Workers: every task once, errors out, no thread left behind; calls from many threads and forked processes."""

import gc
import itertools
import multiprocessing
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import needs_compiled_code

import kmeans_fast as kf
from kmeans_fast import engines
from kmeans_fast.engines import numpy_dense
from kmeans_fast.machine.threads import workers


@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize("n_tasks", [0, 1, 4, 1000])
def test_each_task_is_done_once(n_threads, n_tasks):
    done = []
    with workers(n_threads) as lent:
        for _ in range(3):
            lent.for_each(done.append, range(n_tasks))
    assert sorted(done) == sorted(3 * list(range(n_tasks)))


def test_tasks_run_side_by_side():
    """Each of three tasks waits for the other two: this ends only if they run at once."""
    barrier = threading.Barrier(3, timeout=300)
    with workers(3) as lent:
        lent.for_each(lambda _: barrier.wait(), range(3))
    assert not barrier.broken


def test_one_thread_starts_no_other(small_cat, monkeypatch):
    def refuse(_):
        raise AssertionError("a thread was started")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    kf.kmeans(np.tile(small_cat, (12, 1, 1)), 4, n_threads=1, max_iter=2)


def test_small_inputs_start_no_thread(small_cat, monkeypatch):
    def refuse(_):
        raise AssertionError("a thread was started")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    kf.kmeans(small_cat, 4, n_threads=8, max_iter=2)


def test_no_thread_outlives_the_call(cat):
    before = threading.active_count()
    kf.kmeans(cat, 4, n_threads=7, max_iter=2)
    assert threading.active_count() == before


@pytest.mark.parametrize("n_threads", [1, 4])
def test_an_exception_stops_the_rest_and_is_raised(n_threads):
    done = []

    def run(task):
        if task == 5:
            raise RuntimeError("task 5")
        done.append(task)

    with workers(n_threads) as lent, pytest.raises(RuntimeError, match="task 5"):
        lent.for_each(run, range(100_000))
    assert len(done) < 99_999


def test_an_exception_of_a_helper_is_raised_and_holds_nothing():
    """It's gone with whoever caught it, without the garbage collector."""
    main_thread, both_began = threading.get_ident(), threading.Barrier(2, timeout=300)

    class HelperError(Exception):
        pass

    def run(_):
        both_began.wait()
        if threading.get_ident() != main_thread:
            raise HelperError

    def reference():
        try:
            lent.for_each(run, range(2))
        except HelperError as failure:
            return weakref.ref(failure)

    gc.disable()
    try:
        with workers(2) as lent:
            assert reference()() is None
    finally:
        gc.enable()


def test_a_thread_that_cannot_be_started_leaves_no_work_behind(monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    done = []
    with workers(3) as lent:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            lent.for_each(done.append, range(3))
        monkeypatch.undo()
        lent.for_each(done.append, range(3, 6))
    assert sorted(done) == [3, 4, 5]


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_a_chunk_in_pieces_gives_the_same(cat, engine, monkeypatch, dtype):
    points = (cat[:60] / 7).astype(dtype)
    options = {"init": points[0, :9], "algorithm": "dense", "max_iter": 3, "engine": engine}
    whole = kf.kmeans(points, 9, **options)
    monkeypatch.setattr("kmeans_fast.points.dense.PART", 9 * 3 * 4001)
    pieces = kf.kmeans(points, 9, **options)
    assert pieces.centroids.tobytes() == whole.centroids.tobytes()
    assert pieces.labels.tobytes() == whole.labels.tobytes()


def test_an_exception_ends_a_chunk_between_two_pieces(cat, monkeypatch):
    """The calling thread fails in its first piece; the other one's chunk has thousands left, and gives up."""
    main_thread, both_began = threading.get_ident(), threading.Barrier(2, timeout=300)
    pieces = []

    def fail_in_the_main_thread(*arrays):
        if not pieces.count(threading.get_ident()):
            pieces.append(threading.get_ident())
            both_began.wait()
            if threading.get_ident() == main_thread:
                raise RuntimeError("as Ctrl-C does")
        pieces.append(threading.get_ident())
        time.sleep(0.01)

    monkeypatch.setattr("kmeans_fast.points.dense.PART", 3 * 3 * 10)
    fail_in_the_main_thread.__module__ = numpy_dense.__name__
    monkeypatch.setattr(numpy_dense, "assign", fail_in_the_main_thread)
    with pytest.raises(RuntimeError, match="as Ctrl-C does"):
        kf.kmeans(cat, 3, init=cat[0, :3], algorithm="dense", engine="numpy", n_threads=2)
    assert len(pieces) < 1000


def test_many_callers_at_once(cat, engine):
    cat = cat[:150]  # in two chunks
    expected = kf.kmeans(cat, 6, max_iter=3, engine=engine)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: kf.kmeans(cat, 6, max_iter=3, engine=engine, n_threads=2), range(10)))
    assert {result.labels.tobytes() for result in results} == {expected.labels.tobytes()}
    assert {result.centroids.tobytes() for result in results} == {expected.centroids.tobytes()}


def _centroids_in_child(image):
    return kf.kmeans(image, 6, max_iter=3, n_threads=2).centroids.tobytes()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_children_work_after_the_parent_has(cat):
    expected = _centroids_in_child(cat)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(_centroids_in_child, [cat] * 4) == [expected] * 4


@needs_compiled_code
def test_the_gil_is_free_meanwhile():
    """While one long kernel runs in this thread another goes on.

    It's not stopped for half of that time: never in one of many tries, as a busy machine may stop it as well.
    """
    kernels = engines.load("numba").dense
    points = np.random.default_rng(0).normal(size=(500_000, 8))
    labels = np.empty(len(points), np.uint8)
    kernels.assign(points[:10], points[:200], labels[:10])
    ticks, started, stop = [], threading.Event(), threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(time.perf_counter())
            started.set()
            time.sleep(0.001)

    ticker = threading.Thread(target=tick)

    def longest_stop():
        """Return which part of a kernel's time was the longest between two ticks."""
        begin = time.perf_counter()
        kernels.assign(points, points[:200], labels)
        end = time.perf_counter()
        during = [begin, *(tick for tick in ticks if begin < tick < end), end]
        return max(later - earlier for earlier, later in itertools.pairwise(during)) / (end - begin)

    ticker.start()
    started.wait()
    try:
        assert any(longest_stop() < 0.5 for _ in range(20))
    finally:
        stop.set()
        ticker.join()
