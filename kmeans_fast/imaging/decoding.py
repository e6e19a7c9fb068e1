"""From a picture's bytes to 8 bits a channel: what is refused, what Pillow's modes mean, and what it reads otherwise.

Entry point: `decode`. imageio and Pillow are imported inside the functions, so that ``import kmeans_fast`` costs
neither.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.imaging import depths, tiff
from kmeans_fast.imaging.channels import is_translucent
from kmeans_fast.imaging.headers import sizes_to_allocate
from kmeans_fast.imaging.metadata import MOST_PROFILE_BYTES, Metadata, metadata_of_tags, read_metadata, with_everything
from kmeans_fast.imaging.sources import Source

if TYPE_CHECKING:
    from imageio.plugins.pillow import PillowPlugin
    from PIL import Image

# A tile of a TIFF may have that many pixels even if the picture may not: small pictures come in one large tile.
TILE_PIXELS = 2**20

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
_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"})
_INTEGER_MODES = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})

# What Pillow opens and is never asked to decode, with the reason.
_REFUSED_FORMATS = {
    "EPS": "EPS is a program, which Pillow would have Ghostscript run",
    "WMF": "a metafile is a list of drawing commands, which Pillow would have Windows run",
    "IPTC": "IPTC wraps a picture of any other format and of any size",
}

# Python's filter of warnings belongs to the whole process: one of our threads at a time may change it.
_warning_filters = threading.Lock()


class UnsupportedError(ValueError):
    """A whole picture, but of a kind or size that is not read."""


class Decoded(NamedTuple):
    """A picture, and what goes with it."""

    pixels: NDArray[np.uint8]
    """(H, W), (H, W, 3) or (H, W, 4), upright; may be read-only."""
    metadata: Metadata
    """Without a colour profile that isn't for RGB: one for grey or CMYK does not fit a palette."""
    notes: tuple[str, ...]
    """What of the file is not in `pixels`, each as a part of a sentence."""


class _Opened(NamedTuple):
    """A picture of which the header has been read, and nothing decoded."""

    file: Source
    image: Image.Image
    kind: tiff.Tiff | None
    """Of a TIFF."""


def decode(
    file: Source,
    max_pixels: int | None,
    *,
    frame: int | None = None,
    count_frames: bool = False,
    keep_metadata: bool = False,
) -> Decoded:
    """Decode a picture of a file, unless it has more than `max_pixels` pixels or is of a kind that isn't read.

    Of several it is the first, or number `frame`. To count frames takes a walk through the file; without, there is no
    note of them. Metadata other than what says how colours and size are meant are only read if they are to be kept.
    """
    limit = most_pixels(max_pixels)
    for size in sizes_to_allocate(file):
        check_size(size, limit)
    with warnings_ignored(Warning):  # those of metadata are raised again when the picture is read
        kind = tiff.read_tags(file, frame or 0)
    if kind is not None:
        _check_tiff(kind, limit)
        if tiff.is_read_by_planes(kind):
            return _decode_planes(file, kind, count_frames=count_frames, keep_metadata=keep_metadata)
    opened = open_image(file, kind)
    check_size(opened.image.size, limit)
    if frame:
        _go_to(opened.image, frame)
        check_size(opened.image.size, limit)
    pixels, orientation, notes = _decode_by_pillow(opened)
    metadata = read_metadata(file, opened.image, orientation)
    if keep_metadata:
        opened = open_image(file, kind)
        with warnings_ignored(Warning):  # of what has been read already
            opened.image.load()  # some may come after the pixels
            metadata = with_everything(metadata, opened.image, orientation)
    metadata, profile_notes = with_usable_profile(metadata)
    notes += profile_notes + (_frame_notes(count_frames_of(opened.image)) if count_frames else ())
    return Decoded(upright(pixels, orientation), metadata, notes)


def most_pixels(max_pixels: int | None) -> int | None:
    """Return how many pixels are allowed: Pillow's limit unless there is another; None for any number."""
    from PIL import Image

    return Image.MAX_IMAGE_PIXELS if max_pixels is None else max_pixels


