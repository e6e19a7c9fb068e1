"""Where the bytes of a picture come from: a file on disk, bytes in memory, or a file object that is open already."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path
from typing import BinaryIO, TypeAlias

Readable: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO"


class Source(io.BufferedReader):
    """A picture's bytes, in which the lengths and positions that a damaged header names do no harm.

    Position 0 is where the picture begins, which in a file object may be anywhere. A file object is never closed.
    """

    def __init__(self, source: Readable) -> None:
        self.name_in_errors = "the picture"
        if isinstance(source, (str, os.PathLike)):
            self.name_in_errors = repr(str(Path(source)))
            super().__init__(io.FileIO(source))
            self.n_bytes = os.fstat(self.fileno()).st_size
            return
        if isinstance(source, (bytes, bytearray, memoryview)):
            raw: io.RawIOBase = _View(io.BytesIO(source))
        elif hasattr(source, "read"):
            _bytes_of(source.read(0))
            raw = _View(source if _can_seek(source) else io.BytesIO(_all_of(source)))
        else:
            raise TypeError(
                f"a picture is read from a path, bytes or a binary file object, got {type(source).__name__}"
            )
        super().__init__(raw)
        self.n_bytes = super().seek(0, os.SEEK_END)
        super().seek(0)

    def close(self) -> None:
        """Do nothing, because some of Pillow's readers close what they were given; leaving the `with` block closes."""

    def __exit__(self, *_: object) -> None:
        super().close()

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, without making room first for more bytes than there are."""
        if size is not None and 0 <= size <= io.DEFAULT_BUFFER_SIZE:
            return super().read(size)
        left = max(0, self.n_bytes - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))

    def seek(self, position: int, whence: int = os.SEEK_SET, /) -> int:
        """Seek, and call a position before the beginning what it is; the system's error would blame the disk."""
        try:
            return super().seek(position, whence)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise ValueError(f"there is no position {position} in the file") from error


def check_source(source: Readable) -> None:
    """Check that there is a file that isn't empty; raise FileNotFoundError, IsADirectoryError or ValueError.

    What is no path is looked at when it is opened.
    """
    if not isinstance(source, (str, os.PathLike)):
        return
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


class _View(io.RawIOBase):
    """A file object from its present position on, which is left open."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        data = _bytes_of(self._file.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, position: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_CUR:
            position, whence = position + self.tell(), os.SEEK_SET
        if whence == os.SEEK_SET:
            if position < 0:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            position += self._start
        return self._file.seek(position, whence) - self._start

    def tell(self) -> int:
        return self._file.tell() - self._start


def _can_seek(file: BinaryIO) -> bool:
    """Tell whether a file object can go back; not every one has `seekable`."""
    if hasattr(file, "seekable"):
        return file.seekable()
    return hasattr(file, "seek") and hasattr(file, "tell")


def _all_of(file: BinaryIO) -> bytes:
    """Read what is left; a raw file may give it in pieces."""
    pieces = iter(lambda: _bytes_of(file.read(2**20)), b"")
    return b"".join(pieces)


def _bytes_of(data: object) -> bytes:
    if data is None:
        raise BlockingIOError(errno.EAGAIN, "the file object does not block, and has no data yet")
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"a picture's file object must be binary (mode 'rb'), but its read gives {type(data).__name__}")
    return bytes(data)
