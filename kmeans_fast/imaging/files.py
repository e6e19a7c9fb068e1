"""The one module that touches files: pictures in (imageio's Pillow plugin), PNG out (Pillow), never half-written.

Entry points: `read_image`, `read_picture`, `write_indexed_png`, and two checks that can be made before any work.
imageio and Pillow are imported inside the functions, so that ``import kmeans_fast`` costs neither.
"""

from __future__ import annotations

import errno
import io
import math
import os
import stat
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import validation
from kmeans_fast.atomic import follow_link, replace_file
from kmeans_fast.imaging.headers import Source, sizes_to_allocate, tile_size

if TYPE_CHECKING:
    from imageio.plugins.pillow import PillowPlugin

# Of zlib. On photos, 4 took a third to two thirds of the time for files up to 6 % larger, and 9 many times it for 2 %.
COMPRESS_LEVEL = 6

# A tile of a TIFF may have that many pixels even if the picture may not: small pictures come in one large tile.
TILE_PIXELS = 2**20

# What Pillow is asked to convert each of its modes to; the mode is named, never guessed from an array's shape. A mode
# that can hold transparency is asked for as RGBA, and loses the alpha channel again if every pixel is opaque.
_CONVERSIONS = {
    "1": "L",
    "L": "L",
    "LA": "RGBA",
    "P": "RGBA",
    "PA": "RGBA",
    "RGB": "RGB",
    "RGBA": "RGBA",
    "RGBX": "RGB",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "LAB": "RGB",
}
_GREY_MODES = frozenset({"1", "L", "LA", "I", "I;16", "I;16L", "I;16B", "I;16N"})
_GREY16_MODES = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})

# What Pillow opens and is never asked to decode, with the reason.
_REFUSED_FORMATS = {
    "EPS": "EPS is a program, which Pillow would have Ghostscript run",
    "WMF": "a metafile is a list of drawing commands, which Pillow would have Windows run",
    "IPTC": "IPTC wraps a picture of any other format and of any size",
}

# Python's filter of warnings belongs to the whole process: one of our threads at a time may change it.
_warning_filters = threading.Lock()


class _UnsupportedError(ValueError):
    """A whole picture, but of a kind or size that is not read."""


class _Header(NamedTuple):
    """What Pillow says of a picture before it decodes anything."""

    first: int
    """Number of the picture that it decodes first: 0, or 1 in a format whose layers are counted from 1."""
    n_pixels: int


class Picture(NamedTuple):
    """What `read_picture` found in a file."""

    pixels: NDArray[np.uint8]
    """As `read_image` returns them, except that they may be read-only."""
    icc_profile: bytes | None
    """The colour profile, if the file has one for RGB; one for grey or CMYK does not fit an indexed PNG."""
    n_bytes: int
    """Size of the file."""


def read_image(path: str | os.PathLike[str], *, max_pixels: int | None = None) -> NDArray[np.uint8]:
    """Read a picture from a file, upright and with 8 bits a channel.

    An EXIF orientation is applied. Of an animation or a file of several pages the first picture is read. 16-bit grey is
    scaled to 8 bits (rounded); of 16-bit colour Pillow keeps the upper 8 bits. CMYK is converted as Pillow does,
    without its colour profile.

    Parameters
    ----------
    path : str or path-like
        A file in any format that Pillow decodes by itself: JPEG, PNG, GIF, WebP, TIFF, BMP and more, but not EPS, WMF
        or IPTC, for which it would have another program run or open whatever is inside.
    max_pixels : int, optional
        The most pixels, at least 1. A picture that has more, by its header, is refused before anything is decoded. By
        default ``PIL.Image.MAX_IMAGE_PIXELS`` (89,478,485 unless you change it). Pillow itself stops at twice that
        number: to read larger pictures, raise it too.

    Returns
    -------
    numpy.ndarray
        uint8, and the shape says what is in the picture: (H, W) if it is stored as grey, (H, W, 3) RGB, or (H, W, 4)
        RGBA with straight (not premultiplied) alpha if at least one pixel is not opaque. An alpha channel without
        effect is left out, so an opaque RGBA file gives the same array as the RGB file.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        If there is no such file, it is a folder, or it may not be read.
    ValueError
        If the file is empty, cut short, damaged or not a picture; if its pixels are floating-point numbers or integers
        beyond 16 bits; if it has more than `max_pixels` pixels or a format that is not read.

    Examples
    --------
    >>> import kmeans_fast as kf
    >>> image = kf.read_image(kf.sample_path())
    >>> image.shape, image.dtype
    ((300, 451, 3), dtype('uint8'))
    """
    pixels = read_picture(path, max_pixels=max_pixels).pixels
    return pixels if pixels.flags.writeable else pixels.copy()


