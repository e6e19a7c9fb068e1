"""Kernels, and how they are called: with code that is at hand, without importing Numba.

Kernels are plain serial functions on a chunk of points; `kmeans_fast.machine.threads` runs several at once, as they run
without the GIL. No kernel is compiled with `parallel=True`: Numba's threading layers abort the process when two Python
threads enter them (numba#9288) or after a fork (umap#707), and one such function took four times as long to compile.

What can be compiled to an object that runs without Numba: a kernel takes what `signatures` says, and returns an
integer, a float or nothing. It makes no arrays, views excepted, and no part returns one; whoever calls the kernel
brings work space along.
"""

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

from kmeans_fast.engines import loading, objects
from kmeans_fast.engines.signatures import Words, describe, flatten

# All that have been decorated so far: when the engine has been loaded, all there are.
KERNELS: list["Kernel"] = []


class NotAtHand(Exception):  # noqa: N818 -- nothing is wrong
    """There is no compiled code for a call yet. Nothing has been done to its arguments."""

    def __init__(self, variant: "Variant") -> None:
        super().__init__(variant.job)
        self.variant = variant


class Variant:
    """A kernel for one signature: its code, once that is at hand. It then stays so."""

    def __init__(self, job: objects.Job) -> None:
        self.job = job
        self._code: loading.Code | None = None
        self._may_be_kept = True

    def code(self) -> loading.Code:
        """Return the code, or raise NotAtHand."""
        code = self._code or self._look()
        if code is None:
            raise NotAtHand(self)
        return code

    def _look(self) -> loading.Code | None:
        """Look for kept code, once until there may be some more."""
        if self._may_be_kept:
            with loading.lock:  # another thread may have looked meanwhile
                if self._may_be_kept:
                    self._load_kept()
                    self._may_be_kept = False  # after that, as others don't wait when it's so
        return self._code

    def _load_kept(self) -> None:
        try:
            code = objects.find(self.job)
            if code is not None:
                self.use(code)
        except (ImportError, OSError):  # llvmlite isn't there or doesn't work: `describe` says so
            return

    @property
    def is_at_hand(self) -> bool:
        """Say whether there is code."""
        return self._code is not None

    def use(self, code: bytes) -> None:
        """Run this code from now on."""
        self._code = loading.load(code, self.job.symbol)

    def look_again(self) -> None:
        """Look for kept code at the next call."""
        self._may_be_kept = True


class Kernel:
    """A function that is compiled for each signature that it is called with.

    Raises
    ------
    NotAtHand
        When it is called and there is no code for these arguments.
    """

    def __init__(self, function: Callable[..., Any], fastmath: set[str] | bool, pairs: bool) -> None:
        self.function = function
        self.fastmath = fastmath
        self.pairs = pairs
        self.name = f"{function.__module__}.{function.__qualname__}"
        self._variants: dict[tuple[Any, ...], Variant] = {}

    def __call__(self, *arguments: Any) -> Any:  # noqa: D102
        return loading.run(*self._laid_out(arguments))

    def prepared(self, *arguments: Any) -> Callable[[], Any]:
        """Return a call with these arguments that takes 2 µs; to lay them out takes 1 µs for each array.

        One thread at a time may call it.
        """
        return partial(_run, *self._laid_out(arguments), arguments)

    def _laid_out(self, arguments: tuple[Any, ...]) -> tuple[loading.Code, Any]:
        key: list[Any] = []
        words: Words = []
        flatten(arguments, key, words)
        by = tuple(key)
        variant = self._variants.get(by)
        if variant is None:
            variant = self._variants.setdefault(by, Variant(objects.Job.of(self.name, describe(arguments))))
        return variant.code(), loading.row_of(words)


def _run(code: loading.Code, row: Any, _: tuple[Any, ...]) -> Any:
    """Run code on a row that tells where the arrays of some arguments are, which are held meanwhile."""
    return loading.run(code, row)


class Part:
    """A function that only kernels call. To Numba it is a dispatcher, made when Numba first asks."""

    def __init__(self, function: Callable[..., Any], fastmath: set[str] | bool, inline: bool) -> None:
        self._function = function
        self._options: dict[str, Any] = {"fastmath": fastmath, "inline": "always" if inline else "never"}

    @cached_property
    def _dispatcher(self) -> Any:
        from kmeans_fast.engines.compiling import dispatcher

        return dispatcher(self._function, **self._options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # who looks objects over, for doctests say, asks for these, with or without Numba
            raise AttributeError(name)
        return getattr(self._dispatcher, name)


class Emitted(Part):
    """A part of kernels that `vectors` or `integer_vectors` writes, by its name there."""

    def __init__(self, name: str) -> None:
        self._name = name

    @cached_property
    def _dispatcher(self) -> Any:
        from kmeans_fast.engines import integer_vectors, vectors

        return getattr(vectors if hasattr(vectors, self._name) else integer_vectors, self._name)


def kernel(fastmath: set[str] | bool = False, pairs: bool = False) -> Callable[[Callable[..., Any]], Kernel]:
    """Make a function a kernel.

    `fastmath` takes LLVM's flags. Exact arithmetic must go without: fusing a multiply with an add rounds once
    instead of twice. With `pairs`, the same operation on neighbours, spelled out, is one on a vector, as it is in
    loops; LLVM looks for such pairs in a second run.
    """

    def decorate(function: Callable[..., Any]) -> Kernel:
        KERNELS.append(Kernel(function, fastmath, pairs))
        return KERNELS[-1]

    return decorate


def part(fastmath: set[str] | bool = False, inline: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Make a function a part of kernels.

    With `inline` it is copied into its caller before types are inferred, which is quicker to compile if there is only
    one; it then has its caller's `fastmath`.
    """
    return lambda function: Part(function, fastmath, inline)


def emitted(name: str) -> Any:
    """Return a part of kernels that is written in LLVM's terms, see `vectors`."""
    return Emitted(name)
