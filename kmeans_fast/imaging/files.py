"""Pictures in, and indexed PNGs out (by Pillow), never half-written. How pictures are decoded is in `decoding`.

Entry points: `read_image`, `read_picture`, `write_indexed_png`, and checks that can be made before any work. Pillow is
imported inside the functions, so that ``import kmeans_fast`` doesn't cost it.
"""

from __future__ import annotations

import errno
import io
import os
import zlib
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import validation
from kmeans_fast.imaging.decoding import MOST_PROFILE_BYTES, UnsupportedError, decode, how_to_allow_more
from kmeans_fast.imaging.sources import Readable, Source, check_source
from kmeans_fast.machine.files import follow_link, replace_file

# Of zlib. On photos, 4 took a third to two thirds of the time for files up to 6 % larger, and 9 many times it for 2 %.
COMPRESS_LEVEL = 6

# What `read_image` can be asked for, whatever is in the picture.
MODES = ("L", "RGB", "RGBA")

# How many opaque pixels take as much memory to cluster as one of a picture with transparency. Measured at 8 MP: 49
# bytes a pixel against 9, the picture itself included.
_OPAQUE_PIXELS = 5


class Picture(NamedTuple):
    """What `read_picture` found in a file."""

    pixels: NDArray[np.uint8]
    """As `read_image` returns them, except that they may be read-only."""
    icc_profile: bytes | None
    """The colour profile, if the file has one that fits an indexed PNG."""
    n_bytes: int
    """Size of the file."""
    notes: tuple[str, ...]
    """What of the file is not in `pixels`, each as a part of a sentence."""


def read_image(source: Readable, *, mode: str | None = None, max_pixels: int | None = None) -> NDArray[np.uint8]:
    """Read a picture, upright and with 8 bits a channel.

    An EXIF orientation is applied. Of an animation or a file of several pages the first picture is read. 16-bit grey is
    scaled to 8 bits (rounded); of 16-bit colour Pillow keeps the upper 8 bits. CMYK is converted as Pillow does,
    without its colour profile.

    Parameters
    ----------
    source : str, path-like, bytes-like or binary file object
        The name of a file, the bytes of one, or a file object, which is read from its present position on and not
        closed; one that can't seek is read to its end, and where another stands afterwards is not defined. The format
        is any that Pillow decodes by itself: JPEG, PNG, GIF, WebP, TIFF, BMP and more, but not EPS, WMF or IPTC, for
        which it would have another program run or open whatever is inside.
    mode : {None, "L", "RGB", "RGBA"}
        What to return, whatever is in the picture: ``"L"`` grey of shape (H, W), by ITU-R 601 as in Pillow
        (0.299 R + 0.587 G + 0.114 B, rounded); ``"RGB"`` (H, W, 3); or ``"RGBA"`` (H, W, 4). The first two drop an
        alpha channel, as Pillow does: a transparent pixel shows the colour that it hides. None, the default, lets the
        picture decide.
    max_pixels : int, optional
        The most pixels, at least 1. A picture that has more, by its header, is refused before anything is decoded. By
        default ``PIL.Image.MAX_IMAGE_PIXELS`` (89,478,485 unless you change it). Pillow itself stops at twice that
        number: to read larger pictures, raise it too.

    Returns
    -------
    numpy.ndarray
        uint8. Without `mode` the shape says what is in the picture: (H, W) if it is stored as grey, (H, W, 3) RGB, or
        (H, W, 4) RGBA with straight (not premultiplied) alpha if at least one pixel is not opaque. An alpha channel
        without effect is left out, so an opaque RGBA file gives the same array as the RGB file.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        If there is no such file, it is a folder, or it may not be read.
    TypeError
        If `source` is none of these, as a file object is that was opened as text.
    ValueError
        If the file is empty, cut short, damaged or not a picture; if its pixels are floating-point numbers or integers
        beyond 16 bits, or of another kind that is not read; if it has more than `max_pixels` pixels or a format that is
        not read; or if there is no such `mode`.

    Examples
    --------
    >>> import kmeans_fast as kf
    >>> image = kf.read_image(kf.sample_path())
    >>> image.shape, image.dtype
    ((300, 451, 3), dtype('uint8'))
    >>> kf.read_image(kf.sample_path().read_bytes(), mode="L").shape
    (300, 451)
    """
    if mode is not None:
        validation.choice("mode", mode, MODES)
    pixels = _converted(read_picture(source, max_pixels=max_pixels).pixels, mode)
    return pixels if pixels.flags.writeable else pixels.copy()


def _converted(pixels: NDArray[np.uint8], mode: str | None) -> NDArray[np.uint8]:
    from PIL import Image

    if mode is None:
        return pixels
    image = Image.fromarray(pixels)
    return pixels if image.mode == mode else np.asarray(image.convert(mode))


