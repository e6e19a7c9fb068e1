"""From a palette and labels to the bytes of a file, by Pillow. What a format can hold is in `encoding`.

Entry points: `encode` and `indexed_image`.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.imaging import libdeflate
from kmeans_fast.imaging.channels import is_translucent, without_idle_alpha
from kmeans_fast.imaging.encoding import COMPRESS_LEVEL, FORMATS, MOST_INDEXED, Format
from kmeans_fast.imaging.metadata import Metadata, Timing
from kmeans_fast.imaging.scanlines import MOST_PACKED, packed, pixels_of, with_pixels
from kmeans_fast.imaging.tiff_tags import with_tags

if TYPE_CHECKING:
    from PIL import Image


# Where the highest level is tried as well as the default one: logos of 160,000 pixels got 12 % smaller in 6 to 10 ms,
# icons 3 %. Screenshots of a million took 70 ms for 2 %; photographs get no smaller, and have more bytes than these.
SMALL, SMALL_DATA = 2**18, 2**14


def encode(
    format_: Format,
    palette: NDArray[np.uint8],
    labels: NDArray[np.integer[Any]],
    *,
    compress_level: int = COMPRESS_LEVEL,
    encoder: str = "zlib",
    metadata: Metadata | None = None,
    timing: Timing | None = None,
) -> bytes:
    """Make a file of a palette (K, C) and labels (H, W), or (F, H, W) of frames, which the format holds."""
    metadata = metadata or Metadata()
    if format_.name == "TIFF" and (metadata.exif or metadata.xmp):
        plain = metadata._replace(exif=None, xmp=None)
        return with_tags(encode(format_, palette, labels, metadata=plain), metadata.exif, metadata.xmp)
    options = dict(format_.options) | _metadata_options(format_, metadata)
    if format_.name == "PNG":
        options["compress_level"] = min(compress_level, 9)
    if labels.ndim == 3 and len(labels) > 1:
        return _encode_frames(format_, palette, labels, options, timing)
    image = indexed_image(palette, labels.reshape(labels.shape[-2:]), format_)
    if format_.name != "PNG":
        return _saved(image, format_, options)
    return _encode_png(image, labels, len(palette), options, compress_level, encoder)


def _encode_png(
    image: Image.Image,
    labels: NDArray[np.integer[Any]],
    n_colors: int,
    options: dict[str, Any],
    level: int,
    encoder: str,
) -> bytes:
    """Compress one picture in the ways of which one may be the best, and return the smallest."""
    compress = zlib.compress if encoder == "zlib" else libdeflate.compressed
    is_packed = n_colors <= MOST_PACKED
    levels = [level] if is_packed or encoder == "libdeflate" else []
    if is_packed and level > 0:
        # In photos runs of equal bytes, filtered, compress better than repeated strings, unfiltered: to 5 to 20 % less.
        # In drawings, and what is dithered, it is the other way round, up to 40 %. It costs little to see which.
        options = options | {"compress_type": zlib.Z_RLE}
    elif encoder == "libdeflate":
        options = options | {"compress_level": 0}
    first = _saved(image, FORMATS["png"], options)
    if encoder == "zlib" and level == COMPRESS_LEVEL and labels.size <= SMALL and len(first) <= SMALL_DATA:
        levels.append(9)
    pixels = packed(labels.reshape(labels.shape[-2:]), n_colors) if is_packed else pixels_of(first) if levels else b""
    return min([first, *(with_pixels(first, compress(pixels, level)) for level in levels)], key=len)


def _encode_frames(
    format_: Format,
    palette: NDArray[np.uint8],
    labels: NDArray[np.integer[Any]],
    options: dict[str, Any],
    timing: Timing | None,
) -> bytes:
    """Make an animation, or pages; Pillow takes frames that are alike for one that is shown longer."""
    first, *others = (indexed_image(palette, frame, format_) for frame in labels)
    options = options | {"save_all": True, "append_images": others}
    if timing is not None:
        options |= _PLAYED[format_.name](timing)
    if format_.name == "GIF":
        # One palette for all, and where something is transparent each frame begins with nothing.
        options["palette"] = first.getpalette()
        options["disposal"] = 2 if "transparency" in first.info else 1
    return _saved(first, format_, options)


def _played_as_png(timing: Timing) -> dict[str, Any]:
    return {"duration": list(timing.durations), "loop": timing.loop}


def _played_as_webp(timing: Timing) -> dict[str, Any]:
    return {"duration": [round(duration) for duration in timing.durations], "loop": timing.loop}


def _played_as_gif(timing: Timing) -> dict[str, Any]:
    """Round to hundredths of a second, but not to less than two, which browsers show as ten.

    A GIF has the number of repetitions, and none at all if it is played once.
    """
    durations = [_in_hundredths(duration) * 10 for duration in timing.durations]
    repetitions = {0: {"loop": 0}, 1: {}}.get(timing.loop, {"loop": timing.loop - 1})
    return {"duration": durations, **repetitions}


def _in_hundredths(duration: float) -> int:
    return round(duration / 10) if duration <= 10 or duration >= 20 else 2


_PLAYED: dict[str, Callable[[Timing], dict[str, Any]]] = {
    "PNG": _played_as_png,
    "WebP": _played_as_webp,
    "GIF": _played_as_gif,
}


def indexed_image(
    palette: NDArray[np.uint8], labels: NDArray[np.integer[Any]], format_: Format = FORMATS["png"]
) -> Image.Image:
    """Make one of Pillow's images: of mode P if the entries, up to 256, are as the format's palette can be."""
    from PIL import Image

    n_colors, n_channels = palette.shape
    has_alpha = is_translucent(palette)
    if n_colors > MOST_INDEXED or (has_alpha and format_.name == "TIFF"):
        colors = palette[:, 0] if n_channels == 1 else without_idle_alpha(palette)
        return Image.fromarray(colors[labels])
    image = Image.fromarray(labels.astype(np.uint8, copy=False))
    image.putpalette(np.broadcast_to(palette[:, :3], (n_colors, 3)).tobytes())
    if has_alpha:
        alpha = palette[:, 3].tobytes().rstrip(b"\xff")  # entries left out are opaque
        hidden = len(alpha) - 1
        is_one = alpha[hidden] == 0 and not alpha[:hidden].rstrip(b"\xff")
        image.info["transparency"] = hidden if is_one and format_.alpha == "one" else alpha
    return image


def _metadata_options(format_: Format, metadata: Metadata) -> dict[str, Any]:
    """Return what Pillow is to write beside the pixels."""
    options: dict[str, Any] = {
        name: getattr(metadata, name)
        for name in ("icc_profile", "dpi", "exif", "xmp")
        if name in metadata.fields & format_.metadata
    }
    if format_.name == "PNG":
        _add_chunks(options, metadata)
    return options


def _add_chunks(options: dict[str, Any], metadata: Metadata) -> None:
    from PIL import PngImagePlugin

    xmp = options.pop("xmp", None)
    if not metadata.color_chunks and not metadata.texts and xmp is None:
        return
    chunks = options["pnginfo"] = PngImagePlugin.PngInfo()
    for name, content in metadata.color_chunks:
        chunks.add(name, content)
    for keyword, text in metadata.texts:
        chunks.add_text(keyword, text)
    if xmp is not None:
        chunks.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))


def _saved(image: Image.Image, format_: Format, options: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=format_.name.upper(), **options)
    return buffer.getvalue()
