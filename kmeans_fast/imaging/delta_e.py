"""How different two colours look: CIEDE2000 [1]_ of sRGB colours, by CIELAB for D65.

1 is about what people begin to see in large patches side by side.

References
----------
.. [1] G. Sharma, W. Wu, E. N. Dalal, "The CIEDE2000 color-difference formula: implementation notes, supplementary test
   data, and mathematical observations", Color Research and Application 30(1), 2005; ISO/CIE 11664-6:2014.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.imaging import transfer, uniform

Floats = NDArray[np.float64]

# Colours at a time: 128 kB for each of the numbers made of them, which stay in a cache.
BLOCK = 1 << 14


def visible_difference(colors: NDArray[Any], others: NDArray[Any]) -> Floats:
    """Return how different colours (N, C) of 1, 3 or 4 channels look from others, (N,).

    Those with alpha are seen on black or on white, whichever shows more difference.
    """
    result = np.zeros(len(colors))
    for start in range(0, len(colors), BLOCK):
        block = slice(start, start + BLOCK)
        for background in range(1 if colors.shape[1] < 4 else 2):
            seen = (lab(shown(some[block], background)) for some in (colors, others))
            np.maximum(result[block], ciede2000(*seen), out=result[block])
    return result


def shown(colors: NDArray[Any], background: int) -> NDArray[Any]:
    """Return colours (..., C) as RGB (..., 3), in front of black for a background of 0 and of white for 1."""
    if colors.shape[-1] < 4:
        return np.broadcast_to(colors, (*colors.shape[:-1], 3))
    top = int(np.iinfo(colors.dtype).max)
    alpha = colors[..., 3:].astype(np.uint16 if top == 255 else np.uint32)
    over = colors[..., :3] * alpha + (top - alpha) * (top * background)
    seen: NDArray[Any] = ((over + top // 2) // top).astype(colors.dtype)
    return seen


def lab(colors: NDArray[Any]) -> Floats:
    """Return L*, a*, b* (N, 3) of sRGB (N, 3), uint8 or uint16; a grey has no a* or b* beyond rounding.

    Examples
    --------
    >>> lab(np.array([[255, 0, 0]], np.uint8)).round(3).tolist()
    [[53.237, 80.09, 67.203]]
    """
    light = transfer.light(int(np.iinfo(colors.dtype).max))
    xyz = light[colors] @ np.array(uniform.LIGHT_TO_XYZ).T
    rooted = np.where(xyz > uniform.FOOT, np.cbrt(xyz), xyz * uniform.FOOT_SLOPE + uniform.FOOT_HEIGHT)
    result: Floats = rooted @ np.array(uniform.XYZ_TO_LAB).T
    result[:, 0] += uniform.LEAST_LAB
    return result


def ciede2000(first: Floats, second: Floats) -> Floats:
    """Return the difference (N,) of colours in CIELAB (N, 3), with the weights k of 1.

    Names are those of the paper, to which the numbers refer.

    Examples
    --------
    >>> ciede2000(np.array([[50, 2.6772, -79.7751]]), np.array([[50, 0, -82.7485]])).round(4).tolist()
    [2.0425]
    """
    mean_chroma = (np.hypot(*first[:, 1:].T) + np.hypot(*second[:, 1:].T)) / 2
    stretch = 1.5 - 0.5 * _shoulder(mean_chroma)  # 1 + G, eqs. 4 and 5
    chroma_1, hue_1 = _polar(first, stretch)
    chroma_2, hue_2 = _polar(second, stretch)
    # Eqs. 8 to 11. A hue that isn't one, of a grey, counts as 0, which its chroma of 0 makes the same.
    turn = (hue_2 - hue_1 + 180) % 360 - 180
    delta_hue = 2 * np.sqrt(chroma_1 * chroma_2) * np.sin(np.radians(turn / 2))
    # Eqs. 12 to 14: half way between the hues, by the shorter way.
    is_grey = chroma_1 * chroma_2 == 0
    hue = np.where(is_grey, hue_1 + hue_2, hue_1 + turn / 2)
    lightness, chroma = (first[:, 0] + second[:, 0]) / 2, (chroma_1 + chroma_2) / 2
    # Eqs. 15 to 22.
    t = 1 - 0.17 * _cos(hue - 30) + 0.24 * _cos(2 * hue) + 0.32 * _cos(3 * hue + 6) - 0.20 * _cos(4 * hue - 63)
    squared = (lightness - 50) ** 2
    l_part = (second[:, 0] - first[:, 0]) / (1 + 0.015 * squared / np.sqrt(20 + squared))
    c_part = (chroma_2 - chroma_1) / (1 + 0.045 * chroma)
    h_part = delta_hue / (1 + 0.015 * chroma * t)
    theta = 30 * np.exp(-((((hue % 360) - 275) / 25) ** 2))
    rotation = -2 * _shoulder(chroma) * np.sin(np.radians(2 * theta))
    result: Floats = np.sqrt(np.maximum(0, l_part**2 + c_part**2 + h_part**2 + rotation * c_part * h_part))
    return result


def _shoulder(chroma: Floats) -> Floats:
    """Return a number that goes from 0 to 1 where the chroma passes 25."""
    result: Floats = np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    return result


def _polar(colors: Floats, stretch: Floats) -> tuple[Floats, Floats]:
    """Return chroma and hue in degrees, of the stretched a* and b* (eqs. 6 and 7)."""
    a, b = colors[:, 1] * stretch, colors[:, 2]
    return np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360


def _cos(degrees: Any) -> Floats:
    result: Floats = np.cos(np.radians(degrees))
    return result
