"""Objects made ready to run by llvmlite alone: 60 ms to import it, and 1 ms an object. Numba takes 0.5 s to import."""

import ctypes
import os
import struct
import threading
from array import array
from collections.abc import Callable
from functools import cache
from typing import Any

from kmeans_fast.engines.signatures import Words, layout_is_known

# The status that an object's function returns: what its result is.
FAILED, NOTHING, INTEGER, FLOAT = -1, 0, 1, 2

Code = Callable[[Any], int]

# One thread at a time uses LLVM, and none while the process forks, so that no child finds it locked.
lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)


def load(code: bytes, symbol: str) -> Code:
    """Return a function of a row of words that runs an object's code, whose one name is `symbol`, without the GIL."""
    with lock:
        engine, binding = _llvm()
        engine.add_object_file(binding.ObjectFileRef.from_data(code))
        engine.finalize_object()
        address = engine.get_function_address(symbol)
    function: Code = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(address)
    return function


def row_of(words: Words) -> Any:
    """Lay out a row of words for code; the first is for the result."""
    return array("q", (0, *words))  # a quarter of what ctypes takes


def run(code: Code, row: Any) -> Any:
    """Run code on a row, and return its result."""
    status = code(row.buffer_info()[0])
    if status == NOTHING:
        return None
    if status == INTEGER:
        return row[0]
    if status == FLOAT:
        return struct.unpack_from("d", row)[0]
    raise RuntimeError("a compiled kernel failed on its arguments")


def start() -> None:
    """Import llvmlite and make it ready, or raise what keeps it from that."""
    with lock:
        _llvm()


@cache
def _llvm() -> tuple[Any, Any]:
    """Return LLVM's engine, which owns the code, so that it's never given up; one costs as much as ten objects.

    To be called with the lock held: of two engines, one would be given up.
    """
    from llvmlite import binding

    if not layout_is_known():
        raise ImportError("this version of NumPy lays out its arrays in a way that compiled kernels don't know")
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_triple(binding.get_process_triple()).create_target_machine(jit=True)
    return binding.create_mcjit_compiler(binding.parse_assembly(""), machine), binding
