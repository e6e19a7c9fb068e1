"""Which engine serves a call when none is asked for."""

import subprocess
import sys

import pytest

from kmeans_fast import engines


@pytest.mark.parametrize(
    ("name", "work", "is_imported", "is_installed", "expected"),
    [
        ("auto", 1, False, True, "numpy"),
        ("auto", engines.SMALL_WORK, False, True, "numpy"),
        ("auto", engines.SMALL_WORK + 1, False, True, "numba"),
        ("auto", 1, True, True, "numba"),
        ("auto", 10**12, False, False, "auto"),
        ("numba", 1, False, True, "numba"),
        ("numpy", 10**12, True, True, "numpy"),
    ],
)
def test_choice(monkeypatch, name, work, is_imported, is_installed, expected):
    monkeypatch.setattr(engines, "numba_is_installed", lambda: is_installed)
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    if is_imported:
        monkeypatch.setitem(sys.modules, "numba", object())
    assert engines.choose(name, work) == expected


@pytest.mark.skipif(not engines.numba_is_installed(), reason="without Numba there is no choice")
def test_a_small_call_in_a_fresh_process_does_not_import_numba():
    code = """if True:
        import sys
        import numpy as np
        import kmeans_fast as kf
        image = np.arange(3 * 50 * 50).reshape(50, 50, 3).astype(np.uint8)
        engine = kf.kmeans(image, 8).engine
        quantized = kf.quantize(image, 8)
        kf.assign(image, quantized.palette)
        print(engine, "numba" in sys.modules)
    """
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert printed.split() == ["numpy", "False"]
