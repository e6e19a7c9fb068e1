"""Pillow and imageio's plugin, kept from warning, and from decoding what must not be decoded."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast.imaging import tiff
from kmeans_fast.imaging.allowed import UnsupportedError
from kmeans_fast.imaging.sources import Source

if TYPE_CHECKING:
    from imageio.plugins.pillow import PillowPlugin
    from PIL import Image

# What Pillow opens and is never asked to decode, with the reason.
_REFUSED_FORMATS = {
    "EPS": "EPS is a program, which Pillow would have Ghostscript run",
    "WMF": "a metafile is a list of drawing commands, which Pillow would have Windows run",
    "IPTC": "IPTC wraps a picture of any other format and of any size",
}

# Python's filter of warnings belongs to the whole process: one of our threads at a time may change it.
_warning_filters = threading.Lock()


class Opened(NamedTuple):
    """A picture of which the header has been read, and nothing decoded."""

    file: Source
    image: Image.Image
    kind: tiff.Tiff | None
    """Of a TIFF."""


def open_image(file: Source, kind: tiff.Tiff | None) -> Opened:
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
    return Opened(file, image, kind)


@contextmanager
def open_plugin(opened: Opened) -> Iterator[PillowPlugin]:
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


class Reader:
    """Reads the pixels of one picture with imageio's plugin, or without, if its EXIF data can't be parsed.

    The plugin wants to know the orientation whenever it reads.
    """

    def __init__(self, opened: Opened, plugin: PillowPlugin) -> None:
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


@contextmanager
def warnings_ignored(category: type[Warning]) -> Iterator[None]:
    """Let no warnings of a category through, in one thread at a time."""
    with _warning_filters, warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        yield


@contextmanager
def size_unmentioned(size: tuple[int, int]) -> Iterator[None]:
    """Keep Pillow from warning of a size that is allowed, as some decoders do once more.

    To wait for one another is asked only of threads that read such pictures.
    """
    from PIL import Image

    is_large = Image.MAX_IMAGE_PIXELS is not None and math.prod(size) > Image.MAX_IMAGE_PIXELS
    with warnings_ignored(Image.DecompressionBombWarning) if is_large else nullcontext():
        yield