def read_picture(path: str | os.PathLike[str], *, max_pixels: int | None = None) -> Picture:
    """Read a picture as `read_image` does, with its colour profile and the size of its file."""
    if max_pixels is not None:
        max_pixels = validation.integer("max_pixels", max_pixels, 1)
    path = Path(path)
    check_source(path)
    with Source(path) as file:
        try:
            header = _read_header(file, max_pixels)
            with _open_plugin(file, header) as plugin:
                pixels, icc_profile = _decode(plugin, header.first)
        except MemoryError:
            raise  # says nothing about the file
        except Exception as error:  # a damaged file can make a decoder raise anything: SyntaxError, struct.error ...
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's fault: Pillow's own complaints about the data have no number
            raise ValueError(f"{str(path)!r} {_what_is_wrong(error, max_pixels)}") from error
        return Picture(pixels, icc_profile, file.n_bytes)


def check_source(source: str | os.PathLike[str]) -> None:
    """Check that there is a file that isn't empty; raise FileNotFoundError, IsADirectoryError or ValueError."""
    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))  # worded alike on every system
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "this is a folder, not a picture", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{str(path)!r} is not a regular file")
    if status.st_size == 0:
        raise ValueError(f"{str(path)!r} is empty (0 bytes)")


def _read_header(file: Source, max_pixels: int | None) -> _Header:
    """Let Pillow parse a picture up to its pixels, and refuse what must not be decoded."""
    from PIL import Image, TiffImagePlugin

    limit = Image.MAX_IMAGE_PIXELS if max_pixels is None else max_pixels
    for size in sizes_to_allocate(file):
        _check_size(size, limit)
    with _warnings_ignored(Warning):  # those of metadata are raised again when the picture is read
        image = Image.open(file)
    if image.format in _REFUSED_FORMATS:
        raise _UnsupportedError(f"has a format that is not read: {_REFUSED_FORMATS[image.format]}")
    _check_size(image.size, limit)
    if limit is not None and isinstance(image, TiffImagePlugin.TiffImageFile):
        _check_size(tile_size(image), max(limit, TILE_PIXELS), "tiles of ")
    return _Header(image.tell(), math.prod(image.size))


def _check_size(size: tuple[int, int], limit: int | None, what: str = "") -> None:
    n_pixels = math.prod(size)
    if limit is not None and n_pixels > limit:
        raise _UnsupportedError(
            f"has {what}{size[0]} x {size[1]} = {n_pixels} pixels; at most {limit} are allowed. {_how_to_allow_more()}"
        )


def _how_to_allow_more() -> str:
    from PIL import Image

    beyond = 2 * (Image.MAX_IMAGE_PIXELS or 0)
    return (
        "If you trust the file, raise max_pixels (--max-pixels on the command line)"
        f"{f'; in Python, for more than {beyond}, PIL.Image.MAX_IMAGE_PIXELS as well' if beyond else ''}"
    )


@contextmanager
def _warnings_ignored(category: type[Warning]) -> Iterator[None]:
    with _warning_filters, warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        yield


@contextmanager
def _open_plugin(file: Source, header: _Header) -> Iterator[PillowPlugin]:
    """Open a picture, whose size has been checked, with imageio's Pillow plugin; Pillow need not warn of its size."""
    import imageio.v3 as iio
    from PIL import Image

    with _warnings_ignored(Image.DecompressionBombWarning):
        plugin = iio.imopen(file, "r", plugin="pillow")
    # Some decoders warn once more. To wait for one another is asked only of threads that read such pictures.
    is_large = Image.MAX_IMAGE_PIXELS is not None and header.n_pixels > Image.MAX_IMAGE_PIXELS
    with plugin, _warnings_ignored(Image.DecompressionBombWarning) if is_large else nullcontext():
        yield plugin


def _decode(plugin: PillowPlugin, index: int) -> tuple[NDArray[np.uint8], bytes | None]:
    info = plugin.metadata(index=index)
    mode = info["mode"]
    if mode in _GREY16_MODES:
        pixels = _decode_grey16(plugin, index, info.get("transparency"))
    elif mode in _CONVERSIONS:
        # A transparent colour (tRNS) may come with modes that have no alpha channel of their own.
        target = "RGBA" if "transparency" in info else _CONVERSIONS[mode]
        pixels = plugin.read(index=index, mode=target, writeable_output=False)
    else:
        raise _UnsupportedError(f"has pixels of Pillow's mode {mode!r}; convert it to 8-bit grey, RGB or RGBA first")
    if pixels.ndim == 3 and pixels.shape[2] == 4 and (pixels[..., 3] == 255).all():
        pixels = pixels[..., 0] if mode in _GREY_MODES else pixels[..., :3]

    # Asked for only now, because Pillow turns a TIFF while it decodes it, and then forgets the orientation. Not left to
    # the plugin's rotate=True: imageio 2.38 mirrors the channels instead of the picture if a palette was applied.
    orientation = plugin.metadata(index=index, exclude_applied=False).get("Orientation")
    profile = info.get("icc_profile")
    fits = isinstance(profile, bytes) and profile[16:20] == b"RGB "
    return np.ascontiguousarray(_upright(pixels, orientation)), profile if fits else None


