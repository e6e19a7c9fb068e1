"""How the documentation is built: ``python -m sphinx -W tests/docs FOLDER`` makes the site.

Its pictures, and a page that `kmeans_fast.report` makes, are made anew each time, so that they show what is so.
"""

import re
import shutil
from importlib.metadata import version as installed
from pathlib import Path

HERE = Path(__file__).parent
MADE = HERE / "made"  # not in Git

project = "kmeans_fast"
author = "The kmeans_fast developers"
project_copyright = author
version = release = installed("kmeans_fast")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.viewcode", "numpydoc"]
default_role = "py:obj"
autodoc_typehints = "none"  # docstrings tell more
add_module_names = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
trim_doctest_flags = True

html_theme = "furo"
html_title = "kmeans_fast"
html_static_path = ["made"]
html_copy_source = False
html_show_sphinx = False


def make_pictures(_app):
    """Make what the pages show."""
    import kmeans_fast as kf
    from kmeans_fast.plotting import plot_clusters, plot_comparison, plot_convergence, plot_palette

    shutil.rmtree(MADE, ignore_errors=True)
    MADE.mkdir()
    image = kf.read_image(kf.sample_path())
    shutil.copy(kf.sample_path(), MADE / "cat.png")
    for n_colors in (2, 8, 16):
        kf.quantize(image, n_colors, sort="luma").save(MADE / f"cat-{n_colors}.png")
    for dither in ("floyd-steinberg", "atkinson", "bayer", "blue-noise"):
        kf.quantize(image, 4, sort="luma", dither=dither).save(MADE / f"cat-4-{dither}.png")
    for space in ("srgb", "oklab"):
        plot_palette(kf.quantize(image, 8, space=space, sort="luma")).savefig(MADE / f"palette-{space}.png", dpi=80)
    plot_comparison(image, kf.quantize(image, 4)).savefig(MADE / "comparison.png", dpi=80)
    kf.report(image, 8, MADE / "report.html", title="Cat")

    seen = []
    result = kf.kmeans(image, 4, init="random", tol=0.5, callback=lambda *step: seen.append(step))
    _, centroids, new_centroids, _ = seen[0]
    labels = kf.assign(image, centroids)
    plot_clusters(image, centroids, new_centroids, labels).savefig(MADE / "clusters.png", dpi=80)
    plot_convergence(result, tol=0.5).savefig(MADE / "convergence.png", dpi=80)


def escape_initials(_app, _what, _name, _object, _options, lines):
    """Let references begin with an author: reStructuredText takes an initial for the letter of a list's item."""
    lines[:] = [re.sub(r"^(\s*\.\. \[\d+\] )(?=[A-Z]\. )", r"\1\\", line) for line in lines]


def setup(app):
    """Let Sphinx make the pictures before it looks for them, and docstrings pass by here before numpydoc."""
    app.connect("config-inited", lambda app, _config: make_pictures(app))
    app.connect("autodoc-process-docstring", escape_initials, priority=400)
