"""Objects made ready to run by llvmlite alone: 60 ms to import it, and 1 ms an object. Numba takes 0.5 s to import."""

import ctypes
import os
import struct
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

from kmeans_fast.engines.signatures import Words, layout_is_known

# The symbol of an object's way in, and the status that it returns: what its result is.
ENTRY = "kmeans_fast_entry"
FAILED, NOTHING, INTEGER, FLOAT = -1, 0, 1, 2

Entry = Callable[[Words], Any]

# One thread at a time uses LLVM, and none while the process forks, so that no child finds it locked.
lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)

# LLVM's engines own the code of the functions made from them, and are never given up.
_engines: list[Any] = []


def load(code: bytes) -> Entry:
    """Return a function of words that runs an object's code, without the GIL.

    Each object has an LLVM engine of its own: names of parts are the same in several objects.
    """
    with lock:
        binding = _llvm()
        machine = binding.Target.from_triple(binding.get_process_triple()).create_target_machine(jit=True)
        engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
        engine.add_object_file(binding.ObjectFileRef.from_data(code))
        engine.finalize_object()
        _engines.append(engine)
        address = engine.get_function_address(ENTRY)
    function = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(address)

    def entry(words: Words) -> Any:
        # The first word is for the result.
        row = (ctypes.c_int64 * (len(words) + 1))(0, *words)
        status = function(row)
        if status == NOTHING:
            return None
        if status == INTEGER:
            return row[0]
        if status == FLOAT:
            return struct.unpack_from("d", row)[0]
        raise RuntimeError("a compiled kernel failed on its arguments")

    return entry


@cache
def _llvm() -> Any:
    from llvmlite import binding

    if not layout_is_known():
        raise ImportError("this version of NumPy lays out its arrays in a way that compiled kernels don't know")
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding
