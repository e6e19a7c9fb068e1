"""The one module that touches files: pictures in (imageio's Pillow plugin), PNG out (Pillow), never half-written.

Entry points: `read_image`, `read_picture`, `write_indexed_png`, and two checks that can be made before any work.
imageio and Pillow are imported inside the functions, so that ``import kmeans_fast`` costs neither.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import validation
from kmeans_fast.atomic import follow_link, replace_file

if TYPE_CHECKING:
    from imageio.plugins.pillow import PillowPlugin

# Of zlib. On photos, 4 took a third to two thirds of the time for files up to 6 % larger, and 9 many times it for 2 %.
COMPRESS_LEVEL = 6

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

# Python's filter of warnings belongs to the whole process: one of our threads at a time may change it.
_warning_filters = threading.Lock()


class _UnsupportedError(ValueError):
    """A whole picture, but of a kind that has no 8-bit equivalent."""


class Picture(NamedTuple):
    """What `read_picture` found in a file."""

    pixels: NDArray[np.uint8]
    """As `read_image` returns them, except that they may be read-only."""
    icc_profile: bytes | None
    """The colour profile, if the file has one for RGB; one for grey or CMYK does not fit an indexed PNG."""
    n_bytes: int
    """Size of the file."""


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read a picture from a file, upright and with 8 bits a channel.

    An EXIF orientation is applied. Of an animation or a file of several pages the first picture is read. 16-bit grey is
    scaled to 8 bits (rounded); of 16-bit colour Pillow keeps the upper 8 bits. CMYK is converted as Pillow does,
    without its colour profile.

    Parameters
    ----------
    path : str or path-like
        A file in any format that Pillow reads: JPEG, PNG, GIF, WebP, TIFF, BMP and more.

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
        beyond 16 bits; if it has more pixels than ``PIL.Image.MAX_IMAGE_PIXELS`` allows.

    Examples
    --------
    >>> import kmeans_fast as kf
    >>> image = kf.read_image(kf.sample_path())
    >>> image.shape, image.dtype
    ((300, 451, 3), dtype('uint8'))
    """
    pixels = read_picture(path).pixels
    return pixels if pixels.flags.writeable else pixels.copy()


def read_picture(path: str | os.PathLike[str]) -> Picture:
    """Read a picture as `read_image` does, with its colour profile and the size of its file."""
    path = Path(path)
    check_source(path)
    with path.open("rb") as file:
        n_bytes = os.fstat(file.fileno()).st_size
        try:
            with _open_plugin(file) as plugin:
                pixels, icc_profile = _decode(plugin)
        except MemoryError:
            raise  # says nothing about the file
        except Exception as error:  # a damaged file can make a decoder raise anything: SyntaxError, struct.error ...
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's fault: Pillow's own complaints about the data have no number
            raise ValueError(f"{str(path)!r} {_what_is_wrong(error)}") from error
    return Picture(pixels, icc_profile, n_bytes)


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


@contextmanager
def _open_plugin(file: io.BufferedReader) -> Iterator[PillowPlugin]:
    """Open `file` with imageio's Pillow plugin; a warning of too many pixels is an error here."""
    import imageio.v3 as iio
    from PIL import Image

    with _warning_filters, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        plugin = iio.imopen(file, "r", plugin="pillow")
    with plugin:
        yield plugin


def _decode(plugin: PillowPlugin) -> tuple[NDArray[np.uint8], bytes | None]:
    info = plugin.metadata(index=0)
    mode = info["mode"]
    if mode in _GREY16_MODES:
        pixels = _decode_grey16(plugin, info.get("transparency"))
    elif mode in _CONVERSIONS:
        # A transparent colour (tRNS) may come with modes that have no alpha channel of their own.
        target = "RGBA" if "transparency" in info else _CONVERSIONS[mode]
        pixels = plugin.read(index=0, mode=target, writeable_output=False)
    else:
        raise _UnsupportedError(f"has pixels of Pillow's mode {mode!r}; convert it to 8-bit grey, RGB or RGBA first")
    if pixels.ndim == 3 and pixels.shape[2] == 4 and (pixels[..., 3] == 255).all():
        pixels = pixels[..., 0] if mode in _GREY_MODES else pixels[..., :3]

    # Asked for only now, because Pillow turns a TIFF while it decodes it, and then forgets the orientation. Not left to
    # the plugin's rotate=True: imageio 2.38 mirrors the channels instead of the picture if a palette was applied.
    orientation = plugin.metadata(index=0, exclude_applied=False).get("Orientation")
    profile = info.get("icc_profile")
    fits = isinstance(profile, bytes) and profile[16:20] == b"RGB "
    return np.ascontiguousarray(_upright(pixels, orientation)), profile if fits else None


def _decode_grey16(plugin: PillowPlugin, transparency: Any) -> NDArray[np.uint8]:
    """Scale 16-bit grey to 8 bits; Pillow's own conversion clips at 255 instead."""
    values = plugin.read(index=0, mode="I", writeable_output=False)
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


def _what_is_wrong(error: Exception) -> str:
    """Say why a picture could not be read, to follow its name."""
    from imageio.core.request import InitializationError
    from PIL import Image

    if isinstance(error, _UnsupportedError):
        return str(error)
    cause = error.__cause__ if isinstance(error, OSError) and isinstance(error.__cause__, Exception) else error
    if isinstance(cause, InitializationError):
        return "is not a picture in a format that Pillow knows"
    if isinstance(cause, Image.DecompressionBombWarning | Image.DecompressionBombError):
        limit = Image.MAX_IMAGE_PIXELS
        return f"has more than {limit} pixels (if you trust the file, raise PIL.Image.MAX_IMAGE_PIXELS)"
    return f"cannot be decoded; it may be damaged or cut short ({str(cause) or type(cause).__name__})"


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
