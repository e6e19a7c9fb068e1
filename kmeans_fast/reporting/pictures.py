"""Pictures for a page: made small by Pillow, and written into data URLs."""

from __future__ import annotations

import base64
import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.imaging.channels import in_8_bits

if TYPE_CHECKING:
    from PIL.Image import Image

# What a page shows at most, so that it stays below 8 MB whatever the picture.
MOST_PIXELS = 1_100_000
MOST_TRANSLUCENT_PIXELS = 400_000  # these can't be written as JPEGs
MOST_ACROSS = 16_000  # what browsers show, and JPEGs hold
MOST_PNG_BYTES = 1_200_000
# Of zlib: 6 took eight times as long for photos that then become JPEGs, and made others 10 % smaller.
COMPRESS_LEVEL = 1
# With chroma in full, as edges between few colours are coloured.
JPEG = {"quality": 92, "subsampling": 0}

# What an error map is painted with, from none to the most: each step as much lighter, so that it reads without colour.
_HEAT = ((0, 0, 0), (58, 15, 110), (150, 38, 115), (222, 80, 67), (250, 160, 40), (255, 240, 190))
_N_HEATS = 64


def small(pixels: NDArray[Any]) -> Image:
    """Return an image (H, W, C) of 8 bits, and not larger than what is shown: means of the pixels under each."""
    from PIL import Image

    eight = _in_8_bits_by_rows(pixels)
    image = Image.fromarray(eight[..., 0] if eight.shape[2] == 1 else eight)
    most = MOST_TRANSLUCENT_PIXELS if image.mode == "RGBA" else MOST_PIXELS
    scale = min(math.sqrt(most / (image.width * image.height)), MOST_ACROSS / max(image.size))
    if scale >= 1:
        return image
    size = max(1, int(image.width * scale)), max(1, int(image.height * scale))
    return image.resize(size, Image.Resampling.BOX)


def heat_map(levels: NDArray[np.uint8]) -> tuple[Image, int]:
    """Paint errors (H, W), and return with which level the brightest colour begins: few pixels have a higher one."""
    gray = small(levels[..., np.newaxis])
    shown = np.cumsum(gray.histogram())
    top = max(1, int(np.searchsorted(shown, 0.995 * shown[-1])))
    painted = gray.point([min(level * (_N_HEATS - 1) // top, _N_HEATS - 1) for level in range(256)])
    painted.putpalette(np.rint(_heats()).astype(np.uint8).tobytes())
    return painted, top


def heat_gradient() -> str:
    """Return the colours of an error map as CSS."""
    return ", ".join(f"#{bytes(color).hex()}" for color in _HEAT)


def data_url(image: Image, icc_profile: bytes | None = None) -> str:
    """Write an image as PNG, or as JPEG where that would be large and nothing is transparent."""
    data, kind = _encoded(image, "PNG", icc_profile, compress_level=COMPRESS_LEVEL), "png"
    if len(data) > MOST_PNG_BYTES and image.mode in ("L", "RGB"):
        data, kind = _encoded(image, "JPEG", icc_profile, **JPEG), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _encoded(image: Image, kind: str, icc_profile: bytes | None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    if icc_profile is not None:
        options["icc_profile"] = icc_profile
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _in_8_bits_by_rows(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Round as `in_8_bits` does, without as many floats as there are pixels."""
    if pixels.dtype == np.uint8:
        return pixels
    eight = np.empty(pixels.shape, np.uint8)
    for row, wide in zip(eight, pixels, strict=True):
        row[:] = in_8_bits(wide)
    return eight


def _heats() -> NDArray[np.float64]:
    places = np.linspace(0, 1, _N_HEATS)
    return np.stack([np.interp(places, np.linspace(0, 1, len(_HEAT)), part) for part in zip(*_HEAT, strict=True)], 1)
