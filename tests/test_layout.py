"""The package's structure: imports run one way."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import kmeans_fast as kf

ROOT = Path(kf.__file__).parent


def modules():
    """All modules of the package by their names."""
    return {
        ".".join(("kmeans_fast", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
        for path in ROOT.rglob("*.py")
    }


def imported(path, names):
    """What a module imports of the package, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module in names:
            for alias in node.names:
                yield f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in names else node.module


def test_no_modules_import_each_other_in_a_circle():
    names = modules()
    assert len(names) > 40
    graph = {name: set(imported(path, names)) for name, path in names.items()}
    TopologicalSorter(graph).prepare()  # raises a CycleError that names the circle


def test_engines_know_arrays_alone():
    """Kernels import neither options, nor the structures above them."""
    names = modules()
    allowed = ("kmeans_fast.engines", "kmeans_fast.machine", "kmeans_fast._version")
    for name, path in names.items():
        if name.startswith("kmeans_fast.engines"):
            assert [other for other in imported(path, names) if not other.startswith(allowed)] == []
