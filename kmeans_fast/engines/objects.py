"""Where compiled kernels are kept from one process to the next: objects, as plain bytes with a checksum.

A file holds a checksum of the rest, then whose code it is (format, platform, level of processor, source of all kernels,
kernel and signature) in the words that the one who looks for it expects, then the code as the compiler left it.
Whatever isn't exactly that is as good as absent. What can't be written is done without.

Files are looked for in the folders that Numba would use, and in that of a wheel that brings them. They are machine
code: the folder must not be one that others can write to.
"""

import hashlib
import json
import os
import platform
import struct
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from kmeans_fast._version import __version__
from kmeans_fast.engines import levels
from kmeans_fast.engines.signatures import Signature
from kmeans_fast.machine.files import replace_file

FORMAT = "kmeans_fast object 2"
# Filled when a platform's wheel is made; the file says of which source.
SHIPPED = Path(__file__).with_name("shipped")
SHIPPED_SOURCE = SHIPPED / "source.txt"
# In the place of a level: why kernels couldn't be compiled.
FAILED = "failed"


class Job(NamedTuple):
    """A kernel, by its full name, and the signature to compile it for, as JSON."""

    kernel: str
    signature: str

    @classmethod
    def of(cls, kernel: str, signature: Signature) -> "Job":
        """Make one of a signature."""
        return cls(kernel, json.dumps(signature))

    @property
    def symbol(self) -> str:
        """The name of the object, and of the function in it; the same for each level and source."""
        return f"{short_name(self.kernel)}-{hashlib.sha256(self.signature.encode()).hexdigest()[:16]}"


def short_name(kernel: str) -> str:
    """Return the last two parts of a kernel's name."""
    return ".".join(kernel.rsplit(".", 2)[-2:])


# ------------------------------------------------------------------------------------------------- reading and writing


def find(job: Job) -> bytes | None:
    """Return the best code that there is for a job, or None."""
    places = [*folders(), SHIPPED]
    for level in levels.levels():
        for folder in places:
            code = read(folder, job, level)
            if code is not None and levels.can_run(level):  # in this order: there mostly is nothing to ask llvmlite for
                return code
    return None


def read(folder: Path, job: Job, level: str) -> bytes | None:
    """Return the code that a folder holds for a job and level, or None."""
    data, identity = _checked(_path(folder, job, level)), _identity(job, level)
    return data[len(identity) :] if data.startswith(identity) else None


def keep(job: Job, level: str, code: bytes, places: Sequence[Path] = ()) -> Path | None:
    """Write code to the first of some folders that can be written to; return its path, or None if there is none."""
    data = _identity(job, level) + code
    for place in places or folders():
        path = _path(place, job, level)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, hashlib.sha256(data).digest() + data)
            if level != FAILED:
                _path(place, job, FAILED).unlink(missing_ok=True)
        except OSError:  # a full or read-only disk
            continue
        return path
    return None


def keep_failure(job: Job, reason: str, folder: Path) -> None:
    """Note why a kernel couldn't be compiled, until it can be."""
    keep(job, FAILED, reason.encode(), [folder])


def kernels_kept() -> set[str]:
    """Return the names of kernels that there is any code for that this processor can run. Imports llvmlite."""
    places = [*folders(), SHIPPED]
    own = [level for level in levels.levels() if levels.can_run(level)]
    return {kernel for level in own for folder in places for kernel, _ in _all(folder, level)}


def failures() -> dict[str, str]:
    """Return why kernels couldn't be compiled, in any process, by their names."""
    return {kernel: reason.decode() for folder in folders() for kernel, reason in _all(folder, FAILED)}


def shipped() -> bool:
    """Say whether this is an installation that brings code for this processor. Imports llvmlite if it brings any."""
    return any((SHIPPED / level).is_dir() and levels.can_run(level) for level in levels.levels())


def _path(folder: Path, job: Job, level: str) -> Path:
    return folder / level / (job.symbol + (".txt" if level == FAILED else ".o"))


def _all(folder: Path, level: str) -> Iterator[tuple[str, bytes]]:
    """Yield all that a folder holds for a level: kernels and code."""
    whose = _whose(level)
    for path in sorted((folder / level).glob("*.*")):
        data = _checked(path)
        if data.startswith(whose):
            kernel, _, code = data[len(whose) :].split(b"\n", 2)
            yield kernel.decode(), code


def _checked(path: Path) -> bytes:
    """Return a file without its checksum, or nothing if it's damaged or not there."""
    try:
        file = path.read_bytes()
    except OSError:
        return b""
    return file[32:] if hashlib.sha256(file[32:]).digest() == file[:32] else b""


def _identity(job: Job, level: str) -> bytes:
    return _whose(level) + "\n".join([*job, ""]).encode()


def _whose(level: str) -> bytes:
    abi = f"{sys.platform} {platform.machine()} {sys.byteorder} {struct.calcsize('P')}"
    return "\n".join([FORMAT, abi, level, source_stamp(), ""]).encode()


@cache
def source_stamp() -> str:
    """Return what tells these kernels from those of other versions: their source's checksum."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    if sources:
        return f"{__version__} {hashlib.sha256(b''.join(map(Path.read_bytes, sources))).hexdigest()}"
    if SHIPPED_SOURCE.is_file():
        return SHIPPED_SOURCE.read_text()
    # In an archive, or frozen: which file that is, and of when.
    holder = next((path for path in Path(__file__).parents if path.is_file()), Path(sys.executable))
    return f"{__version__} {holder} {holder.stat().st_size} {holder.stat().st_mtime_ns}"


# ------------------------------------------------------------------------------------------------------------- folders

# Further ones, of this process alone.
extra_folders: list[Path] = []


def folders() -> list[Path]:
    """Return where code is looked for, and kept in the first that can be written to: Numba's choice."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    beside, own = _own_folders()
    found = [Path(chosen) / own] if chosen else [beside, *(base / own for base in _user_cache())]
    return [*found, *extra_folders]


def writable_folder() -> Path | None:
    """Return the first of the folders that can be written to, or None."""
    for folder in folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
    return None


@cache
def _own_folders() -> tuple[Path, str]:
    """Return the folder beside the source, and this installation's name for one among others'."""
    source = Path(__file__).resolve().parent
    return source / "__pycache__", f"kmeans_fast-{hashlib.sha256(str(source).encode()).hexdigest()[:16]}"


def _user_cache() -> Iterator[Path]:
    try:
        home = Path.home()
    except RuntimeError:  # nobody's
        return
    if sys.platform == "win32":
        yield Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        yield home / "Library" / "Caches"
    else:
        yield Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