def _decode_grey16(plugin: PillowPlugin, index: int, transparency: Any) -> NDArray[np.uint8]:
    """Scale 16-bit grey to 8 bits; Pillow's own conversion clips at 255 instead."""
    values = plugin.read(index=index, mode="I", writeable_output=False)
    if values.min() < 0 or values.max() > 65535:
        raise _UnsupportedError(f"has grey values from {values.min()} to {values.max()}; 0 to 65535 are supported")
    scaled: NDArray[np.uint8] = ((np.arange(65536) + 128) // 257).astype(np.uint8)[values]  # 65535 / 255 = 257
    if transparency is None:
        return scaled
    alpha = np.where(values == transparency, np.uint8(0), np.uint8(255))
    return np.stack([scaled, scaled, scaled, alpha], axis=-1)


def _upright(pixels: NDArray[np.uint8], orientation: object) -> NDArray[np.uint8]:
    """Undo an EXIF orientation: 1 to 8, anything else is taken as 1."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _what_is_wrong(error: Exception, max_pixels: int | None) -> str:
    """Say why a picture could not be read, to follow its name."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, _UnsupportedError):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return "is not a picture in a format that Pillow knows"
    if isinstance(error, Image.DecompressionBombError):
        limit = max_pixels or Image.MAX_IMAGE_PIXELS
        return f"has too many pixels; at most {limit} are allowed. {_how_to_allow_more()}. Pillow says: {error}"
    return f"cannot be decoded; it may be damaged or cut short ({str(error) or type(error).__name__})"


def check_destination(destination: str | os.PathLike[str], source: str | os.PathLike[str] | None = None) -> None:
    """Check, before any work, that a PNG can be written to `destination` and that it isn't `source`.

    Parameters
    ----------
    destination : str or path-like
        Where the PNG is to go. The name must end in ``.png``, because nothing else is ever written.
    source : str or path-like, optional
        A file that must not be overwritten.

    Raises
    ------
    ValueError
        If the name does not end in ``.png``, if it is the source (under whatever name), or something that a file
        can't replace, such as a device.
    FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError
        If the folder does not exist, is no folder or may not be written, or if the destination is itself a folder.
    """
    path = Path(destination)
    if path.suffix.lower() != ".png":
        raise ValueError(f"the output is a PNG, so its name must end in .png, got {path.name!r}")
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "this is a folder; name a file in it", str(path))
    folder = follow_link(path).parent
    if not folder.exists():
        raise FileNotFoundError(errno.ENOENT, "the folder for the output does not exist", str(folder))
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "the folder for the output is not a folder", str(folder))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "the folder for the output may not be written", str(folder))
    if path.exists():
        if not path.is_file():
            raise ValueError(f"{str(path)!r} is not a regular file, so a PNG cannot replace it")
        if source is not None and Path(source).exists() and path.samefile(source):
            raise ValueError(f"the output {str(path)!r} is the source itself, which is never overwritten")


def write_indexed_png(
    destination: str | os.PathLike[str],
    palette: NDArray[np.uint8],
    labels: NDArray[np.integer[Any]],
    *,
    compress_level: int = COMPRESS_LEVEL,
    icc_profile: bytes | None = None,
) -> int:
    """Write a palette (K, C) and labels (H, W) to a PNG file; all of it or nothing. See `QuantizedImage.save`.

    The bytes go to a temporary file in the destination's folder, which then takes the destination's name. On failure
    the temporary file is removed, and a file that was there before is as it was.
    """
    check_destination(destination)
    data = _encode_png(palette, labels, check_compress_level(compress_level), icc_profile)
    replace_file(Path(destination), data)
    return len(data)


def check_compress_level(level: Any) -> int:
    """Return a level of zlib's, from 0 to 9."""
    checked = validation.integer("compress_level", level, 0)
    if checked > 9:
        raise ValueError(f"compress_level must be at most 9, got {checked}")
    return checked


def _encode_png(
    palette: NDArray[np.uint8], labels: NDArray[np.integer[Any]], compress_level: int, icc_profile: bytes | None
) -> bytes:
    from PIL import Image

    n_colors, n_channels = palette.shape
    options: dict[str, Any] = {"compress_level": compress_level}
    if icc_profile is not None:
        options["icc_profile"] = icc_profile
    if n_colors > 256:
        return _save_png(Image.fromarray(palette[labels]), options)

    image = Image.fromarray(labels.astype(np.uint8, copy=False))
    # Without `bits=` Pillow takes the number of bits from the palette, and pads it with nothing.
    image.putpalette(np.broadcast_to(palette[:, :3], (n_colors, 3)).tobytes())
    if n_channels == 4 and palette[:, 3].min() < 255:
        options["transparency"] = palette[:, 3].tobytes().rstrip(b"\xff")  # entries left out are opaque
    data = _save_png(image, options)
    if n_colors <= 16 and compress_level > 0:
        # Several pixels share a byte here: in photos, runs of equal bytes then compress better than repeated strings
        # (up to 10 % smaller), in drawings worse. It costs little to see which.
        data = min(data, _save_png(image, options | {"compress_type": zlib.Z_RLE}), key=len)
    return data


def _save_png(image: Any, options: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", **options)
    return buffer.getvalue()
