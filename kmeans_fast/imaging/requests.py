"""What can be asked of `quantize`: checked before any work, and handed on whole.

A new option is a field of `Request`, and a line of whoever acts on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import validation
from kmeans_fast.imaging.channels import is_translucent
from kmeans_fast.imaging.dithering import Dithering, check_size, checked_dithering
from kmeans_fast.imaging.given import checked_palette
from kmeans_fast.imaging.ignoring import Ignored, checked_ignore
from kmeans_fast.imaging.sorting import ORDERS
from kmeans_fast.imaging.spaces import NAMED, WITH_LIGHTNESS
from kmeans_fast.lending import Machine, machine_for
from kmeans_fast.lloyd import LONG
from kmeans_fast.options import DEFAULT_CLUSTERS, STARTS, Asked, Options, checked_options

INITS = ("auto", *STARTS)
# Where `quantize` differs from `kmeans`. With these, all of 64 cases (8 pictures, K from 2 to 256) were within 0.4 % of
# the error of the fixed point.
MAX_ITER = 18
# After a start on a part of the pixels.
THIN_MAX_ITER = 2
TOL = 0.05
DEFAULTS: Asked = {
    "init": "auto",
    "max_iter": MAX_ITER,
    "tol": TOL,
    "relaxation": LONG.relaxation,
    "momentum": LONG.momentum,
}
# What `quality` and `max_error` may use: as many as an indexed PNG holds.
MOST_COLORS = 256
# How many numbers of colours a search for these tries.
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
    palette: NDArray[Any] | None = None
    """Entries (K, C) that are given: the palette."""
    fixed: NDArray[Any] | None = None
    """Entries (F, C) that have to be in the palette, F below K."""
    ignored: Ignored | None = None
    """Colours that are left out."""
    max_error: float | None = None
    """How much the colours that are seen may differ from their entries, by CIEDE2000."""
    min_region: int = 1
    """How many pixels a region of one entry has at least."""
    merge: float = 0.0
    """Up to which distance in Oklab entries are merged."""
    mask: Any = None
    """True for each pixel that takes part; checked with the picture, as the axis is."""
    channel_axis: int | None = -1
    keep_hidden_color: bool = False
    """Whether colours of pixels that are fully transparent are clustered as well."""

    @property
    def is_search(self) -> bool:
        """Whether the number of colours is to be found."""
        return self.quality is not None or self.max_error is not None

    @property
    def drops_transparent(self) -> bool:
        """Whether what is fully transparent is left out, and alpha says nothing else."""
        return self.ignored is not None and self.ignored.transparent

    @property
    def entries(self) -> NDArray[Any] | None:
        """Entries that are given, be they the palette or a part of it."""
        return self.palette if self.fixed is None else self.fixed

    @property
    def is_of_points(self) -> bool:
        """Whether nothing is asked of colours but to be clustered."""
        is_other = self.dithering.is_on or self.ignored is not None or self.entries is not None
        return not is_other and self.max_error is None and self.merge == 0

    def machine(self, n_pixels: int) -> AbstractContextManager[Machine]:
        """Lend an engine and workers for all that a picture needs."""
        work = self.options.work(n_pixels) * (N_TRIES if self.is_search else 1)
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
    palette: Any = None,
    fixed: Any = None,
    ignore: str | Sequence[str] = (),
    merge: float = 0.0,
    min_region: int = 1,
    max_error: float | None = None,
    mask: Any = None,
    channel_axis: int | None = -1,
    keep_hidden_color: bool = False,
) -> Request:
    """Check what `quantize` was asked for, before any work."""
    unknown = asked.keys() - Asked.__annotations__.keys()
    if unknown:
        raise TypeError(f"got an unexpected keyword argument {min(unknown)!r}")
    given = None if palette is None else checked_palette("palette", palette)
    ignored = checked_ignore(ignore)
    held = None if fixed is None else _checked_fixed(fixed, ignored, keep_hidden_color)
    if given is not None:
        _refuse_search(
            asked,
            n_colors=n_colors,
            quality=quality,
            max_error=max_error,
            fixed=fixed,
            sort=None if sort == "none" else sort,
        )
        n_colors = len(given)
    aims = {name: value for name, value in {"quality": quality, "max_error": max_error}.items() if value is not None}
    options = _checked_options(n_colors, aims, 0 if held is None else len(held), {**DEFAULTS, **asked})
    options = replace(options, thin_max_iter=options.max_iter if "max_iter" in asked else THIN_MAX_ITER)
    dithering = checked_dithering(dither, strength)
    check_size(options.n_clusters, dithering)
    checked_region = validation.integer("min_region", min_region, 1)
    if checked_region > 1 and dithering.is_on:
        raise ValueError(f"min_region must be 1 with dither={dither!r}, which is made of specks, got {min_region}")
    if validation.flag("keep_hidden_color", keep_hidden_color):
        check_keeping_hidden(space, dithering, ignored)
    return Request(
        options=options,
        quality=None if quality is None else validation.number("quality", quality),
        sort=validation.choice("sort", sort, ORDERS),
        space=validation.choice("space", space, NAMED),
        lightness=_checked_lightness(lightness, space),
        dithering=dithering,
        palette=given,
        fixed=held,
        max_error=None if max_error is None else validation.number("max_error", max_error),
        min_region=checked_region,
        ignored=ignored,
        merge=_checked_merge(merge, options.n_clusters, **aims, fixed=fixed),
        mask=mask,
        channel_axis=channel_axis,
        keep_hidden_color=keep_hidden_color,
    )


def check_keeping_hidden(space: str, dithering: Dithering, ignored: Ignored | None = None) -> None:
    """Raise a ValueError for what leaves no hidden colours to keep."""
    if space != "srgb":
        raise ValueError(f"keep_hidden_color is for space='srgb', got space={space!r}, which has no transparency")
    if dithering.is_on:
        raise ValueError(f"keep_hidden_color is for pictures without dithering, got dither={dithering.method!r}")
    if ignored is not None and ignored.transparent:
        raise ValueError("keep_hidden_color can't be given with ignore='transparent', which leaves them out")


def _refuse_search(asked: Asked, **others: Any) -> None:
    """Raise a ValueError for what a palette that is given leaves nothing to do for."""
    search = asked.keys() - {"engine", "n_threads"} | {name for name, value in others.items() if value is not None}
    if search:
        raise ValueError(f"{min(search)} can't be given with palette, which is taken as it is")


def _checked_fixed(fixed: Any, ignored: Ignored | None, keep_hidden_color: bool) -> NDArray[Any]:
    """Return the entries; what is fully transparent has no colour unless it is kept."""
    entries = checked_palette("fixed", fixed)
    if is_translucent(entries):
        if ignored is not None and ignored.transparent:
            raise ValueError("fixed must be opaque colours with ignore='transparent', got alpha below 255")
        entries = entries if keep_hidden_color else np.where(entries[:, 3:] > 0, entries, entries.dtype.type(0))
    if len(np.unique(entries, axis=0)) < len(entries):
        raise ValueError("fixed must be of distinct colours, got one twice")
    return entries


def _checked_options(n_colors: int | None, aims: dict[str, float], n_fixed: int, known: Asked) -> Options:
    """Return options for K colours, of which some may be fixed; the rows of an array as `init` are for the others."""
    for name, value in aims.items():
        if n_colors is not None:
            raise ValueError(f"n_colors and {name} can't both be given, got {n_colors!r} and {value!r}")
        if not isinstance(known["init"], str):
            raise ValueError(f"init must be the name of a method with {name}, got an array")
    if n_fixed and n_colors is None and isinstance(known["init"], str):
        n_colors = MOST_COLORS if aims else DEFAULT_CLUSTERS
    if n_fixed and n_colors is not None:
        n_colors = validation.cluster_count("n_colors", n_colors) - n_fixed
        if n_colors < 1:
            raise ValueError(f"n_colors counts what is fixed, and must be above {n_fixed}, got {n_colors + n_fixed}")
    options = checked_options(n_colors, name="n_colors", inits=INITS, **known)
    return replace(options, n_clusters=options.n_clusters + n_fixed)


def _checked_merge(merge: float, n_colors: int, **others: Any) -> float:
    checked = validation.number("merge", merge)
    if checked and n_colors > MOST_COLORS:
        raise ValueError(f"merge must be 0 for more than {MOST_COLORS} colours, got {merge!r} for {n_colors}")
    given = [name for name, value in others.items() if value is not None]
    if checked and given:
        raise ValueError(f"merge must be 0 with {given[0]}, got {merge!r}")
    return checked


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
