"""Pictures in, and palettes with labels out, never half-written.

How pictures are decoded is in `decoding`, what can be written in `encoding`, and how in `writing`. Entry points:
`read_image`, `read_frames`, `read_picture`, `write_picture`, and checks that can be made before any work. Pillow is
imported inside the functions, so that ``import kmeans_fast`` doesn't cost it.
"""

from __future__ import annotations

import errno
import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import validation
from kmeans_fast.imaging import encoding, writing
from kmeans_fast.imaging.allowed import UnsupportedError, how_to_allow_more
from kmeans_fast.imaging.channels import with_channels
from kmeans_fast.imaging.decoding import decode
from kmeans_fast.imaging.encoding import COMPRESS_LEVEL, Format
from kmeans_fast.imaging.frames import Frames, decode_sequence
from kmeans_fast.imaging.metadata import Metadata, Timing
from kmeans_fast.imaging.sources import Readable, Source, check_source
from kmeans_fast.machine.files import follow_link, replace_file

# What `read_image` can be asked for, whatever is in the picture.
MODES = ("L", "RGB", "RGBA")

# How many opaque pixels take as much memory to cluster as one of a picture with transparency. Measured at 8 MP: 49
# bytes a pixel against 9, the picture itself included.
_OPAQUE_PIXELS = 5


class Picture(NamedTuple):
    """What `read_picture` found in a file."""

    pixels: NDArray[np.uint8]
    """As `read_image` returns them, except that they may be read-only."""
    metadata: Metadata
    """What the file says beside pixels, without a colour profile that is for others than RGB."""
    n_bytes: int
    """Size of the file."""
    notes: tuple[str, ...]
    """What of the file is in neither, each as a part of a sentence."""
    timing: Timing | None = None
    """Of several frames, of which the pixels are (F, H, W, C)."""

    @property
    def icc_profile(self) -> bytes | None:
        """The colour profile."""
        return self.metadata.icc_profile


