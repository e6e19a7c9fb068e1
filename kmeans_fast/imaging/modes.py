"""What Pillow's modes mean: what it has decoded becomes 8 bits a channel, put right where it took values for others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.imaging import depths, tiff
from kmeans_fast.imaging.allowed import UnsupportedError
from kmeans_fast.imaging.notes import depth_notes
from kmeans_fast.imaging.opening import Opened, Reader
from kmeans_fast.imaging.sources import Source

# What Pillow is asked to convert each of its modes to; the mode is named, never guessed from an array's shape. A mode
# that can hold transparency is asked for as RGBA, and loses the alpha channel again if every pixel is opaque.
CONVERSIONS = {
    "1": "L",
    "L": "L",
    "LA": "RGBA",
    "La": "LA",  # the one mode that it can be converted to
    "P": "RGBA",
    "PA": "RGBA",
    "RGB": "RGB",
    "RGBA": "RGBA",
    "RGBa": "RGBA",
    "RGBX": "RGB",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "LAB": "RGB",
}
GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"})
INTEGER_MODES = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})


def decode_8_bits(opened: Opened, reader: Reader) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Decode what Pillow gives 8 bits a channel; returns notes as well."""
    file, image, kind = opened
    mode = image.mode
    transparency = image.info.get("transparency")
    depth = depths.png_depth(file) if image.format == "PNG" else max(kind.bits) if kind is not None else 8
    levels = None
    if image.format == "JPEG2000":
        levels = _levels_of_jpeg2000(depths.jpeg2000_depths(file))
    if image.format == "FITS":
        _check_fits(file)

    if image.format == "PNG" and mode == "L" and transparency is not None:
        pixels = reader.read("L")
        top = 2**depth - 1
        pixels = with_transparent_color(pixels, pixels, (transparency & top) * 255 // top)
    elif image.format == "PNG" and mode == "RGB" and depth == 16 and transparency is not None:
        pixels = reader.read("RGB")
        values = pixels.astype(np.uint16) << 8 | _lower_bytes(file)
        pixels = with_transparent_color(pixels, values, transparency)
    else:
        # A transparent colour (tRNS) may come with modes that have no alpha channel of their own.
        target = "RGBA" if transparency is not None else CONVERSIONS[mode]
        pixels = reader.read(target)
    if pixels.ndim == 3 and pixels.shape[2] == 2:
        pixels = pixels[..., [0, 0, 0, 1]]
    if levels is not None:
        pixels = levels[pixels]
    # Of 16 bits Pillow has kept the upper eight.
    notes = depth_notes(int(pixels[..., :3].max()) * 256 + 255, 16) if depth == 16 else ()
    return pixels, notes


def with_transparent_color(pixels: NDArray[np.uint8], values: NDArray[Any], color: Any) -> NDArray[np.uint8]:
    """Add an alpha channel that is 0 where the stored `values` are of the colour given, and 255 elsewhere."""
    if color is None:
        return pixels
    equal = values == np.asarray(color)
    alpha = np.where(equal if values.ndim == 2 else equal.all(axis=-1), np.uint8(0), np.uint8(255))
    colors = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1)
    return np.concatenate([colors, alpha[..., np.newaxis]], axis=-1)


def _lower_bytes(file: Source) -> NDArray[np.uint8]:
    """Read the lower bytes of a 16-bit RGB PNG, which Pillow drops: it takes them for the upper ones if told so."""
    from PIL import PngImagePlugin

    file.seek(0)
    image = PngImagePlugin.PngImageFile(file)
    image.tile = [tile._replace(args="RGB;16L") for tile in image.tile]
    return np.asarray(image)


def _levels_of_jpeg2000(bits: Sequence[int]) -> NDArray[np.uint8] | None:
    """Return a table that scales what Pillow has shifted to 8 bits, or None if 8 bits were stored; refuse more."""
    if len(set(bits)) > 1:
        raise UnsupportedError(f"is a JPEG 2000 of {'/'.join(map(str, bits))} bits, which is not read")
    if not bits or bits[0] == 8:
        return None
    if bits[0] > 8:
        raise UnsupportedError(
            f"is a JPEG 2000 of {bits[0]} bits in each of {len(bits)} channels, which is not read because Pillow "
            "takes white for black; "
            "imagecodecs.imread gives its values as an array: scale that to uint8, or give it to kmeans"
        )
    return tiff.scaled(np.arange(256) >> (8 - bits[0]), 2 ** bits[0] - 1)


def grey_values(opened: Opened, values: NDArray[Any]) -> NDArray[Any]:
    """Return grey values from 0 to 65535 for integers that Pillow has read, put right if it took them for others."""
    file, image, kind = opened
    if kind is not None and kind.bits == (32,) and kind.sample_format == tiff.UNSIGNED:
        values = values.view(np.uint32)
    if image.format == "JPEG2000":
        bits = max(depths.jpeg2000_depths(file), default=16)
        values = tiff.rescaled(values >> max(0, 16 - bits), 2**bits - 1)
    if image.format == "FITS":
        zero = _check_fits(file)
        _check_byte_order()
        values = values if image.mode == "I" else values.astype(np.uint16).view(np.int16) + np.int32(zero)
    return checked_16_bits(values)


def checked_16_bits(values: NDArray[Any]) -> NDArray[Any]:
    """Refuse grey values beyond 16 bits."""
    if values.min() < 0 or values.max() > 65535:
        raise UnsupportedError(
            f"has grey values from {values.min()} to {values.max()}; 0 to 65535 are supported. "
            "Scale an array of them to uint8, or give it to kmeans"
        )
    return values


def _check_fits(file: Source) -> int:
    """Return what is to be added to the stored 16-bit values of a FITS file: 0 or 32768; refuse other scales."""
    header = depths.fits_header(file)
    scale, zero = (float(header.get(name, default)) for name, default in (("BSCALE", "1"), ("BZERO", "0")))
    if scale == 1 and zero == 0:
        return 0
    if scale == 1 and zero == 32768 and "16" in (header.get("BITPIX"), header.get("ZBITPIX")):
        return 32768
    raise UnsupportedError(
        f"is a FITS file whose values are {zero:g} + {scale:g} times the stored ones, which is not read; "
        "astropy.io.fits gives them as an array: scale that to uint8, or give it to kmeans"
    )


def _check_byte_order() -> None:
    """Refuse values of FITS files that an older Pillow has read with their bytes the wrong way round."""
    import PIL

    if int(PIL.__version__.split(".")[0]) < 13:
        raise UnsupportedError(
            "is a FITS file of more than 8 bits, which Pillow reads wrongly before 13, and this is "
            f"{PIL.__version__}; pip install 'pillow>=13' brings one that reads it"
        )


def why_not(mode: str, reader: Reader) -> str:
    """Say why a mode is not read."""
    message = f"has pixels of Pillow's mode {mode!r}; convert it to 8-bit grey, RGB or RGBA first"
    if mode != "F":
        return message
    values = reader.read(mode)
    finite = values[np.isfinite(values)]
    extent = f" from {finite.min():g} to {finite.max():g}" if finite.size else ""
    return (
        f"{message}. These are floating-point numbers{extent}, and the file does not say which are black and white: "
        "np.asarray(PIL.Image.open(path)) gives them as an array, and kmeans clusters it"
    )
