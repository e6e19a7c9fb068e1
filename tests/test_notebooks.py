"""The notebooks of tests/notebooks run from their first cell to their last, and show what they are for."""

import base64
import io
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

import kmeans_fast as kf
from kmeans_fast.progress import progress_bar

NOTEBOOKS = Path(__file__).parent / "notebooks"
N_ITERATIONS = 4


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The cells of the notebook, run in a folder of its own, and that folder."""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(NOTEBOOKS / "step_by_step.ipynb", as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook.cells, folder


def outputs(cells, mime):
    """All that was shown of one type, by cell."""
    shown = [
        [output.data[mime] for output in cell.get("outputs", []) if mime in output.get("data", {})] for cell in cells
    ]
    return [of_cell for of_cell in shown if of_cell]


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_are_kept_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_every_iteration_has_its_plot(executed):
    cells, _ = executed
    plots = max(outputs(cells, "image/png"), key=len)
    assert len(plots) == N_ITERATIONS
    pictures = [np.asarray(Image.open(io.BytesIO(base64.b64decode(plot)))) for plot in plots]
    assert all(picture.std() > 10 for picture in pictures)
    assert not any(np.array_equal(one, other) for one, other in zip(pictures[1:], pictures[:-1], strict=True))


def test_results_show_colors_and_pictures(executed):
    cells, _ = executed
    pages = [page for of_cell in outputs(cells, "text/html") for page in of_cell]
    assert len(pages) == 3
    assert all(page.count("background:#") == 6 for page in pages)
    assert "data:image/png;base64," in pages[1]


def test_no_cell_complains(executed):
    cells, _ = executed
    streams = [output for cell in cells for output in cell.get("outputs", []) if output.output_type == "stream"]
    assert [output.text for output in streams] == []


def test_a_bar_counts_iterations(executed):
    cells, _ = executed
    (bar,) = (page for of_cell in outputs(cells, "application/vnd.jupyter.widget-view+json") for page in of_cell)
    assert bar["model_id"]


def test_the_picture_is_saved(executed):
    cells, folder = executed
    assert cells[-1].outputs[0].data["text/plain"] == "True"
    with Image.open(folder / "photo6.png") as picture:
        assert len(picture.convert("RGB").getcolors()) == 6


def test_a_bar_ends_no_run():
    """`tqdm.update` returns True, which as an answer would end it."""
    file = io.StringIO()
    with progress_bar(file=file, mininterval=0) as callback:
        result = kf.kmeans([[0], [1], [8], [9]], 2, init=[[0], [1]], callback=callback)
    assert result.n_iter == 3
    assert "iterations: 3" in file.getvalue()
    assert "shift=0" in file.getvalue()