def read_picture(source: Readable, *, max_pixels: int | None = None, count_frames: bool = False) -> Picture:
    """Read a picture as `read_image` does, with its colour profile, the size of its file, and what was left out.

    That it is one of several is noted only if `count_frames`, which takes a walk through the file.
    """
    if max_pixels is not None:
        max_pixels = validation.integer("max_pixels", max_pixels, 1)
    check_source(source)
    with Source(source) as file:
        if file.n_bytes == 0:
            raise ValueError(f"{file.name_in_errors} is empty (0 bytes)")
        try:
            decoded = decode(file, max_pixels, count_frames=count_frames)
        except MemoryError:
            raise  # says nothing about the file
        except Exception as error:  # a damaged file can make a decoder raise anything: SyntaxError, struct.error ...
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's fault: Pillow's own complaints about the data have no number
            raise ValueError(f"{file.name_in_errors} {_what_is_wrong(error, max_pixels)}") from error
        return Picture(decoded.pixels, decoded.icc_profile, file.n_bytes, decoded.notes)


def check_memory(picture: Picture, source: Readable, max_pixels: int | None = None) -> None:
    """Refuse to cluster a picture with transparency that takes more memory than an opaque one of `max_pixels`."""
    from PIL import Image

    limit = Image.MAX_IMAGE_PIXELS if max_pixels is None else max_pixels
    height, width = picture.pixels.shape[:2]
    if picture.pixels.shape[2:] == (4,) and limit is not None and height * width * _OPAQUE_PIXELS > limit:
        name = repr(os.fspath(source)) if isinstance(source, (str, os.PathLike)) else "the picture"
        raise ValueError(
            f"{name} has transparency and {width} x {height} = {height * width} pixels, which take as much memory as "
            f"{height * width * _OPAQUE_PIXELS} opaque ones; at most {limit} are allowed. {how_to_allow_more()}"
        )


def _what_is_wrong(error: Exception, max_pixels: int | None) -> str:
    """Say why a picture could not be read, to follow its name."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnsupportedError):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return "is not a picture in a format that Pillow knows"
    if isinstance(error, Image.DecompressionBombError):
        limit = max_pixels or Image.MAX_IMAGE_PIXELS
        return f"has too many pixels; at most {limit} are allowed. {how_to_allow_more()}. Pillow says: {error}"
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
    destination: str | os.PathLike[str] | BinaryIO,
    palette: NDArray[Any],
    labels: NDArray[np.integer[Any]],
    *,
    compress_level: int = COMPRESS_LEVEL,
    icc_profile: bytes | None = None,
) -> int:
    """Write a palette (K, C) and labels (H, W) to a PNG file; all of it or nothing. See `QuantizedImage.save`.

    The bytes go to a temporary file in the destination's folder, which then takes the destination's name. On failure
    the temporary file is removed, and a file that was there before is as it was.
    """
    if palette.dtype != np.uint8:
        raise ValueError(
            f"a PNG's palette has 8 bits a channel, got {palette.dtype}; to_8_bit() of what quantize returned rounds it"
        )
    _check_profile(icc_profile)
    compress_level = check_compress_level(compress_level)
    if isinstance(destination, (str, os.PathLike)):
        check_destination(destination)
        data = _encode_png(palette, labels, compress_level, icc_profile)
        replace_file(Path(destination), data)
    else:
        _check_file_object(destination)
        data = _encode_png(palette, labels, compress_level, icc_profile)
        _write_all(destination, data)
    return len(data)


def _check_file_object(destination: BinaryIO) -> None:
    if not hasattr(destination, "write"):
        raise TypeError(f"a PNG is written to a path or a binary file object, got {type(destination).__name__}")
    try:
        destination.write(b"")
    except TypeError:
        raise TypeError("the file object for the output must be binary (mode 'wb'), but it takes text") from None


def _write_all(file: BinaryIO, data: bytes) -> None:
    """Write to a file object; a raw one may take it in pieces."""
    rest = memoryview(data)
    while rest:
        n_written: object = file.write(rest)
        if n_written is None and isinstance(file, io.RawIOBase):
            raise BlockingIOError(errno.EAGAIN, "the file object does not block, and takes no data yet")
        rest = rest[n_written:] if isinstance(n_written, int) else rest[:0]  # not every one tells how much it took


def _check_profile(icc_profile: bytes | None) -> None:
    if icc_profile is not None and len(icc_profile) > MOST_PROFILE_BYTES:
        raise ValueError(
            f"icc_profile must have at most {MOST_PROFILE_BYTES} bytes, which is what PNG readers open, "
            f"got {len(icc_profile)}"
        )


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
