"""The pictures are read back as artists: what is drawn, where, in which colour, and what the labels say."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="plots need the extra `plot`")

from matplotlib.collections import Collection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import kmeans_fast as kf
from kmeans_fast import plotting

POINTS = np.array([[255, 0, 0], [250, 10, 0], [0, 0, 255], [0, 255, 0]], np.uint8)
OLD = np.array([[200.0, 50.0, 0.0], [0.0, 100.0, 100.0]])
NEW = np.array([[252.5, 5.0, 0.0], [0.0, 127.5, 127.5]])
LABELS = np.array([0, 0, 1, 1], np.uint8)
for _array in (POINTS, OLD, NEW, LABELS):
    _array.flags.writeable = False


def axes_3d():
    return Figure().add_subplot(projection="3d")


def scatters(figure):
    return figure.axes[0].collections


def places(scatter):
    return np.stack(scatter._offsets3d, axis=1)


def colors(scatter):
    """Red, green and blue in the order of the points; a 3-D scatter's own method has them in the order of depth."""
    return Collection.get_facecolor(scatter)[:, :3]


def legend_labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


class TestClusters:
    def test_points_have_their_own_colors(self):
        points, *_ = scatters(plotting.plot_clusters(POINTS, OLD, NEW, LABELS))
        np.testing.assert_array_equal(places(points), POINTS)
        np.testing.assert_allclose(colors(points), POINTS / 255)

    def test_old_and_new_centroids_can_be_told_apart(self):
        figure = plotting.plot_clusters(POINTS, OLD, NEW, LABELS)
        _, new, old = scatters(figure)
        np.testing.assert_array_equal(places(old), OLD)
        np.testing.assert_array_equal(places(new), NEW)
        assert len(colors(old)) == 0  # hollow
        np.testing.assert_allclose(colors(new), NEW / 255)
        tip_of_old, tip_of_new = (s.get_paths()[0].vertices[0] for s in (old, new))
        assert tip_of_old[1] < 0 < tip_of_new[1]
        assert legend_labels(figure.axes[0]) == ["centroids", "new centroids"]

    def test_a_line_ties_each_new_centroid_to_the_old_one(self):
        lines = plotting.plot_clusters(POINTS, OLD, NEW).axes[0].lines
        assert len(lines) == len(OLD)
        for line, start, end in zip(lines, OLD, NEW, strict=True):
            np.testing.assert_array_equal(np.transpose(line.get_data_3d()), [start, end])

    def test_centroids_alone(self):
        figure = plotting.plot_clusters(POINTS, OLD)
        assert len(scatters(figure)) == 2
        assert legend_labels(figure.axes[0]) == ["centroids"]

    def test_centroids_are_drawn_over_the_points(self):
        ax = axes_3d()
        points, new, old = scatters(plotting.plot_clusters(POINTS, OLD, NEW, ax=ax))
        assert points.zorder < new.zorder < old.zorder
        assert not ax.computed_zorder

    def test_a_larger_cluster_has_a_larger_triangle(self):
        _, centroids = scatters(plotting.plot_clusters(POINTS, OLD, labels=[0, 1, 1, 1]))
        small, large = centroids.get_sizes()
        assert small < large

    def test_without_labels_triangles_are_equal(self):
        _, centroids = scatters(plotting.plot_clusters(POINTS, OLD))
        assert np.ptp(centroids.get_sizes()) == 0

    def test_the_sample_is_as_large_as_asked_and_the_same_each_time(self):
        points = np.arange(3 * 1001).reshape(-1, 3) % 256
        first, second = (places(scatters(plotting.plot_clusters(points, OLD, n_points=100))[0]) for _ in range(2))
        assert len(first) == 100
        np.testing.assert_array_equal(first, second)

    def test_the_sample_holds_no_point_twice_and_reaches_everywhere(self):
        for total in (1, 2, 99, 100, 101, 150, 1000):
            points = np.zeros((total, 3), np.uint16)
            points[:, 0] = np.arange(total)
            drawn = places(scatters(plotting.plot_clusters(points, OLD, n_points=100))[0])[:, 0]
            assert len(np.unique(drawn)) == len(drawn) == min(total, 100)
            assert np.diff(drawn, prepend=0, append=total).max() <= 2 * max(total / 100, 1)

    def test_the_sample_of_an_image_is_not_a_few_of_its_columns(self):
        image = np.zeros((100, 100, 3), np.uint8)
        image[..., 0] = np.arange(100)
        drawn = places(scatters(plotting.plot_clusters(image, OLD, n_points=100))[0])[:, 0]
        assert len(np.unique(drawn)) > 50

    def test_an_image_is_as_good_as_a_list_of_points(self):
        image = POINTS.reshape(2, 2, 3)
        from_image = scatters(plotting.plot_clusters(image, OLD, labels=LABELS.reshape(2, 2)))
        from_points = scatters(plotting.plot_clusters(POINTS, OLD, labels=LABELS))
        for one, other in zip(from_image, from_points, strict=True):
            np.testing.assert_array_equal(places(one), places(other))

    @pytest.mark.parametrize(
        ("points", "top"),
        [
            (POINTS, 255),
            (POINTS.astype(np.float32), 255),
            (POINTS.astype(int), 255),
            (POINTS / 255, 1),
            (POINTS.astype(np.uint16) * 257, 65535),
        ],
        ids=["uint8", "float to 255", "int", "float to 1", "uint16"],
    )
    def test_the_scale_of_the_colors(self, points, top):
        figure = plotting.plot_clusters(points, OLD / 255 * top)
        np.testing.assert_allclose(colors(scatters(figure)[0]), POINTS / 255, atol=1e-6)
        assert figure.axes[0].get_xlim() == (0, top)

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"points": POINTS[:, :2]}, ValueError, r"points must have shape \(N, 3\) or \(H, W, 3\).*got \(4, 2\)"),
            ({"points": POINTS[0]}, ValueError, r"points must have shape.*got \(3,\)"),
            ({"points": POINTS[:0]}, ValueError, r"not be empty, got \(0, 3\)"),
            ({"points": POINTS.astype(complex)}, TypeError, "points must be real numbers.*got dtype complex128"),
            ({"points": np.full((2, 3), np.nan)}, ValueError, "points must be finite"),
            ({"points": POINTS - 300.0}, ValueError, "from 0 to 1 or from 0 to 255, got values from -300 to -45"),
            ({"centroids": OLD[:, :2]}, ValueError, r"centroids must have shape \(K, 3\).*got \(2, 2\)"),
            ({"centroids": OLD + np.inf}, ValueError, "centroids must be finite"),
            ({"new_centroids": NEW[:1]}, ValueError, r"new_centroids must have shape \(2, 3\), got \(1, 3\)"),
            ({"labels": [0, 1]}, ValueError, r"one label a point, shape \(4,\), got \(2,\)"),
            ({"labels": [0, 1, 2, 1]}, ValueError, "labels must be from 0 to 1, got 0 to 2"),
            ({"labels": [0, 1, -1, 1]}, ValueError, "labels must be from 0 to 1, got -1 to 1"),
            ({"labels": [0.0, 1.0, 1.0, 1.0]}, TypeError, "labels must be integers, got dtype float64"),
            ({"n_points": 0}, ValueError, "n_points must be at least 1, got 0"),
            ({"n_points": 10.5}, TypeError, "n_points must be an integer, got 10.5"),
            ({"n_points": True}, TypeError, "n_points must be an integer, got True"),
            ({"ax": Figure().add_subplot()}, TypeError, "projection='3d', got projection='rectilinear'"),
            ({"ax": Figure()}, TypeError, "ax must be matplotlib Axes, got Figure"),
        ],
    )  # fmt: skip
    def test_bad_input(self, change, error, message):
        with pytest.raises(error, match=message):
            plotting.plot_clusters(**{"points": POINTS, "centroids": OLD, **change})


