"""What can be asked of a clustering, and what is allowed: checked when it is made, and handed on whole.

A new option is a field of `Options` and of `Asked`; a new start is a line of `STARTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_fast import arrays, validation
from kmeans_fast.colors import seeding as color_seeding
from kmeans_fast.colors.histogram import ColorHistogram
from kmeans_fast.draws import Draws
from kmeans_fast.engines import NAMES as ENGINES
from kmeans_fast.lending import Machine, work_of
from kmeans_fast.lloyd import LLOYD, Callback, Step
from kmeans_fast.ordering import ORDERS
from kmeans_fast.points import seeding
from kmeans_fast.points.access import Points

ALGORITHMS = ("auto", "dense", "histogram")
DEFAULT_CLUSTERS = 8
# What may be asked for: a fast start, Lloyd's algorithm, and searches that go on from where that ends.
EFFORTS = (0, 1, 2, 3)
DEFAULT_EFFORT = 1
# The most iterations with an effort of 0.
FEW_ITERATIONS = 2
COLORS_NEEDED = "points of dtype uint8 or uint16 with 1 to 4 features, and whole numbers as sample_weight if any"


class Start(NamedTuple):
    """A way to find the first centroids."""

    of_colors: Callable[[ColorHistogram, int, Draws, Machine], NDArray[np.float64]]
    of_points: Callable[[Points, NDArray[np.float64], int, Draws, Machine], NDArray[np.float64]] | None
    """None if it needs colours."""
    is_fixed: bool
    """Whether it is the same each time, so that a second run would be too."""


STARTS = {
    "k-means++": Start(color_seeding.k_means_plus_plus, seeding.k_means_plus_plus, is_fixed=False),
    "random": Start(color_seeding.random_pixels, seeding.random_points, is_fixed=False),
    "variance": Start(color_seeding.split_by_variance, None, is_fixed=True),
    "cubes": Start(color_seeding.best_on_cubes, None, is_fixed=False),
}


class Asked(TypedDict, total=False):
    """What every function that clusters takes by name; see `kmeans_fast.kmeans`."""

    init: str | ArrayLike
    n_init: int
    max_iter: int
    tol: float
    relaxation: float
    momentum: float
    effort: int
    seed: int
    callback: Callback | None
    engine: str
    n_threads: int | None


@dataclass(frozen=True)
class Options:
    """How to cluster; the attributes are what `kmeans_fast.kmeans` says of them."""

    n_clusters: int
    init: str | NDArray[np.float64]
    n_init: int
    max_iter: int
    tol: float
    step: Step
    effort: int
    seed: int
    algorithm: str
    callback: Callback | None
    engine: str
    n_threads: int | None
    sort: str = "none"
    thin_max_iter: int = 0
    """The most iterations after a start on a part of the pixels, if there are many colours; 0 for another start."""

    def work(self, n_points: int, n_features: int = 1) -> int:
        """Return points times clusters times runs, more with many features."""
        return work_of(n_points, self.n_clusters, n_features) * self.n_init

    def in_steps(self, unit: int, origin: tuple[int, ...] = (0,)) -> Options:
        """Return these for points whose 1 became so many steps, from an origin; a callback sees what it would without.

        First centroids are left to whoever converts the points.
        """
        callback = self.callback
        if unit == 1:
            return self

        def show(iteration: int, old: NDArray[np.float64], new: NDArray[np.float64], shift: float) -> Any:
            assert callback is not None  # noqa: S101 - not called otherwise
            return callback(iteration, (old - origin) / unit, (new - origin) / unit, shift / unit**2)

        return replace(self, tol=self.tol * unit**2, callback=None if callback is None else show)

    def check_points(self, n_points: int, n_features: int, has_colors: bool) -> None:
        """Raise a ValueError if this can't be asked of such points."""
        if self.n_clusters > n_points:
            raise ValueError(f"n_clusters must be at most the number of points, {n_points}, got {self.n_clusters}")
        if isinstance(self.init, str) and STARTS[self.init].of_points is None and not has_colors:
            raise ValueError(f"init={self.init!r} needs {COLORS_NEEDED}")
        self.check_features(n_features)

    def check_features(self, n_features: int) -> None:
        """Raise a ValueError if given first centroids are of another number of features."""
        if not isinstance(self.init, str) and self.init.shape[1] != n_features:
            raise ValueError(f"init must have shape ({self.n_clusters}, {n_features}), got {self.init.shape}")


def checked_options(
    n_clusters: int | None,
    *,
    name: str = "n_clusters",
    inits: Collection[str] = STARTS,
    init: str | ArrayLike = "k-means++",
    n_init: int = 1,
    max_iter: int = 300,
    tol: float = 0.0,
    relaxation: float = LLOYD.relaxation,
    momentum: float = LLOYD.momentum,
    effort: int = DEFAULT_EFFORT,
    seed: int = 0,
    algorithm: str = "auto",
    callback: Callback | None = None,
    engine: str = "auto",
    n_threads: int | None = None,
    sort: str = "none",
) -> Options:
    """Make options of what was asked for; what depends on the points is for `Options.check_points`.

    Without a number of clusters, which errors call `name`, there are as many as rows of `init`, or 8.
    """
    checked_init = validation.choice("init", init, inits) if isinstance(init, str) else arrays.centroids("init", init)
    if n_clusters is None:
        n_clusters = DEFAULT_CLUSTERS if isinstance(checked_init, str) else len(checked_init)
    n_clusters = validation.cluster_count(name, n_clusters)
    if not isinstance(checked_init, str) and len(checked_init) != n_clusters:
        raise ValueError(f"init must have shape ({n_clusters}, {checked_init.shape[1]}), got {checked_init.shape}")
    validation.function("callback", callback)
    checked_effort = _checked_effort(effort)
    checked_max_iter = validation.integer("max_iter", max_iter, 1)
    return Options(
        n_clusters=n_clusters,
        init=checked_init,
        n_init=_checked_n_init(n_init, checked_init),
        max_iter=checked_max_iter if checked_effort else min(checked_max_iter, FEW_ITERATIONS),
        tol=validation.number("tol", tol),
        step=_checked_step(relaxation, momentum),
        effort=checked_effort,
        seed=validation.integer("seed", seed, 0),
        algorithm=validation.choice("algorithm", algorithm, ALGORITHMS),
        callback=callback,
        engine=validation.choice("engine", engine, ENGINES),
        n_threads=validation.thread_count(n_threads),
        sort=validation.choice("sort", sort, ORDERS),
    )


def _checked_n_init(n_init: int, init: str | NDArray[np.float64]) -> int:
    checked = validation.integer("n_init", n_init, 1)
    if checked > 1 and (not isinstance(init, str) or (init in STARTS and STARTS[init].is_fixed)):
        given = f"init={init!r}" if isinstance(init, str) else "an array as init"
        raise ValueError(f"n_init must be 1 with {given}, as every run would be the same, got {n_init}")
    return checked


def _checked_effort(effort: int) -> int:
    checked = validation.integer("effort", effort, EFFORTS[0])
    if checked > EFFORTS[-1]:
        raise ValueError(f"effort must be from {EFFORTS[0]} to {EFFORTS[-1]}, got {effort}")
    return checked


def _checked_step(relaxation: float, momentum: float) -> Step:
    step = Step(validation.number("relaxation", relaxation), validation.number("momentum", momentum))
    if not 1 <= step.relaxation < 2:
        raise ValueError(f"relaxation must be at least 1 and below 2, got {relaxation}")
    if not 0 <= step.momentum < 1:
        raise ValueError(f"momentum must be at least 0 and below 1, got {momentum}")
    return step
