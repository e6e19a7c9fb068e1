"""Which formats of files there are, and what each can hold; what it can't is refused, with the way out.

How they are written is in `writing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_fast import validation
from kmeans_fast.imaging import libdeflate
from kmeans_fast.imaging.metadata import MOST_PROFILE_BYTES, Metadata, Timing

# Of zlib. On photos, 4 took a third to two thirds of the time for files up to 6 % larger, and 9 many times it for 2 %.
COMPRESS_LEVEL = 6

# What compresses a PNG. With libdeflate files of photos took 0.36 to 0.5 of the time, and differed by less than 1 %;
# with its level 10 they took twice to three times the time, for up to 9 % less.
ENCODERS = ("zlib", "libdeflate")

# Of a frame, in milliseconds; what a GIF can hold, in hundredths of a second, is the most.
DEFAULT_DURATION, MOST_DURATION = 100, 655_350
MOST_PLAYS = 65535

# Beyond, pixels have colours of their own instead of places in a palette.
MOST_INDEXED = 256

_OF_COLORS = frozenset({"icc_profile", "dpi"})
_OF_CAMERAS = frozenset({"exif", "xmp"})


class Format(NamedTuple):
    """A format of files, and what it can hold."""

    name: str
    """As people write it; in capitals Pillow's name."""
    suffixes: tuple[str, ...]
    alpha: str = "any"
    """Which entries may be transparent: "any", "one" that is fully so, or "none"."""
    most_colors: int | None = None
    most_side: int = 2**31 - 1
    """Of pixels, in a row or a column."""
    sequence: str = "none"
    """What several pictures in one file are: an "animation", "pages", or "none"."""
    metadata: frozenset[str] = frozenset()
    """Fields of `Metadata`."""
    options: tuple[tuple[str, Any], ...] = ()
    """For Pillow."""


FORMATS = {
    "png": Format(
        "PNG", (".png", ".apng"), sequence="animation",
        metadata=_OF_COLORS | _OF_CAMERAS | {"color_chunks", "texts"},
    ),
    # Without optimize=False Pillow would drop entries and give them another order; interlaced files are larger.
    "gif": Format(
        "GIF", (".gif",), "one", MOST_INDEXED, 65535, "animation", options=(("optimize", False), ("interlace", 0))
    ),
    # Without exact=True libwebp changes colours that can't be seen.
    "webp": Format(
        "WebP", (".webp",), most_side=16383, sequence="animation", metadata=_OF_CAMERAS | {"icc_profile"},
        options=(("lossless", True), ("exact", True)),
    ),
    "tiff": Format(
        "TIFF", (".tif", ".tiff"), sequence="pages", metadata=_OF_COLORS | _OF_CAMERAS,
        options=(("compression", "tiff_adobe_deflate"),),
    ),
    "bmp": Format("BMP", (".bmp",), "none", metadata=frozenset({"dpi"})),
}  # fmt: skip
_BY_SUFFIX = {suffix: format_ for format_ in FORMATS.values() for suffix in format_.suffixes}
SUFFIXES = tuple(_BY_SUFFIX)


def checked_format(name: str | None, path: str) -> Format:
    """Return the format that was asked for, or that the suffix of a path says.

    Raises
    ------
    ValueError
        If there is no such format, or the suffix says none or another one.
    """
    suffix = PurePath(path).suffix.lower()
    if name is None:
        if suffix not in _BY_SUFFIX:
            raise ValueError(f"the output's name must end in {_listed(SUFFIXES)}, got {PurePath(path).name!r}")
        return _BY_SUFFIX[suffix]
    asked = _named(name)
    if suffix and suffix not in asked.suffixes:
        raise ValueError(
            f"the output is a {asked.name}, so its name must end in {_listed(asked.suffixes)}, "
            f"got {PurePath(path).name!r}"
        )
    return asked


def format_of_file(name: str | None, file_name: object) -> Format:
    """Return the format that was asked for, or that the suffix of a file object's name says, or PNG."""
    if name is not None:
        return _named(name)
    suffix = PurePath(file_name).suffix.lower() if isinstance(file_name, str) else ""
    return _BY_SUFFIX.get(suffix, FORMATS["png"])