class TestPalette:
    def test_swatches_are_as_wide_as_their_share(self):
        bars = plotting.plot_palette(POINTS, [1, 2, 0, 5]).axes[0].patches
        np.testing.assert_allclose([bar.get_width() for bar in bars], [0.125, 0.25, 0, 0.625])
        np.testing.assert_allclose([bar.get_x() for bar in bars], [0, 0.125, 0.375, 0.375])
        assert [to_hex(bar.get_facecolor()) for bar in bars] == ["#ff0000", "#fa0a00", "#0000ff", "#00ff00"]

    def test_without_counts_swatches_are_equal(self):
        bars = plotting.plot_palette(POINTS).axes[0].patches
        np.testing.assert_allclose([bar.get_width() for bar in bars], 0.25)

    def test_hex_and_share_are_written_where_they_fit(self):
        texts = plotting.plot_palette(POINTS, [6000, 3950, 49, 1]).axes[0].texts
        assert [text.get_text() for text in texts] == ["#ff0000\n60.0 %", "#fa0a00\n39.5 %"]
        upright = plotting.plot_palette(POINTS, [94, 6, 0, 0]).axes[0].texts[1]
        assert (upright.get_text(), upright.get_rotation()) == ("#fa0a00 6.0 %", 90)

    def test_text_can_be_read_on_its_swatch(self):
        on_black, on_white = plotting.plot_palette([[0, 0, 0], [255, 255, 255]]).axes[0].texts
        assert to_hex(on_black.get_color()) == "#ffffff"
        assert to_hex(on_white.get_color()) == "#222222"

    def test_centroids_are_rounded_as_a_palette_is(self):
        texts = plotting.plot_palette([[0.5, 1.5, 254.6], [0.4, 2.5, 3.0]]).axes[0].texts
        assert [text.get_text()[:7] for text in texts] == ["#0002ff", "#000203"]

    def test_a_gray_palette(self):
        ax = plotting.plot_palette(np.array([[7], [255]], np.uint8)).axes[0]
        assert [text.get_text()[:7] for text in ax.texts] == ["#070707", "#ffffff"]
        assert [to_hex(bar.get_facecolor()) for bar in ax.patches] == ["#070707", "#ffffff"]

    def test_a_palette_with_alpha(self):
        ax = plotting.plot_palette(np.array([[0, 0, 0, 0], [0, 0, 0, 255]], np.uint8)).axes[0]
        assert [text.get_text()[:9] for text in ax.texts] == ["#00000000", "#000000ff"]
        assert [text.get_color() for text in ax.texts] == ["#222222", "white"]
        assert [bar.get_facecolor()[3] for bar in ax.patches] == [0, 1]

    @pytest.mark.parametrize(
        ("palette", "counts", "error", "message"),
        [
            (POINTS[0], None, ValueError, r"palette must have shape \(K, 3\), \(K, 1\) or \(K, 4\).*got \(3,\)"),
            (POINTS[:0], None, ValueError, r"K at least 1, got \(0, 3\)"),
            (["#ff0000"], None, TypeError, "palette must be real numbers"),
            (POINTS * 2.0, None, ValueError, "got values from 0 to 510"),
            (POINTS, [1, 2], ValueError, r"one count a colour, shape \(4,\), got \(2,\)"),
            (POINTS, [1, 2, -1, 3], ValueError, "not negative"),
            (POINTS, [0, 0, 0, 0], ValueError, "not all zero"),
            (POINTS, [1, np.nan, 1, 1], ValueError, "counts must be finite"),
        ],
    )
    def test_bad_input(self, palette, counts, error, message):
        with pytest.raises(error, match=message):
            plotting.plot_palette(palette, counts)