def _go_to(image: Image.Image, frame: int) -> None:
    """Let an image that has just been opened be another one of its file's."""
    first = image.tell()
    try:
        with warnings_ignored(Warning):
            image.seek(first + frame)
    except EOFError:
        raise no_such_frame(frame, getattr(image, "n_frames", 1)) from None


def no_such_frame(frame: int, n_frames: int) -> UnsupportedError:
    """Make an error of a frame that isn't there."""
    held = "one picture" if n_frames == 1 else f"{n_frames} pictures"
    return UnsupportedError(f"has {held}, so that frame must be from 0 to {n_frames - 1}, got {frame}")


def check_size(size: tuple[int, int], limit: int | None, what: str = "") -> None:
    """Refuse a picture, or a part of one, with more pixels than are allowed."""
    n_pixels = math.prod(size)
    if limit is not None and n_pixels > limit:
        raise UnsupportedError(
            f"has {what}{size[0]} x {size[1]} = {n_pixels} pixels; at most {limit} are allowed. {how_to_allow_more()}"
        )


def how_to_allow_more() -> str:
    """Say how larger pictures can be read."""
    from PIL import Image

    beyond = 2 * (Image.MAX_IMAGE_PIXELS or 0)
    return (
        "If you trust the file, raise max_pixels (--max-pixels on the command line)"
        f"{f'; in Python, for more than {beyond}, PIL.Image.MAX_IMAGE_PIXELS as well' if beyond else ''}"
    )


@contextmanager
def warnings_ignored(category: type[Warning]) -> Iterator[None]:
    """Let no warnings of a category through, in one thread at a time."""
    with _warning_filters, warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        yield


# ---------------------------------------------------------------------------------------------------- TIFF by planes


def _check_tiff(kind: tiff.Tiff, limit: int | None) -> None:
    from PIL import Image

    if Image.MAX_IMAGE_PIXELS is not None and math.prod(kind.size) > 2 * Image.MAX_IMAGE_PIXELS:
        return  # Pillow says so
    check_size(kind.size, limit)
    if limit is not None:
        check_size(kind.tile_size, max(limit, TILE_PIXELS), "tiles of ")
    if tiff.is_misread(kind):
        raise UnsupportedError(f"is a {kind}, which is not read because Pillow misreads it; {tiff.HOW_TO_READ}")


def _decode_planes(file: Source, kind: tiff.Tiff, *, count_frames: bool, keep_metadata: bool) -> Decoded:
    with size_unmentioned(kind.size):
        planes = tiff.read_planes(file, kind)
    if kind.sample_format == tiff.SIGNED:
        planes = [_checked_16_bits(planes[0].view(np.int16)).astype(np.uint16)]
    notes = () if kind.bits[0] == 8 else _depth_notes(max(int(plane.max()) for plane in planes), kind.bits[0])
    pixels = _without_idle_alpha(tiff.picture_of(kind, planes), is_grey=kind.photometric <= tiff.BLACK_IS_ZERO)
    metadata, profile_notes = with_usable_profile(metadata_of_tags(kind.tags, everything=keep_metadata))
    notes += profile_notes + _channel_notes(kind)
    if count_frames:
        notes += _frame_notes(tiff.count_pictures(file))
    return Decoded(upright(pixels, kind.tags.get(tiff.ORIENTATION)), metadata, notes)


# ---------------------------------------------------------------------------------------------------- by Pillow


def open_image(file: Source, kind: tiff.Tiff | None) -> _Opened:
    """Let Pillow parse a picture up to its pixels, and refuse what must not be decoded."""
    from PIL import Image, UnidentifiedImageError

    file.seek(0)
    try:
        with warnings_ignored(Warning):
            image = Image.open(file)
    except UnidentifiedImageError:
        if kind is None or 0 in kind.size:
            raise
        raise UnsupportedError(f"is a {kind}, which Pillow does not read; {tiff.HOW_TO_READ}") from None
    if image.format in _REFUSED_FORMATS:
        raise UnsupportedError(f"has a format that is not read: {_REFUSED_FORMATS[image.format]}")
    return _Opened(file, image, kind)