def _named(name: str) -> Format:
    if not isinstance(name, str):
        raise TypeError(f"format must be a str or None, got {type(name).__name__}")
    return FORMATS[validation.choice("format", name.lower(), FORMATS)]


def _listed(words: Sequence[str], last: str = "or") -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def _others(can: Sequence[Format]) -> str:
    """Name formats that can hold something."""
    return f"{_listed([format_.name for format_ in can], 'and')} can"


def check_encoder(format_: Format, encoder: str, n_frames: int = 1) -> None:
    """Check what compresses a PNG."""
    validation.choice("encoder", encoder, ENCODERS)
    if encoder == "libdeflate":
        if n_frames > 1:
            raise ValueError(f"encoder must be left out for frames, got {encoder!r} for {n_frames} of them")
        if format_.name != "PNG":
            raise ValueError(f"encoder is for PNG, and must be left out for {format_.name}, got {encoder!r}")
        libdeflate.check_installed()


def check_level(format_: Format, level: Any, encoder: str = "zlib") -> int:
    """Return a level of zlib's, from 0 to 9, or of libdeflate's, to 12; only PNGs have one."""
    checked = validation.integer("compress_level", level, 0)
    most = libdeflate.MOST_LEVEL if encoder == "libdeflate" else 9
    if checked > most:
        raise ValueError(f"compress_level must be at most {most}, got {checked}")
    if checked != COMPRESS_LEVEL and format_.name != "PNG":
        raise ValueError(f"compress_level is for PNG, and must be left out for {format_.name}, got {checked}")
    return checked


def check_profile(format_: Format, profile: bytes | None) -> None:
    """Check a colour profile that a caller gives."""
    if profile is None:
        return
    if "icc_profile" not in format_.metadata:
        can = [other for other in FORMATS.values() if "icc_profile" in other.metadata]
        raise ValueError(f"icc_profile must be left out for {format_.name}, which has no place for it; {_others(can)}")
    if len(profile) > MOST_PROFILE_BYTES:
        raise ValueError(
            f"icc_profile must have at most {MOST_PROFILE_BYTES} bytes, which is what PNG readers open, "
            f"got {len(profile)}"
        )


def check_size(format_: Format, n_colors: int, shape: tuple[int, ...]) -> None:
    """Check that a format holds so many colours, and labels of such a shape, (H, W) or (F, H, W)."""
    if format_.most_colors is not None and n_colors > format_.most_colors:
        can = [other for other in FORMATS.values() if other.most_colors is None]
        raise ValueError(f"{format_.name} holds up to {format_.most_colors} colours, got {n_colors}; {_others(can)}")
    height, width = shape[-2:]
    if max(height, width) > format_.most_side:
        can = [other for other in FORMATS.values() if other.most_side >= max(height, width)]
        raise ValueError(
            f"{format_.name} holds up to {format_.most_side} pixels a row and column, got {width} x {height}; "
            f"{_others(can)}"
        )
    if len(shape) == 3 and shape[0] > 1 and format_.sequence == "none":
        can = [other for other in FORMATS.values() if other.sequence != "none"]
        raise ValueError(f"{format_.name} holds one picture, got {shape[0]} frames; {_others(can)}")


def check_alpha(format_: Format, alpha: NDArray[Any]) -> None:
    """Check that a format holds what entries or pixels have of alpha, in 8 bits."""
    is_held = format_.alpha == "any" or bool((alpha == 255).all())
    if not is_held and format_.alpha == "one":
        is_held = bool(np.isin(alpha, (0, 255)).all())
    if not is_held:
        can = [other for other in FORMATS.values() if other.alpha == "any"]
        held = "pixels that are opaque or fully transparent" if format_.alpha == "one" else "opaque pixels"
        raise ValueError(
            f"{format_.name} holds {held} only, got alpha of {int(alpha[alpha < 255].max())}; {_others(can)}, and what "
            "is put onto a background is opaque"
        )


