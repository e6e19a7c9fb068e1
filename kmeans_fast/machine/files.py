"""Files written whole or not at all."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Give `path`, or the file that it is a link to, the content `data`, or leave it as it is and raise OSError."""
    target = follow_link(path)
    temporary = target.with_name(f".kmeans-fast-{os.urandom(8).hex()}.tmp")
    try:
        with _removed_on_failure(temporary):
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())  # a full disk may show only now, and must show before the old file goes
            if target.exists():
                temporary.chmod(stat.S_IMODE(target.stat().st_mode))
            temporary.replace(target)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # name the file that was asked for


def follow_link(path: Path) -> Path:
    """Return the file that a link leads to; anything else as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


@contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:  # Ctrl-C too
        path.unlink(missing_ok=True)  # it may be the opening that failed
        raise
