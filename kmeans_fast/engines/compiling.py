"""Kernels compiled to objects by Numba, which only this module, `pipeline`, `vectors` and `integer_vectors` import.

A kernel's object has one way in, a C function of a row of words (see `signatures`). It needs nothing of Numba's or
Python's when it runs: without Numba's reference counts, code that would need them isn't accepted by the compiler.
"""

import json
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numba
import numpy as np
from llvmlite import binding, ir
from numba.core import types
from numba.np.arrayobj import make_array, populate_array

from kmeans_fast.engines import levels, objects
from kmeans_fast.engines.loading import FAILED, FLOAT, INTEGER, NOTHING
from kmeans_fast.engines.pipeline import KernelCompiler

WORD, STATUS, ADDRESS = ir.IntType(64), ir.IntType(32), ir.IntType(8).as_pointer()
# What the C library of any process has.
LIBRARY = {"memcpy", "memmove", "memset"}


def dispatcher(function: Callable[..., Any], fastmath: set[str] | bool, inline: str = "never") -> Any:
    """Wrap a function for Numba, without ways in from Python, which would take as long to compile as the function."""
    options: dict[str, Any] = {"fastmath": fastmath, "inline": inline, "error_model": "numpy", "_nrt": False}
    options |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "pipeline_class": KernelCompiler}
    return numba.njit(**options)(function)


def compile_kernel(job: objects.Job, level: str) -> bytes:
    """Compile a kernel to an object for a level of processor."""
    module, _, name = job.kernel.rpartition(".")
    kernel: Any = getattr(import_module(module), name)
    compiled = dispatcher(kernel.function, kernel.fastmath)
    signature = tuple(_type_of(described) for described in json.loads(job.signature))
    compiled.compile(signature)
    found = compiled.overloads[signature]
    entry = binding.parse_assembly(str(_entry(job.symbol, found.target_context, found.fndesc)))
    linked = binding.parse_assembly(found.library.get_llvm_str())
    linked.link_in(entry)
    linked.verify()
    _check_symbols(linked)
    _hide_all_but(job.symbol, linked)
    machine = _machine(level)
    if kernel.pairs:
        _pair(linked, machine)
    return bytes(machine.emit_object(linked))


def _pair(module: Any, machine: Any) -> None:
    """Let LLVM make vectors of operations that aren't in a loop, as Numba doesn't. Loops are as they should be."""
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.slp_vectorization = True
    options.loop_vectorization = options.loop_unrolling = options.loop_interleaving = False
    builder = binding.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)


def _check_symbols(module: Any) -> None:
    """Raise if code needs what isn't in it: loading it would end the process."""
    declared = [f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")]
    if missing := set(declared) - LIBRARY:
        raise ValueError(f"a kernel must not need other functions, got {', '.join(sorted(missing))}")


def _hide_all_but(entry: str, module: Any) -> None:
    """Keep names to the object: the same stand for other things in objects that other processes compiled."""
    for value in [*module.functions, *module.global_variables]:
        if not value.is_declaration and value.name != entry:
            value.linkage = "internal"


def _machine(level: str) -> Any:
    """Make what Numba makes code with, but with no more than the level's instructions; tuned for this processor."""
    cpu, features = levels.tuned(level)
    is_x86 = binding.Target.from_default_triple().name.startswith("x86")
    return binding.Target.from_triple(binding.get_process_triple()).create_target_machine(
        cpu=cpu, features=features, opt=3, reloc="static" if is_x86 else "default", codemodel="jitdefault", jit=True
    )


def _type_of(described: Any) -> Any:
    """Return Numba's type for what `signatures.describe` says of an argument."""
    if isinstance(described, list):
        members = [_type_of(member) for member in described[1:]]
        if not described[0]:
            return types.Tuple(members)
        module, _, name = described[0].rpartition(".")
        return types.NamedTuple(members, getattr(import_module(module), name))
    dtype, _, ndim = described.partition(" ")
    scalar = numba.from_dtype(np.dtype(dtype))
    return types.Array(scalar, int(ndim), "C") if ndim else scalar


def _entry(name: str, context: Any, description: Any) -> Any:
    """Make the function that takes a row of words, calls the kernel, and puts its result into the first word."""
    module = context.create_module(name)
    function = ir.Function(module, ir.FunctionType(STATUS, [WORD.as_pointer()]), name)
    builder = ir.IRBuilder(function.append_basic_block())
    row = function.args[0]
    places = iter(range(1, 2**16))
    words = (builder.load(builder.gep(row, [STATUS(place)])) for place in places)
    arguments = [_argument(context, builder, kind, words) for kind in description.argtypes]
    kernel = ir.Function(
        module,
        context.call_conv.get_function_type(description.restype, description.argtypes),
        description.llvm_func_name,
    )
    status, result = context.call_conv.call_function(
        builder, kernel, description.restype, description.argtypes, arguments
    )
    with builder.if_then(status.is_error):
        builder.ret(STATUS(FAILED))
    builder.ret(STATUS(_put(context, builder, result, description.restype, row)))
    return module


def _argument(context: Any, builder: Any, kind: Any, words: Iterator[Any]) -> Any:
    """Make an argument of the words that stand for it."""
    if isinstance(kind, types.BaseTuple):
        kinds: Any = kind
        members = [_argument(context, builder, member, words) for member in kinds]
        return context.make_tuple(builder, kind, members)
    word = next(words)
    if isinstance(kind, types.Array):
        return _array(context, builder, kind, word)
    if isinstance(kind, types.Float):
        return context.cast(builder, builder.bitcast(word, ir.DoubleType()), types.float64, kind)
    return context.cast(builder, word, types.int64, kind)


def _array(context: Any, builder: Any, kind: Any, word: Any) -> Any:
    """Read an array's fields: data, number of axes, shape. It is C-contiguous."""
    fields = builder.inttoptr(word, ADDRESS.as_pointer())
    array = make_array(kind)(context, builder)
    size = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    dimensions = builder.bitcast(builder.load(builder.gep(fields, [STATUS(2)])), WORD.as_pointer())
    shape = [builder.load(builder.gep(dimensions, [STATUS(axis)])) for axis in range(kind.ndim)]
    strides = [WORD(size)]
    for length in shape[:0:-1]:
        strides.insert(0, builder.mul(strides[0], length))
    data = builder.bitcast(builder.load(fields), array.data.type)
    populate_array(array, data=data, shape=shape, strides=strides, itemsize=WORD(size), meminfo=None)
    return array._getvalue()


def _put(context: Any, builder: Any, result: Any, kind: Any, row: Any) -> int:
    """Write a result to the first word; return what it is."""
    if isinstance(kind, types.NoneType):
        return NOTHING
    if isinstance(kind, types.Float):
        builder.store(builder.bitcast(context.cast(builder, result, kind, types.float64), WORD), row)
        return FLOAT
    if isinstance(kind, types.Integer):
        builder.store(context.cast(builder, result, kind, types.int64), row)
        return INTEGER
    raise TypeError(f"a kernel returns an integer, a float or nothing, got {kind}")