def check_keeping_hidden(format_: Format) -> None:
    """Check that a format holds several entries that are fully transparent."""
    if format_.alpha != "any":
        can = [other for other in FORMATS.values() if other.alpha == "any"]
        raise ValueError(f"{format_.name} can't keep the colours of what is transparent; {_others(can)}")


def check_sort(format_: Format, sort: str | None) -> None:
    """Check that a format keeps the order of entries, if one was asked for."""
    if sort is not None and format_.name == "WebP":
        raise ValueError(f"sort is for formats that keep the order of entries, which WebP doesn't, got {sort!r}")


def check_keeping(format_: Format, *, strip: bool, keep_metadata: bool) -> None:
    """Check what is to become of metadata."""
    validation.flag("strip", strip)
    validation.flag("keep_metadata", keep_metadata)
    if strip and keep_metadata:
        raise ValueError("strip drops what keep_metadata keeps, and they can't both be given")
    if keep_metadata and not format_.metadata >= _OF_CAMERAS:
        can = [other for other in FORMATS.values() if other.metadata >= _OF_CAMERAS]
        raise ValueError(f"{format_.name} holds no metadata that keep_metadata keeps; {_others(can)}")


def notes_of_loss(format_: Format, metadata: Metadata) -> list[str]:
    """Say what a format can't hold that changes how colours look, and texts that were to be kept."""
    lost = metadata.fields - format_.metadata
    notes = []
    if "icc_profile" in lost:
        notes.append(f"its colour profile was dropped, for which {format_.name} has no place")
    chunks = [name.decode() for name, _ in metadata.color_chunks]
    if "color_chunks" in lost and "sRGB" not in chunks:  # sRGB is what is assumed without
        notes.append(f"what it says of its colours ({', '.join(chunks)}) was dropped, which only PNG holds")
    if "texts" in lost:
        notes.append(f"its texts were dropped, for which {format_.name} has no place")
    return notes


def check_held(format_: Format, palette: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Check that a format holds a palette (K, C) and labels of such a shape."""
    if palette.dtype != np.uint8:
        raise ValueError(
            f"a {format_.name}'s palette has 8 bits a channel, got {palette.dtype}; to_8_bit() of what quantize "
            "returned rounds it"
        )
    check_size(format_, len(palette), shape)
    if palette.shape[1] == 4:
        check_alpha(format_, palette[:, 3])
        n_hidden = int((palette[:, 3] == 0).sum())
        if format_.alpha == "one" and n_hidden > 1:
            raise ValueError(
                f"{format_.name} holds one transparent entry, got {n_hidden}; "
                f"{_others([other for other in FORMATS.values() if other.alpha == 'any'])}"
            )


def checked_timing(format_: Format, shape: tuple[int, ...], duration: Any, loop: Any) -> Timing | None:
    """Check how frames, of labels of such a shape, are to be played; for a single picture and pages there is nothing.

    Raises
    ------
    ValueError
        If there are not as many durations as frames, one is too long, or either is given where nothing is played.
    """
    is_played = len(shape) == 3 and format_.sequence == "animation"
    if not is_played:
        if duration is not None or loop is not None:
            what = f"pages of a {format_.name}" if len(shape) == 3 else "a single picture"
            raise ValueError(f"duration and loop must be left out for {what}, got {duration!r} and {loop!r}")
        return None
    n_frames = shape[0]
    given: Any = DEFAULT_DURATION if duration is None else duration
    durations = tuple(given) if np.ndim(given) else (given,) * n_frames
    if len(durations) != n_frames:
        raise ValueError(f"duration must be one number, or one for each of {n_frames} frames, got {len(durations)}")
    checked = tuple(validation.number("duration", item) for item in durations)
    if max(checked) > MOST_DURATION:
        raise ValueError(f"duration must be at most {MOST_DURATION} milliseconds, got {max(checked):g}")
    n_plays = 0 if loop is None else validation.integer("loop", loop, 0)
    if n_plays > MOST_PLAYS:
        raise ValueError(f"loop must be at most {MOST_PLAYS}, or 0 for ever, got {n_plays}")
    return Timing(checked, n_plays)
