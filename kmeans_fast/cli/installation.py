"""``kmeans-fast info`` and ``warmup``: what is installed, and having it compiled."""

from __future__ import annotations

import argparse

from kmeans_fast._version import __version__
from kmeans_fast.cli.messages import DONE

_VERSIONED_PACKAGES = ("numpy", "numba", "imageio", "pillow")
_MODULES = {"pillow": "PIL"}


def info(_options: argparse.Namespace, _warned: list[str]) -> int:
    """Print the versions of what is installed, and which engine, threads and cache folder are used."""
    import platform

    from kmeans_fast.warming import describe

    facts = {"kmeans_fast": __version__, "python": platform.python_version()}
    facts |= {name: _version(name) for name in _VERSIONED_PACKAGES} | describe()
    for name, fact in facts.items():
        print(f"{name + ':':<13}{fact}")
    return DONE


def warmup(options: argparse.Namespace, _warned: list[str]) -> int:
    """Compile what is mostly used, unless that has been done, and keep the code for the processes to come."""
    import time

    from kmeans_fast import warming
    from kmeans_fast.engines import obstacles

    if obstacle := obstacles.to_compiling():
        print(f"nothing to compile, as {obstacle}")
        return DONE
    start = time.perf_counter()
    warming.warmup(everything=options.all)
    state = warming.compiled_code()
    print(
        f"{state.n_kept} kernels compiled for this processor, in {state.folder} ({time.perf_counter() - start:.1f} s)"
    )
    return DONE


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version
    from importlib.util import find_spec

    try:
        return version(package)
    except PackageNotFoundError:  # a bundled program can have a package without what is known about it
        return "unknown version" if find_spec(_MODULES.get(package, package)) else "not installed"
