"""The colours of a picture with transparency, apart: what is opaque, what is fully transparent, and the others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.colors.histogram import ColorHistogram, sort_points
from kmeans_fast.colors.sorting import decoded
from kmeans_fast.engines.codes import OPAQUE, encode, without_alpha
from kmeans_fast.imaging.spaces import TRANSLUCENT, Space
from kmeans_fast.lending import Machine

HIDDEN = 0


def are_among(colors: NDArray[Any], histogram: ColorHistogram) -> NDArray[np.bool_]:
    """Say which of the colours (K, C) a histogram has."""
    wanted, codes = encode(colors.astype(histogram.colors.dtype)), histogram.codes
    places = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
    found: NDArray[np.bool_] = codes[places] == wanted
    return found


@dataclass(frozen=True)
class Mixture:
    """The colours of a picture, apart: what is opaque, what is fully transparent, and the others.

    Attributes
    ----------
    colors : ColorHistogram
        Of RGBA as they are in the picture.
    machine : Machine
        What they are sorted on.
    space : Space
        Where they are compared.
    """

    colors: ColorHistogram
    machine: Machine
    space: Space = TRANSLUCENT

    @cached_property
    def is_opaque(self) -> NDArray[np.bool_]:
        """Which of the colours are."""
        is_opaque: NDArray[np.bool_] = self.colors.colors[:, 3] == OPAQUE
        return is_opaque

    @cached_property
    def opaque(self) -> ColorHistogram | None:
        """Opaque colours without their alpha."""
        return self._flat(self.is_opaque)

    def _flat(self, chosen: NDArray[np.bool_]) -> ColorHistogram | None:
        """Return colours of one alpha without it, which leaves the order of their codes as it is."""
        codes = without_alpha(self.colors.codes[chosen])
        return (
            ColorHistogram(3, codes, self.colors.counts[chosen], decoded(codes, 3, self.machine))
            if len(codes)
            else None
        )

    @cached_property
    def is_hidden(self) -> NDArray[np.bool_]:
        """Which of them are fully transparent."""
        is_hidden: NDArray[np.bool_] = self.colors.colors[:, 3] == HIDDEN
        return is_hidden

    @cached_property
    def hidden(self) -> ColorHistogram | None:
        """What is fully transparent: as opaque colours where it is kept, else one colour of four channels, all 0."""
        if self.space.keeps_hidden:
            return self._flat(self.is_hidden)
        counts = self.colors.counts[self.is_hidden]
        return ColorHistogram(4, np.zeros(1, np.uint64), counts.sum(keepdims=True)) if counts.size else None

    @cached_property
    def _sorted(self) -> tuple[ColorHistogram | None, NDArray[Any]]:
        chosen = np.flatnonzero(self.is_visible)
        if not chosen.size:
            return None, chosen
        colors, counts = self.colors.colors, self.colors.counts[chosen]

        def chunk(start: int, stop: int) -> NDArray[Any]:
            return self.space.embed(colors[chosen[start:stop]])

        return sort_points(len(chosen), chunk, (4, chunk(0, 0).dtype), self.machine, counts)

    @cached_property
    def is_visible(self) -> NDArray[np.bool_]:
        """Which are translucent."""
        return ~(self.is_opaque | self.is_hidden)

    @property
    def visible(self) -> ColorHistogram | None:
        """Colours that are neither opaque nor fully transparent, premultiplied: all of them different."""
        return self._sorted[0]

    @property
    def places(self) -> NDArray[Any]:
        """Where in `visible` each of those colours is."""
        return self._sorted[1]

    @property
    def has_hidden(self) -> bool:
        """Whether something is fully transparent."""
        return self.hidden is not None

    @property
    def has_visible(self) -> bool:
        """Whether something isn't fully transparent."""
        return self.opaque is not None or self.visible is not None

    @property
    def n_distinct(self) -> int:
        """Distinct colours; all that are fully transparent count as one, unless they are kept."""
        return int((~self.is_hidden).sum()) + (0 if self.hidden is None else len(self.hidden))