class TestConvergence:
    def test_one_point_an_iteration_on_a_log_scale(self):
        ax = plotting.plot_convergence([100.0, 10.0, 0.5]).axes[0]
        x, y = ax.lines[0].get_data()
        np.testing.assert_array_equal(x, [1, 2, 3])
        np.testing.assert_array_equal(y, [100.0, 10.0, 0.5])
        assert ax.get_yscale() == "log"
        assert legend_labels(ax) == ["shift"]

    def test_zero_lies_on_the_lower_edge_which_reads_0(self):
        figure = plotting.plot_convergence([100.0, 0.02, 0.0])
        ax = figure.axes[0]
        x, y = ax.lines[1].get_data()
        bottom = ax.get_ylim()[0]
        assert (x.tolist(), y.tolist()) == ([3], [bottom])
        assert bottom < 0.02
        assert ax.yaxis.get_major_formatter()(bottom) == "0"
        assert ax.yaxis.get_major_formatter()(0.1) == "0.1"
        assert legend_labels(ax) == ["shift", "0: no centroid moved"]

    def test_nothing_but_zeros(self, tmp_path):
        figure = plotting.plot_convergence([0.0])
        figure.savefig(tmp_path / "zeros.png")
        ax = figure.axes[0]
        assert ax.lines[1].get_ydata().tolist() == [ax.get_ylim()[0]]
        assert [tick for tick in ax.get_xticks() if tick % 1] == []

    def test_no_iteration_at_all(self, tmp_path):
        result = kf.kmeans(POINTS, 4, engine="numpy")
        figure = plotting.plot_convergence(result.shifts)
        figure.savefig(tmp_path / "empty.png")
        assert [text.get_text() for text in figure.axes[0].texts] == ["no iteration was needed"]

    def test_tol_is_a_line_unless_zero(self):
        ax = plotting.plot_convergence([100.0, 0.4], tol=0.5).axes[0]
        assert legend_labels(ax) == ["shift", "tol = 0.5"]
        assert set(ax.lines[-1].get_ydata()) == {0.5}
        assert legend_labels(plotting.plot_convergence([100.0, 0.4], tol=np.inf).axes[0]) == ["shift"]

    @pytest.mark.parametrize(
        ("shifts", "tol", "error", "message"),
        [
            ([[1.0]], 0, ValueError, r"shifts must have shape \(n_iter,\), got \(1, 1\)"),
            (1.0, 0, ValueError, r"shifts must have shape \(n_iter,\), got \(\)"),
            ([1.0, -2.0], 0, ValueError, "shifts must be finite and not negative, got -2"),
            ([1.0, np.nan], 0, ValueError, "shifts must be finite and not negative, got nan"),
            ([1.0, np.inf], 0, ValueError, "shifts must be finite and not negative, got inf"),
            (["1"], 0, TypeError, "shifts must be real numbers"),
            ([1.0], -0.5, ValueError, "tol must be at least 0, got -0.5"),
            ([1.0], [0.5], TypeError, r"tol must be a number, got \[0.5\]"),
        ],
    )
    def test_bad_input(self, shifts, tol, error, message):
        with pytest.raises(error, match=message):
            plotting.plot_convergence(shifts, tol)


