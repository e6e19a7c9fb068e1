"""libdeflate: what compresses in a fraction of zlib's time or to fewer bytes; an extra, asked for by name."""

from __future__ import annotations

MOST_LEVEL = 12


def check_installed() -> None:
    """Raise ImportError, with what to do, if libdeflate isn't there."""
    try:
        import deflate  # noqa: F401
    except ImportError as error:
        raise ImportError("encoder='libdeflate' needs deflate: pip install 'kmeans_fast[libdeflate]'") from error


def compressed(data: bytes, level: int) -> bytes:
    """Compress as zlib does, at a level from 0 to 12."""
    import deflate

    return bytes(deflate.zlib_compress(data, level))
