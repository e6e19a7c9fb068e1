"""Memory that is taken up a small page at a time."""

import math
import mmap
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray


def sparse_zeros(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return zeros that take up memory only where they are touched, 4 kB each time.

    NumPy asks Linux for pages of 2 MB, of which colours scattered over a table touch nearly all.
    """
    if not hasattr(mmap, "MADV_NOHUGEPAGE"):
        return np.zeros(shape, dtype)
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    try:
        memory = mmap.mmap(-1, n_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"no memory for {n_bytes} bytes ({error})") from error
    with suppress(OSError):  # a kernel without large pages doesn't know what they are
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, dtype).reshape(shape)
