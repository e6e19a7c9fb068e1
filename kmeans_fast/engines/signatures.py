"""What a compiled kernel is called with: a row of 64-bit words, and a name for the types that they stand for.

A kernel takes arrays, integers, floats, and tuples of these, of any depth. A word is an integer, the bits of a float64,
or the place of an array's fields: its data and its shape are read there by the compiled code, because asking each
array for its address from Python takes 2 µs. Where they are is the part of NumPy's binary interface that every
extension module is compiled with.
"""

import ctypes
import struct
from typing import Any

import numpy as np
from numpy import ndarray

Words = list[int]
# Lists of types, by themselves or below the name of a tuple's class: what JSON can hold.
Signature = list[Any]

# Where an object's own fields begin. An array's are its data, the number of its axes, and its shape.
HEADER = object.__basicsize__
# NumPy's NPY_ARRAY_C_CONTIGUOUS and NPY_ARRAY_ALIGNED.
READABLE = 0x0001 | 0x0100


def flatten(values: tuple[Any, ...], key: list[Any], words: Words) -> None:
    """Add the words of some arguments, and what tells their types from those of others.

    Raises
    ------
    TypeError
        If there is an array that isn't C-contiguous and aligned, or anything else that kernels don't take.
    """
    # Written for speed: k-means++ calls kernels a thousand times, each with fifteen arrays.
    for value in values:
        kind = type(value)
        if kind is ndarray:
            if value.flags.num & READABLE != READABLE:
                raise TypeError("kernels take aligned, C-contiguous arrays only")
            key += (value.dtype, value.ndim)
            words.append(id(value) + HEADER)
        elif isinstance(value, tuple):
            key.append(kind)
            flatten(value, key, words)
            key.append(None)
        elif isinstance(value, (float, np.floating)):
            key.append(kind)
            words.append(struct.unpack("q", struct.pack("d", value))[0])
        else:
            key.append(kind)
            words.append(value)


def describe(values: tuple[Any, ...]) -> Signature:
    """Name the types of some arguments: "uint8 2" for an array of 2 axes, "int64", and a list for a tuple."""
    return [_describe(value) for value in values]


def _describe(value: Any) -> Any:
    if isinstance(value, ndarray):
        if not value.dtype.isnative:
            raise TypeError(f"kernels take arrays in the processor's byte order, got dtype {value.dtype}")
        return f"{value.dtype.name} {value.ndim}"
    if isinstance(value, tuple):
        kind = type(value)
        return ["" if kind is tuple else f"{kind.__module__}.{kind.__qualname__}", *map(_describe, value)]
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"kernels take arrays, integers, floats, and tuples of them, got {type(value).__name__}")
    return np.dtype(type(value)).name


def layout_is_known() -> bool:
    """Say whether an array's fields are where they are read."""
    array = np.zeros((3, 5))
    data, n_axes, shape = struct.unpack("Pi4xP", ctypes.string_at(id(array) + HEADER, 24))
    return (data, n_axes) == (array.ctypes.data, 2) and struct.unpack("nn", ctypes.string_at(shape, 16)) == (3, 5)