def _decode_by_pillow(opened: _Opened) -> tuple[NDArray[np.uint8], object, tuple[str, ...]]:
    """Decode a picture; returns pixels, orientation and notes."""
    _, image, kind = opened
    mode = image.mode
    with _open_plugin(opened) as plugin:
        reader = _Reader(opened, plugin)
        if mode in _INTEGER_MODES:
            values = _integers(opened, reader.read("I"))
            notes = _depth_notes(int(values.max()), 16)
            pixels = _with_transparent_color(tiff.scaled(values, 65535), values, image.info.get("transparency"))
        elif mode in CONVERSIONS:
            pixels, notes = _decode_8_bits(opened, reader)
        else:
            raise UnsupportedError(_why_not(mode, reader))
        # Asked for only now, because Pillow turns a TIFF while it decodes it, and then forgets the orientation. Not
        # left to the plugin's rotate=True: imageio 2.38 mirrors the channels instead if a palette was applied.
        orientation, exif_notes = reader.orientation()
    if kind is not None:
        notes += _channel_notes(kind)
    return _without_idle_alpha(pixels, is_grey=mode in _GREY_MODES), orientation, notes + exif_notes


@contextmanager
def _open_plugin(opened: _Opened) -> Iterator[PillowPlugin]:
    """Open a picture, whose size has been checked, with imageio's Pillow plugin; Pillow need not warn of its size."""
    import imageio.v3 as iio
    from PIL import Image

    opened.file.seek(0)
    with warnings_ignored(Image.DecompressionBombWarning):
        try:
            plugin = iio.imopen(opened.file, "r", plugin="pillow")
        except OSError as error:  # imageio's "unknown error", of which the cause is known
            raise error.__cause__ or error from None
    with plugin, size_unmentioned(opened.image.size):
        yield plugin


@contextmanager
def size_unmentioned(size: tuple[int, int]) -> Iterator[None]:
    """Keep Pillow from warning of a size that is allowed, as some decoders do once more.

    To wait for one another is asked only of threads that read such pictures.
    """
    from PIL import Image

    is_large = Image.MAX_IMAGE_PIXELS is not None and math.prod(size) > Image.MAX_IMAGE_PIXELS
    with warnings_ignored(Image.DecompressionBombWarning) if is_large else nullcontext():
        yield


class _Reader:
    """Reads the pixels of one picture with imageio's plugin, or without, if its EXIF data can't be parsed.

    The plugin wants to know the orientation whenever it reads.
    """

    def __init__(self, opened: _Opened, plugin: PillowPlugin) -> None:
        self._opened = opened
        self._plugin = plugin
        self._index = opened.image.tell()
        self._exif_error: Exception | None = None

    def read(self, mode: str) -> NDArray[Any]:
        """Decode the picture, converted to one of Pillow's modes."""
        try:
            return np.asarray(self._plugin.read(index=self._index, mode=mode, writeable_output=False))
        except MemoryError:
            raise
        except Exception:
            image = open_image(self._opened.file, self._opened.kind).image
            image.seek(self._index)
            image.load()
            self._exif_error = _error_of_exif(image)
            if self._exif_error is None:
                raise
            return np.asarray(image.convert(mode))

    def orientation(self) -> tuple[object, tuple[str, ...]]:
        """Return the orientation of what was read, and a note if nobody can tell."""
        error = self._exif_error
        if error is None:
            return self._plugin.metadata(index=self._index, exclude_applied=False).get("Orientation"), ()
        return None, (f"its EXIF data can't be read ({str(error) or type(error).__name__}), so it was not turned",)


def _error_of_exif(image: Image.Image) -> Exception | None:
    try:
        with warnings_ignored(Warning):
            image.getexif()
    except Exception as error:  # metadata that nobody can parse may raise anything
        return error
    return None