def read_image(
    source: Readable, *, mode: str | None = None, frame: int | None = None, max_pixels: int | None = None
) -> NDArray[np.uint8]:
    """Read a picture, upright and with 8 bits a channel.

    An EXIF orientation is applied. Of an animation or a file of several pages the first picture is read, or `frame`;
    `read_frames` reads all. What the file says beside its pixels, such as a colour profile, isn't in the array:
    `compress` carries it over from file to file. 16-bit grey is scaled to 8 bits (rounded); of 16-bit colour Pillow
    keeps the upper 8 bits. CMYK is converted as Pillow does, without its colour profile.

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
    frame : int, optional
        Which of several pictures, counted from 0; a frame of an animation as it is seen, put together with those before
        it.
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
        not read; or if there is no such `mode` or `frame`.

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
    pixels = _converted(read_picture(source, frame=frame, max_pixels=max_pixels).pixels, mode)
    return pixels if pixels.flags.writeable else pixels.copy()


def read_frames(source: Readable, *, mode: str | None = None, max_pixels: int | None = None) -> Frames:
    """Read all frames of an animation (GIF, PNG, WebP), or all pages of a TIFF, as `read_image` reads one.

    Parameters
    ----------
    source
        As for `read_image`. A file of one picture gives one frame.
    mode : {None, "RGB", "RGBA"}
        As for `read_image`; without, there are three channels, or four if at least one pixel is not opaque.
    max_pixels : int, optional
        The most pixels of all frames together, as for `read_image`.

    Returns
    -------
    Frames
        Pixels (F, H, W, C), durations and how often they are played.

    Raises
    ------
    ValueError
        As `read_image` says; and if frames or pages are of several sizes.

    Examples
    --------
    >>> import kmeans_fast as kf
    >>> kf.read_frames(kf.sample_path())
    <Frames: 1 of 451×300 pixels, 0 ms, played once>
    """
    if mode is not None:
        validation.choice("mode", mode, MODES[1:])
    picture = read_picture(source, sequence="any", max_pixels=max_pixels)
    pixels, timing = picture.pixels, picture.timing
    if timing is None:
        if picture.notes and "pictures" in picture.notes[-1]:
            raise ValueError(
                "the pictures in the file are of several sizes, or no frames; read_image(frame=) reads one"
            )
        pixels, timing = pixels[np.newaxis], Timing((0.0,), 1)
    if pixels.ndim == 3:
        pixels = pixels[..., np.newaxis]
    pixels = with_channels(pixels, max(3, pixels.shape[3]) if mode is None else len(mode))
    return Frames(np.ascontiguousarray(pixels), timing.durations, timing.loop)


def _converted(pixels: NDArray[np.uint8], mode: str | None) -> NDArray[np.uint8]:
    from PIL import Image

    if mode is None:
        return pixels
    image = Image.fromarray(pixels)
    return pixels if image.mode == mode else np.asarray(image.convert(mode))


def read_picture(
    source: Readable,
    *,
    frame: int | None = None,
    sequence: str = "none",
    max_pixels: int | None = None,
    count_frames: bool = False,
    keep_metadata: bool = False,
) -> Picture:
    """Read a picture as `read_image` does, with its metadata, the size of its file, and what was left out.

    All pictures are read if they are a `sequence` of this kind (see `frames.decode_sequence`). That the first of
    several was read is noted then, and if `count_frames`, which takes a walk through the file. With `keep_metadata` all
    of them are read, else only what says how colours and size are meant.
    """
    if frame is not None:
        frame = validation.integer("frame", frame, 0)
    if max_pixels is not None:
        max_pixels = validation.integer("max_pixels", max_pixels, 1)
    check_source(source)
    with Source(source) as file:
        if file.n_bytes == 0:
            raise ValueError(f"{file.name_in_errors} is empty (0 bytes)")
        try:
            if sequence != "none" and frame is None:
                decoded, timing = decode_sequence(file, max_pixels, sequence, keep_metadata=keep_metadata)
            else:
                counted = count_frames and frame is None
                timing = None
                decoded = decode(file, max_pixels, frame=frame, count_frames=counted, keep_metadata=keep_metadata)
        except MemoryError:
            raise  # says nothing about the file
        except Exception as error:  # a damaged file can make a decoder raise anything: SyntaxError, struct.error ...
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's fault: Pillow's own complaints about the data have no number
            raise ValueError(f"{file.name_in_errors} {_what_is_wrong(error, max_pixels)}") from error
        return Picture(decoded.pixels, decoded.metadata, file.n_bytes, decoded.notes, timing)


def check_memory(picture: Picture, source: Readable, max_pixels: int | None = None) -> None:
    """Refuse to cluster a picture with transparency that takes more memory than an opaque one of `max_pixels`."""
    from PIL import Image

    limit = Image.MAX_IMAGE_PIXELS if max_pixels is None else max_pixels
    *n_frames, height, width, n_channels = _shape_of(picture)
    n_pixels = math.prod((*n_frames, height, width))
    if n_channels == 4 and limit is not None and n_pixels * _OPAQUE_PIXELS > limit:
        name = repr(os.fspath(source)) if isinstance(source, (str, os.PathLike)) else "the picture"
        size = " x ".join(map(str, (width, height, *n_frames)))
        raise ValueError(
            f"{name} has transparency and {size} = {n_pixels} pixels, which take as much memory as "
            f"{n_pixels * _OPAQUE_PIXELS} opaque ones; at most {limit} are allowed. {how_to_allow_more()}"
        )


def _shape_of(picture: Picture) -> tuple[int, ...]:
    """Return (H, W, C), or (F, H, W, C) of frames."""
    shape = picture.pixels.shape
    return (*shape, 1) if len(shape) == 2 else shape


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


def check_destination(
    destination: str | os.PathLike[str] | BinaryIO,
    source: Readable | None = None,
    format: str | None = None,
) -> Format:
    """Check, before any work, that a picture can be written to `destination` and that it isn't `source`.

    Parameters
    ----------
    destination : str, path-like or binary file object
        Where the picture is to go.
    source : str, path-like, bytes-like or binary file object, optional
        What is read, and must not be overwritten if it is a file.
    format : str, optional
        The name of a format; by default it is that of the suffix, and of a file object without one PNG.

    Returns
    -------
    Format
        What will be written.

    Raises
    ------
    TypeError
        If a file object takes text, or `destination` is something else.
    ValueError
        If the suffix isn't one of the format, if the destination is the source (under whatever name), or something
        that a file can't replace, such as a device.
    FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError
        If the folder does not exist, is no folder or may not be written, or if the destination is itself a folder.
    """
    if not isinstance(destination, (str, os.PathLike)):
        _check_file_object(destination)
        return encoding.format_of_file(format, getattr(destination, "name", None))
    path = Path(destination)
    found = encoding.checked_format(format, os.fspath(path))
    check_replaceable(path, source)
    return found


def check_replaceable(path: Path, source: Readable | None = None) -> None:
    """Check that a file of this name can be written, whatever it ends in; errors as of `check_destination`."""
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
            raise ValueError(f"{str(path)!r} is not a regular file, so it cannot be replaced")
        if isinstance(source, (str, os.PathLike)) and Path(source).exists() and path.samefile(source):
            raise ValueError(f"the output {str(path)!r} is the source itself, which is never overwritten")


def write_picture(
    destination: str | os.PathLike[str] | BinaryIO,
    palette: NDArray[Any],
    labels: NDArray[np.integer[Any]],
    *,
    format: str | None = None,
    compress_level: int = COMPRESS_LEVEL,
    encoder: str = "zlib",
    metadata: Metadata | None = None,
    duration: float | Sequence[float] | None = None,
    loop: int | None = None,
) -> int:
    """Write a palette (K, C) and labels, (H, W) or (F, H, W), to a file; all of it or nothing.

    See `QuantizedImage.save`.

    The bytes go to a temporary file in the destination's folder, which then takes the destination's name. On failure
    the temporary file is removed, and a file that was there before is as it was.
    """
    found = check_destination(destination, format=format)
    encoding.check_held(found, palette, labels.shape)
    encoding.check_encoder(found, encoder, len(labels) if labels.ndim == 3 else 1)
    level = encoding.check_level(found, compress_level, encoder)
    timing = encoding.checked_timing(found, labels.shape, duration, loop)
    data = writing.encode(
        found, palette, labels, compress_level=level, encoder=encoder, metadata=metadata, timing=timing
    )
    if isinstance(destination, (str, os.PathLike)):
        replace_file(Path(destination), data)
    else:
        _write_all(destination, data)
    return len(data)


def _check_file_object(destination: BinaryIO) -> None:
    if not hasattr(destination, "write"):
        raise TypeError(f"a picture is written to a path or a binary file object, got {type(destination).__name__}")
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
