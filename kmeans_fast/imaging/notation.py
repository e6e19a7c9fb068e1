"""Colours as people write them: ``#rgb``, ``#rrggbb``, either with alpha, or by their names in CSS."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import arrays
from kmeans_fast.imaging.channels import without_idle_alpha

_HEX = re.compile(r"#?([0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")


def color_of(name: str, text: Any) -> tuple[int, int, int, int]:
    """Return red, green, blue and alpha of a colour; errors call it `name`."""
    if isinstance(text, str):
        found = _HEX.fullmatch(text)
        if found is None:
            found = _HEX.fullmatch(_named(text))
        if found is not None:
            digits = found[1] if len(found[1]) > 4 else "".join(digit * 2 for digit in found[1])
            red, green, blue, alpha = bytes.fromhex(f"{digits}ff")[:4]
            return red, green, blue, alpha
    raise ValueError(f"{name} must be of colours such as '#ff8000', '#ff800080', '#f80' or 'orange', got {text!r}")


def entries_of(name: str, colors: Iterable[Any]) -> NDArray[np.uint8]:
    """Return the entries (K, 3) of colours, or (K, 4) if one isn't opaque."""
    entries = np.array([color_of(name, color) for color in colors], np.uint8).reshape(-1, 4)
    return without_idle_alpha(entries).copy()


def checked_colors(name: str, colors: Any) -> NDArray[Any]:
    """Return colours as an array (K, C) of its own, uint8 or uint16."""
    if isinstance(colors, (list, tuple)) and any(isinstance(color, str) for color in colors):
        return entries_of(name, colors)
    array = arrays.unmasked_numbers(name, colors)
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2 or array.shape[1] not in (1, 3, 4) or not len(array):
        raise ValueError(f"{name} must have shape (K,), (K, 1), (K, 3) or (K, 4) with K > 0, got {array.shape}")
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be of integers from 0 to 255, got {array.dtype}")
    if array.dtype.newbyteorder("=") == np.uint16:
        return np.array(array, np.uint16, order="C")
    if array.min() < 0 or array.max() > 255:
        raise ValueError(f"{name} must be from 0 to 255, got values from {array.min()} to {array.max()}")
    return np.array(array, np.uint8, order="C")


def hex_of(entries: NDArray[np.uint8]) -> list[str]:
    """Return the entries (K, C) as ``#rrggbb``, or as ``#rrggbbaa`` with four channels."""
    channels = np.broadcast_to(entries, (len(entries), max(3, entries.shape[1])))
    return [f"#{entry.tobytes().hex()}" for entry in channels]


def _named(text: str) -> str:
    """Return the hex of a name of CSS, or nothing."""
    from PIL import ImageColor

    if text.lower() == "transparent":
        return "#00000000"
    name = text.lower().replace(" ", "")
    if name not in ImageColor.colormap:
        return ""
    return f"#{bytes(ImageColor.getrgb(name)[:3]).hex()}"
