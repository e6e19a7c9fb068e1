"""Where kernels' machine code is kept from one process to the next: Numba's cache, made safe to lean on.

Numba's own raises its way into the user's call when a file was cut short, when several processes wrote at once, or when
the disk is full (numba#4807, #10434). Here each entry has a checksum; whatever can't be read, or belongs to another
signature, is compiled anew; whatever can't be written is done without. What is kept is valid for all kernels' source
together: Numba looks at the one file a kernel is in, by its time of change, which the layers of a container lose.

The folder is Numba's choice: what ``NUMBA_CACHE_DIR`` says, or beside the source where that can be written, or the
user's own cache folder. Unlike Numba we also read from a folder that can't be written to, as those of a container's
image are once it runs. The files are pickles, which run code when they are loaded: the folder must not be one that
others can write to.
"""

import hashlib
import os
import pickle
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from numba.core.caching import Cache, CompileResultCacheImpl, IndexDataCacheFile
from numba.core.registry import cpu_target
from numba.core.serialize import dumps

from kmeans_fast._version import __version__


def keep_code(dispatcher: Any) -> None:
    """Let a dispatcher use the cache, if there is a folder for it."""
    try:
        dispatcher._cache = KernelCache(dispatcher.py_func)
    except RuntimeError:  # no folder that can be written to, such as on a read-only disk (numba#4032)
        return


class _Readable:
    """A place for the cache that will do if it has been filled already, even if it can't be written to."""

    def ensure_cache_path(self) -> None:
        try:
            super().ensure_cache_path()  # type: ignore[misc]
        except OSError:
            folder: str = self.get_cache_path()  # type: ignore[attr-defined]
            if not any(Path(folder).glob("*.nbi")):
                raise


def _readable(locators: Sequence[type]) -> list[Any]:
    return [type(locator.__name__, (_Readable, locator), {}) for locator in locators]


class _CheckedResult(CompileResultCacheImpl):
    """What is compiled, with a checksum of what it is stored as, whose it is, and from which source."""

    _locator_classes = _readable(CompileResultCacheImpl._locator_classes)

    def reduce(self, result: Any) -> tuple[bytes, bytes]:
        data = dumps(super().reduce(result))
        return self._checksum(data), data

    def rebuild(self, target_context: Any, payload: tuple[bytes, bytes]) -> Any:
        checksum, data = payload
        if self._checksum(data) != checksum:
            raise ValueError("a cached kernel is damaged, or another one's")
        return super().rebuild(target_context, pickle.loads(data))  # noqa: S301 -- from the user's own folder

    def _checksum(self, data: bytes) -> bytes:
        return hashlib.sha256(f"{source_stamp()} {self.filename_base} ".encode() + data).digest()


class KernelCache(Cache):
    """The cache of one kernel. Nothing that happens to its files reaches the caller."""

    _impl_class = _CheckedResult  # type: ignore[assignment]

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = IndexDataCacheFile(self._cache_path, self._impl.filename_base, source_stamp())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled function for a signature, or None."""
        try:
            found = super().load_overload(sig, target_context)
        except Exception:  # unpickling what is damaged can raise anything, even MemoryError for a length that isn't so
            return None
        # Two processes that write at once can leave an index that leads to the other one's code (numba#10434).
        return found if found is not None and tuple(found.signature.args) == tuple(sig) else None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function, if that is possible."""
        try:
            super().save_overload(sig, data)
        except OSError:  # a full or read-only disk
            return
        except Exception:  # an index that can't be read is in the way
            self._begin_again(sig, data)

    def _begin_again(self, sig: Any, data: Any) -> None:
        try:
            self.flush()
            super().save_overload(sig, data)
        except OSError:
            return

    def holds_code(self, codegen: Any) -> bool:
        """Say whether there is an entry for this processor, of whatever signature."""
        try:
            keys = self._cache_file._load_index()
        except Exception:  # as in load_overload
            return False
        return any(key[1] == codegen.magic_tuple() for key in keys)


class CacheState(NamedTuple):
    """What the cache holds of some kernels."""

    folder: str | None
    """None if there is no place for one."""
    is_writable: bool
    n_kernels: int
    n_kept: int
    """Those with an entry for this processor."""


def cache_state(dispatchers: Sequence[Any]) -> CacheState:
    """Look up what the cache holds of these kernels, which are all in one folder."""
    caches = [dispatcher._cache for dispatcher in dispatchers if isinstance(dispatcher._cache, KernelCache)]
    if len(caches) < len(dispatchers):
        return CacheState(None, False, len(dispatchers), 0)
    codegen = cpu_target.target_context.codegen()
    n_kept = sum(kernel_cache.holds_code(codegen) for kernel_cache in caches)
    folder = str(caches[0].cache_path)
    return CacheState(folder, os.access(folder, os.W_OK | os.X_OK), len(dispatchers), n_kept)


@cache
def source_stamp() -> str:
    """Return a checksum of the source of all kernels, and the package's version for where there is no source."""
    sources = [file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py"))]
    return f"{__version__} {hashlib.sha256(b''.join(sources)).hexdigest()}"
