"""Files written whole or not at all."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Give `path` the content `data`, or leave it as it is and raise OSError."""
    temporary = path.with_name(f".kmeans-fast-{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file, _removed_on_failure(temporary):
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # a full disk may show only now, and must show before the old file goes
        with _removed_on_failure(temporary):
            if path.exists():
                temporary.chmod(stat.S_IMODE(path.stat().st_mode))
            temporary.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # name the file that was asked for


@contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:  # Ctrl-C too
        path.unlink()
        raise
