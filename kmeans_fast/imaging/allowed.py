"""How large a picture may be, and what is said of one that isn't read."""

from __future__ import annotations

import math


class UnsupportedError(ValueError):
    """A whole picture, but of a kind or size that is not read."""


def most_pixels(max_pixels: int | None) -> int | None:
    """Return how many pixels are allowed: Pillow's limit unless there is another; None for any number."""
    from PIL import Image

    return Image.MAX_IMAGE_PIXELS if max_pixels is None else max_pixels


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


def no_such_frame(frame: int, n_frames: int) -> UnsupportedError:
    """Make an error of a frame that isn't there."""
    held = "one picture" if n_frames == 1 else f"{n_frames} pictures"
    return UnsupportedError(f"has {held}, so that frame must be from 0 to {n_frames - 1}, got {frame}")
