"""What of a file is not in its pixels, told in parts of a sentence."""

from __future__ import annotations

from kmeans_fast.imaging import tiff
from kmeans_fast.imaging.metadata import MOST_PROFILE_BYTES, Metadata


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


def depth_notes(largest: int, bits: int) -> tuple[str, ...]:
    """Tell of values that fill only a part of what they may be: 12-bit values in 16 bits, mostly."""
    if bits != 16 or largest >= 4096:
        return ()
    return (f"its 16-bit values reach only {largest}, so that at most {largest // 257 + 1} of 256 levels are left",)


def channel_notes(kind: tiff.Tiff) -> tuple[str, ...]:
    """Tell of a channel that is in no picture."""
    if 0 in kind.all(tiff.EXTRA_SAMPLES, (1,)):
        return ("a channel of no known meaning was left out",)
    return ()


def frame_notes(n_frames: int | None) -> tuple[str, ...]:
    """Tell of further pictures in a file, as many as there are; None if nobody knows."""
    if n_frames == 1:
        return ()
    return (f"of {'several' if n_frames is None else n_frames} pictures the first was read",)