class TestComparison:
    BEFORE = np.zeros((4, 6, 3), np.uint8)
    AFTER = BEFORE.copy()
    AFTER[1, 2] = (3, 0, 4)
    AFTER[3, 5] = (255, 255, 255)

    def test_before_after_and_their_distance(self):
        figure = plotting.plot_comparison(self.BEFORE, self.AFTER)
        before, after, difference = (ax.images[0] for ax in figure.axes[:3])
        np.testing.assert_array_equal(before.get_array(), self.BEFORE)
        np.testing.assert_array_equal(after.get_array(), self.AFTER)
        expected = np.zeros((4, 6))
        expected[1, 2], expected[3, 5] = 5, np.sqrt(3) * 255
        np.testing.assert_allclose(difference.get_array(), expected, rtol=1e-6)

    def test_the_scale_is_told(self):
        figure = plotting.plot_comparison(self.BEFORE, self.AFTER)
        difference = figure.axes[2]
        low, high = difference.images[0].get_clim()
        assert (low, round(high, 1)) == (0, 441.7)
        assert difference.get_title() == "difference: up to 441.7 levels"
        (bar,) = difference.child_axes
        assert bar.get_ylabel() == "distance in 8-bit levels"
        np.testing.assert_allclose(bar.get_ylim(), [0, 441.7], atol=0.05)

    def test_equal_images_differ_in_nothing(self):
        difference = plotting.plot_comparison(self.AFTER, self.AFTER).axes[2]
        assert difference.get_title() == "difference: none"
        assert not difference.images[0].get_array().any()

    def test_gray_images(self):
        figure = plotting.plot_comparison(self.BEFORE[..., :1], self.AFTER[..., 0])
        assert figure.axes[0].images[0].get_clim() == (0, 255)
        assert figure.axes[2].images[0].get_array()[1, 2] == 3

    def test_images_with_alpha(self):
        """Opaque equals no alpha; what is transparent in both differs in nothing, whatever its hidden colour."""
        alpha = np.full((4, 6, 1), 255, np.uint8)
        with_alpha = np.dstack([self.AFTER, alpha])
        assert plotting.plot_comparison(self.AFTER, with_alpha).axes[2].get_title() == "difference: none"
        hidden, hidden_too = with_alpha.copy(), with_alpha.copy()
        hidden[0, 0], hidden_too[0, 0] = (9, 9, 9, 0), (200, 100, 50, 0)
        assert plotting.plot_comparison(hidden, hidden_too).axes[2].get_title() == "difference: none"
        difference = plotting.plot_comparison(with_alpha, hidden).axes[2].images[0].get_array()
        assert difference[0, 0] == difference.max() == 255

    def test_levels_are_those_of_8_bits_whatever_the_scale(self):
        pairs = {
            "float to 1": (self.BEFORE / 255, self.AFTER / 255),
            "float to 255": (self.BEFORE, self.AFTER.astype(float)),
            "uint16": (self.BEFORE.astype(np.uint16), self.AFTER.astype(np.uint16) * 257),
        }
        for name, (before, after) in pairs.items():
            difference = plotting.plot_comparison(before, after).axes[2].images[0].get_array()
            np.testing.assert_allclose(difference[1, 2], 5, rtol=1e-5, err_msg=name)

    @pytest.mark.parametrize(
        ("before", "after", "axes", "error", "message"),
        [
            (BEFORE, AFTER[:2], None, ValueError, r"same shape, got \(4, 6, 3\) and \(2, 6, 3\)"),
            (BEFORE[0, 0], AFTER[0, 0], None, ValueError, r"before must be an image.*got shape \(3,\)"),
            (BEFORE[:0], AFTER[:0], None, ValueError, r"before must be an image.*got shape \(0, 6, 3\)"),
            (BEFORE[..., :2], AFTER[..., :2], None, ValueError, r"before must be an image.*got shape \(4, 6, 2\)"),
            (BEFORE, AFTER[..., 0], None, ValueError, r"same shape, got \(4, 6, 3\) and \(4, 6\)"),
            (BEFORE, AFTER * 1j, None, TypeError, "after must be real numbers of up to 64 bits, got dtype complex128"),
            (BEFORE, AFTER - 1.0, None, ValueError, "after must be colours from 0 to 1"),
            (BEFORE, AFTER, [axes_3d()], ValueError, "axes must be three.*got 1"),
            (BEFORE, AFTER, "abc", TypeError, "ax must be matplotlib Axes, got str"),
        ],
    )
    def test_bad_input(self, before, after, axes, error, message):
        with pytest.raises(error, match=message):
            plotting.plot_comparison(before, after, axes=axes)


