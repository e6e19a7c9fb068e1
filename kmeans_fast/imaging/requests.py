"""What can be asked of `quantize`: checked before any work, and handed on whole.

A new option is a field of `Request`, and a line of whoever acts on it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from kmeans_fast import validation
from kmeans_fast.imaging.dithering import Dithering, check_size, checked_dithering
from kmeans_fast.imaging.sorting import ORDERS
from kmeans_fast.imaging.spaces import NAMED, WITH_LIGHTNESS
from kmeans_fast.lending import Machine, machine_for
from kmeans_fast.lloyd import LONG
from kmeans_fast.options import STARTS, Asked, Options, checked_options

INITS = ("auto", *STARTS)
# Where `quantize` differs from `kmeans`. With these, all of 64 cases (8 pictures, K from 2 to 256) were within 0.4 % of
# the error of the fixed point.
MAX_ITER = 18
TOL = 0.05
DEFAULTS: Asked = {
    "init": "auto",
    "max_iter": MAX_ITER,
    "tol": TOL,
    "relaxation": LONG.relaxation,
    "momentum": LONG.momentum,
}
# How many numbers of colours a search for a quality tries.
N_TRIES = 8
# With weights beyond these, 8-bit steps of an axis would come near to those of the points.
LEAST_LIGHTNESS, MOST_LIGHTNESS = 0.1, 10.0


@dataclass(frozen=True)
class Request:
    """What `quantize` was asked for, checked."""

    options: Options
    """Of which `init` may be "auto", and `tol` is in 8-bit steps."""
    quality: float | None
    sort: str
    space: str
    lightness: float
    dithering: Dithering

    def machine(self, n_pixels: int) -> AbstractContextManager[Machine]:
        """Lend an engine and workers for all that a picture needs."""
        work = self.options.work(n_pixels) * (1 if self.quality is None else N_TRIES)
        return machine_for(self.options.engine, self.options.n_threads, n_pixels, work)


def checked_request(
    n_colors: int | None,
    quality: float | None,
    sort: str,
    space: str,
    lightness: float,
    asked: Asked,
    dither: str = "none",
    strength: float = 1.0,
) -> Request:
    """Check what `quantize` was asked for, before any work."""
    if n_colors is not None and quality is not None:
        raise ValueError(f"n_colors and quality can't both be given, got {n_colors!r} and {quality!r}")
    unknown = asked.keys() - Asked.__annotations__.keys()
    if unknown:
        raise TypeError(f"got an unexpected keyword argument {min(unknown)!r}")
    known: Asked = {**DEFAULTS, **asked}
    options = checked_options(n_colors, name="n_colors", inits=INITS, **known)
    if quality is not None and not isinstance(options.init, str):
        raise ValueError("init must be the name of a method with quality, got an array")
    dithering = checked_dithering(dither, strength)
    check_size(options.n_clusters, dithering)
    return Request(
        options,
        None if quality is None else validation.number("quality", quality),
        validation.choice("sort", sort, ORDERS),
        validation.choice("space", space, NAMED),
        _checked_lightness(lightness, space),
        dithering,
    )


def _checked_lightness(lightness: float, space: str) -> float:
    weight = validation.number("lightness", lightness)
    if not LEAST_LIGHTNESS <= weight <= MOST_LIGHTNESS:
        raise ValueError(f"lightness must be from {LEAST_LIGHTNESS:g} to {MOST_LIGHTNESS:g}, got {lightness!r}")
    if weight != 1 and space not in WITH_LIGHTNESS:
        allowed = " or ".join(map(repr, WITH_LIGHTNESS))
        raise ValueError(
            f"lightness must be 1 with space={space!r}, which has no such axis, got {lightness!r}; use space={allowed}"
        )
    return weight