# ---------------------------------------------------------------------------------------------------- modes


def _decode_8_bits(opened: _Opened, reader: _Reader) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
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
        pixels = _with_transparent_color(pixels, pixels, (transparency & top) * 255 // top)
    elif image.format == "PNG" and mode == "RGB" and depth == 16 and transparency is not None:
        pixels = reader.read("RGB")
        values = pixels.astype(np.uint16) << 8 | _lower_bytes(file)
        pixels = _with_transparent_color(pixels, values, transparency)
    else:
        # A transparent colour (tRNS) may come with modes that have no alpha channel of their own.
        target = "RGBA" if transparency is not None else CONVERSIONS[mode]
        pixels = reader.read(target)
    if pixels.ndim == 3 and pixels.shape[2] == 2:
        pixels = pixels[..., [0, 0, 0, 1]]
    if levels is not None:
        pixels = levels[pixels]
    # Of 16 bits Pillow has kept the upper eight.
    notes = _depth_notes(int(pixels[..., :3].max()) * 256 + 255, 16) if depth == 16 else ()
    return pixels, notes


def _with_transparent_color(pixels: NDArray[np.uint8], values: NDArray[Any], color: Any) -> NDArray[np.uint8]:
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


def _integers(opened: _Opened, values: NDArray[Any]) -> NDArray[Any]:
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
    return _checked_16_bits(values)


def _checked_16_bits(values: NDArray[Any]) -> NDArray[Any]:
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


def _why_not(mode: str, reader: _Reader) -> str:
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


def _without_idle_alpha(pixels: NDArray[np.uint8], *, is_grey: bool) -> NDArray[np.uint8]:
    """Leave out an alpha channel in which all pixels are opaque."""
    if pixels.ndim == 3 and pixels.shape[2] == 4 and not is_translucent(pixels):
        return pixels[..., 0] if is_grey else pixels[..., :3]
    return pixels


def upright(pixels: NDArray[np.uint8], orientation: object) -> NDArray[np.uint8]:
    """Undo an EXIF orientation: 1 to 8, anything else is taken as 1."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


# ---------------------------------------------------------------------------------------------------- notes


def with_usable_profile(metadata: Metadata) -> tuple[Metadata, tuple[str, ...]]:
    """Leave out a colour profile that doesn't fit what is written, and say why."""
    profile = metadata.icc_profile
    if profile is None:
        return metadata, ()
    space = profile[16:20].decode("ascii", "replace").strip()
    if space != "RGB":
        note = f"its colour profile is for {space if space.isalnum() else 'no known space'}, and was dropped"
    elif len(profile) > MOST_PROFILE_BYTES:
        note = f"its colour profile has {len(profile):,} bytes, more than PNG readers open, and was dropped"
    else:
        return metadata, ()
    return metadata._replace(icc_profile=None), (note,)


def _depth_notes(largest: int, bits: int) -> tuple[str, ...]:
    """Tell of values that fill only a part of what they may be: 12-bit values in 16 bits, mostly."""
    if bits != 16 or largest >= 4096:
        return ()
    return (f"its 16-bit values reach only {largest}, so that at most {largest // 257 + 1} of 256 levels are left",)


def _channel_notes(kind: tiff.Tiff) -> tuple[str, ...]:
    if 0 in kind.all(tiff.EXTRA_SAMPLES, (1,)):
        return ("a channel of no known meaning was left out",)
    return ()


def count_frames_of(image: Image.Image) -> int | None:
    """Count the pictures in a file, None if the others are damaged; `image` can't be decoded afterwards."""
    try:
        with warnings_ignored(Warning):
            return int(getattr(image, "n_frames", 1))
    except MemoryError:
        raise
    except Exception:  # the first picture is not to blame
        return None


def _frame_notes(n_frames: int | None) -> tuple[str, ...]:
    if n_frames == 1:
        return ()
    return (f"of {'several' if n_frames is None else n_frames} pictures the first was read",)