CALLS = {
    "clusters": lambda **where: plotting.plot_clusters(POINTS, OLD, NEW, LABELS, **where),
    "palette": lambda **where: plotting.plot_palette(POINTS, [1, 2, 3, 4], **where),
    "convergence": lambda **where: plotting.plot_convergence([9.0, 1.0, 0.0], tol=0.5, **where),
    "comparison": lambda **where: plotting.plot_comparison(TestComparison.BEFORE, TestComparison.AFTER, **where),
}


def given_axes(name, figure):
    if name == "comparison":
        return {"axes": figure.subplots(1, 3)}
    return {"ax": figure.add_subplot(projection="3d" if name == "clusters" else None)}


@pytest.mark.parametrize("name", CALLS)
class TestEveryPlot:
    def test_a_new_figure_each_time(self, name):
        first, second = CALLS[name](), CALLS[name]()
        assert isinstance(first, Figure)
        assert first is not second

    def test_given_axes_are_drawn_into(self, name):
        figure = Figure()
        where = given_axes(name, figure)
        n_axes = len(figure.axes)
        assert CALLS[name](**where) is figure
        assert len(figure.axes) == n_axes
        assert all(ax.has_data() for ax in figure.axes)

    def test_axes_of_a_subfigure(self, name):
        figure = Figure()
        where = given_axes(name, figure.subfigures(1, 2)[0])
        assert CALLS[name](**where) is figure

    def test_it_can_be_saved(self, name, tmp_path):
        path = tmp_path / "plot.png"
        CALLS[name]().savefig(path, dpi=40)
        assert path.read_bytes().startswith(b"\x89PNG")

    def test_a_notebook_displays_it(self, name):
        assert CALLS[name]()._repr_png_().startswith(b"\x89PNG")


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300)


