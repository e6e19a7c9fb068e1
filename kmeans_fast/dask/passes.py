"""Points in blocks whose passes are run by Dask's scheduler, whichever is in force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from dask.base import compute, persist
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

from kmeans_fast.dask.sources import Source
from kmeans_fast.points.blocks import Blocks


def blocks_of(source: Source, engine: str) -> Blocks:
    """Return the points that are kept, a block for each chunk."""
    points = [delayed(_chosen_points)(*part) for part in source.blocks]
    kept: list[tuple[Any, ...]] = [() for _ in points]

    def task(i: int, call: Callable[..., Any], arguments: tuple[Any, ...]) -> Delayed:
        return delayed(call)(points[i], *kept[i], *arguments)

    def for_each(call: Callable[..., Any], *arguments: Any) -> list[Any]:
        return list(compute(*(task(i, call, arguments) for i in range(len(points)))))

    def for_one(i: int, call: Callable[..., Any], *arguments: Any) -> Any:
        return task(i, call, arguments).compute()

    def keep(call: Callable[..., Any], *arguments: Any) -> None:
        kept[:] = [(part,) for part in persist(*(task(i, call, arguments) for i in range(len(points))))]

    def forget() -> None:
        kept[:] = [() for _ in points]

    return Blocks(for_each, for_one, keep, forget, engine)


def _chosen_points(block: NDArray[Any], mask: NDArray[np.bool_] | None) -> NDArray[Any]:
    return block.reshape(-1, block.shape[-1]) if mask is None else block[mask]
