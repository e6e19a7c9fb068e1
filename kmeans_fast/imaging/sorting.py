"""Orders of a palette."""

import colorsys
from typing import Any

import numpy as np
from numpy.typing import NDArray

ORDERS = ("none", "count", "luma", "hue")
# Of R, G and B in luma, in 1/10,000: ITU-R BT.709. Integers, so that equals are equal on every machine.
LUMA = (2126, 7152, 722)


def order_of(palette: NDArray[Any], counts: NDArray[np.int64], by: str) -> NDArray[np.intp]:
    """Return the order of the entries (K, C) of a palette; equals are sorted by their channels, alpha first.

    ``"count"`` puts the most frequent first, ``"luma"`` the darkest, and before all that is opaque the darkest of what
    isn't, as a PNG says of no more than these how opaque they are. ``"hue"`` goes around the colour circle from red
    over green and blue, after the greys, which have no hue; entries of the same hue go from dark to light.
    """
    if by == "none":
        return np.arange(len(palette))
    channels = palette.astype(np.int64).T
    luma = (
        sum(part * channel for part, channel in zip(LUMA, channels, strict=False)) if len(channels) > 1 else channels[0]
    )
    by_luma = [luma, palette[:, 3] == np.iinfo(palette.dtype).max] if palette.shape[1] == 4 else [luma]
    ranks: dict[str, list[NDArray[Any]]] = {"count": [-counts], "luma": by_luma, "hue": [luma, _hues(palette)]}
    return np.lexsort([*channels, *ranks[by]])


def _hues(palette: NDArray[Any]) -> NDArray[np.float64]:
    """Hue from 0 to 1, and −1 for a grey."""
    if palette.shape[1] < 3:
        return np.full(len(palette), -1.0)
    colors = palette[:, :3].tolist()
    return np.array([-1.0 if r == g == b else colorsys.rgb_to_hsv(r, g, b)[0] for r, g, b in colors])
