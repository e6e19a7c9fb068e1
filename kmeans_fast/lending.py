"""What a call runs on: an engine and workers, chosen once by each public function and handed on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from kmeans_fast import engines
from kmeans_fast.engines import Engine
from kmeans_fast.machine.chunks import chunk_bounds
from kmeans_fast.machine.processors import available_threads
from kmeans_fast.machine.threads import Workers, workers

# Features up to which comparing a point takes NumPy about as long.
FEW_FEATURES = 4


def work_of(n_points: int, n_centroids: int, n_features: int) -> int:
    """Return points times centroids, each as often as few features go into its features."""
    return n_points * n_centroids * -(-n_features // FEW_FEATURES)


class Machine(NamedTuple):
    """An engine, whose kernels run, and the workers who run them."""

    engine: Engine
    workers: Workers


@contextmanager
def machine_for(engine: str, n_threads: int | None, n_points: int, work: int, n_pieces: int = 1) -> Iterator[Machine]:
    """Lend an engine of this name, as it suits the work, and no more workers than there are chunks or pieces of points.

    Work is in points times centroids that they are compared with, see `work_of`.
    """
    chosen = engines.load(engines.choose(engine, work))
    with lent_workers(n_threads, n_points, n_pieces) as lent:
        yield Machine(chosen, lent)


@contextmanager
def lent_workers(n_threads: int | None, n_points: int, n_pieces: int = 1) -> Iterator[Workers]:
    """Lend as many workers as were asked for, or are there, but no more than there are chunks, or pieces."""
    wanted = available_threads() if n_threads is None else n_threads
    with workers(min(wanted, max(n_pieces, len(chunk_bounds(n_points))))) as lent:
        yield lent