def test_pyplot_is_not_touched():
    """Pyplot keeps the figures it knows, so a server that draws would fill its memory."""
    done = run_python(
        "import io, sys; from kmeans_fast import plotting\n"
        "plotting.plot_clusters([[1, 2, 3]], [[1, 2, 3]]).savefig(io.BytesIO())\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    assert done.stdout.strip() == "False"


def test_without_matplotlib_the_error_says_what_to_install():
    done = run_python("import sys; sys.modules['matplotlib'] = None\nimport kmeans_fast.plotting")
    assert done.returncode == 1
    assert done.stderr.strip().endswith(
        "ImportError: kmeans_fast.plotting needs matplotlib, which is not installed: pip install kmeans_fast[plot]"
    )


def test_drawn_from_a_callback():
    """As the docstring shows it: one picture an iteration, and the clustering goes on."""
    points = np.random.default_rng(0).integers(0, 256, (500, 3), dtype=np.uint8)
    drawn = []

    def draw(iteration, centroids, new_centroids, shift):
        drawn.append((iteration, plotting.plot_clusters(points, centroids, new_centroids)))

    result = kf.kmeans(points, 4, max_iter=3, engine="numpy", callback=draw)
    assert [iteration for iteration, _ in drawn] == list(range(1, result.n_iter + 1))
    for (_, before), (_, after) in itertools.pairwise(drawn):
        np.testing.assert_array_equal(places(scatters(before)[1]), places(scatters(after)[2]))


def test_results_are_drawn_as_their_arrays_are(cat):
    image = cat[::10, ::10]
    quantized = kf.quantize(image, 5)
    of_result, of_arrays = plotting.plot_palette(quantized), plotting.plot_palette(quantized.palette, quantized.counts)
    texts = [[text.get_text() for text in figure.axes[0].texts] for figure in (of_result, of_arrays)]
    assert texts[0] == texts[1]
    comparison = plotting.plot_comparison(image, quantized)
    assert comparison.axes[2].get_title() == plotting.plot_comparison(image, quantized.to_array()).axes[2].get_title()
    result = kf.kmeans(image, 5)
    assert plotting.plot_convergence(result).axes[0].lines[0].get_ydata().tolist() == (
        plotting.plot_convergence(result.shifts).axes[0].lines[0].get_ydata().tolist()
    )
