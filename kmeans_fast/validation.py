"""Checks of arguments that are no arrays, made before any work: each says what came and what is allowed."""

import math
import operator
from collections.abc import Collection
from typing import Any

import numpy as np


def integer(name: str, value: Any, minimum: int) -> int:
    """Return an integer of at least `minimum`."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {number}")
    return number


def number(name: str, value: Any) -> float:
    """Return a float that isn't negative or NaN."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None
    if math.isnan(result) or result < 0:
        raise ValueError(f"{name} must be at least 0, got {value!r}")
    return result


def choice(name: str, value: Any, allowed: Collection[str]) -> str:
    """Return one of the allowed strings."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value


def flag(name: str, value: Any) -> bool:
    """Return True or False; NumPy's are taken, and nothing else."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def function(name: str, value: Any) -> None:
    """Check that an optional argument can be called."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be callable or None, got {value!r}")


def cluster_count(name: str, value: Any) -> int:
    """Return a number of clusters, at least 1."""
    n_clusters = integer(name, value, 1)
    if n_clusters > 2**32:
        raise ValueError(f"{name} must be at most 2**32, what a label of 32 bits can hold, got {n_clusters}")
    return n_clusters


def thread_count(value: Any) -> int | None:
    """Return a number of threads, at least 1, or None for as many as there are."""
    return None if value is None else integer("n_threads", value, 1)
