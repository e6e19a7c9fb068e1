"""The documentation has all public names, each with an example; doctest runs these, and those of the pages in docs."""

import importlib
import importlib.util
import inspect
import re
from pathlib import Path

import pytest

import kmeans_fast as kf

DOCS = Path(__file__).parent / "docs"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in DOCS.glob("*.rst")}
MODULES = {"kmeans_fast.plotting": "matplotlib", "kmeans_fast.sklearn": "sklearn", "kmeans_fast.dask": "dask"}


def public(module):
    """The names of a module's functions and classes that are its own."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if callable(value) and value.__module__ == module.__name__ and not name.startswith("_")
    ]


def names():
    for module in ("kmeans_fast", *MODULES):
        if module not in MODULES or importlib.util.find_spec(MODULES[module]):
            yield from (
                pytest.param(module, name, id=f"{module}.{name}") for name in public(importlib.import_module(module))
            )


@pytest.mark.parametrize(("module", "name"), list(names()))
def test_every_public_name_has_an_example(module, name):
    text = inspect.getdoc(getattr(importlib.import_module(module), name))
    assert re.search(r"^Examples\n--------\n(.*\n)*>>> ", text + "\n", re.MULTILINE)


def test_the_interface_is_complete():
    listed = re.findall(r"^\.\. auto(?:function|class):: (\w+)$", PAGES["api"], re.MULTILINE)
    assert sorted(listed) == sorted(kf.__all__)
    assert re.findall(r"^\.\. automodule:: (\S+)$", PAGES["api"], re.MULTILINE) == list(MODULES)


@pytest.mark.parametrize("page", sorted(PAGES.keys() - {"api"}))
def test_every_page_has_examples_and_is_reached(page):
    assert PAGES[page].count("\n>>> ") >= 4
    assert page == "index" or f"   {page}\n" in PAGES["index"]


def test_every_file_of_tests_that_is_named_is_there():
    for name in re.findall(r"``(test_\w+\.py)``", PAGES["promises"]):
        assert (DOCS.parent / name).is_file()


def test_the_files_to_change_exist():
    package = Path(kf.__file__).parent
    named = re.findall(r"``([\w/*]+\.py)``", PAGES["contributing"].split("Where to change what")[1])
    assert len(named) > 30
    assert [name for name in named if not any(package.rglob(name))] == []
