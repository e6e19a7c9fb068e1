"""Pages about a picture in K colours: what is on them is what `quantize` returns, and they load nothing."""

import base64
import io
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from chromium import COLOURED
from PIL import Image, ImageCms

import kmeans_fast as kf
from kmeans_fast import cli
from kmeans_fast.reporting import chart, command, errors, pictures
from kmeans_fast.reporting.contents import MOST_STEPS, steps_of
from kmeans_fast.reporting.trace import Run, Trace

VOID = {"br", "i", "img", "input", "link", "meta"}
SEEN = ("title", "width", "height", "bytes_before", "bytes_after", "colors_before", "colors_after", "space", "dither")


class Parser(HTMLParser):
    """A parser that expects every element to be closed, and keeps attributes and texts."""

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.texts = [], [], {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.attributes += [(tag, dict(attributes))]
        if tag not in VOID - {"i"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.attributes += [(tag, dict(attributes))]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.texts[self.open[-1] if self.open else ""] = text

    def all(self, tag):
        return [attributes for found, attributes in self.attributes if found == tag]


def made(image, path, n_colors=8, **options):
    """Make a page; return its text and the numbers in it."""
    kf.report(image, n_colors, path, **options)
    text = path.read_text(encoding="utf-8")
    return text, numbers(text)


def numbers(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def without_seconds(text):
    return re.sub(r'"seconds":{.*?}|<div><dt>Seconds .*?</div>', "", text)


@pytest.fixture(scope="module")
def cats(cat, tmp_path_factory):
    return made(cat, tmp_path_factory.mktemp("page") / "cat.html", title="Cat <1> & $co")


# What is on the page


def test_it_parses(cats):
    parser = Parser(cats[0])
    ids = [attributes["id"] for _, attributes in parser.attributes if "id" in attributes]
    assert len(ids) == len(set(ids)) > 15
    for _, attributes in parser.attributes:
        for name in ("aria-labelledby", "aria-describedby", "for"):
            assert attributes.get(name, ids[0]) in ids


def test_it_loads_nothing(cats):
    assert not re.search(r"https?://|//\w+\.\w+/|@import|fetch\(|XMLHttpRequest|<link|<iframe", cats[0])
    parser = Parser(cats[0])
    assert all(attributes.get("src", "data:").startswith("data:") for _, attributes in parser.attributes)
    (policy,) = (meta["content"] for meta in parser.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_a_title_is_text(cats):
    assert "<h1>Cat &lt;1&gt; &amp; $co in 8 colours</h1>" in cats[0]
    assert cats[1]["title"] == "Cat <1> & $co"


def test_its_numbers_are_those_of_quantize(cat, cats):
    expected = kf.quantize(cat, 8, sort="count")
    shown = cats[1]
    assert shown["palette"] == expected.palette.tolist()
    assert shown["hex_colors"] == expected.hex_colors
    assert shown["counts"] == expected.counts.tolist()
    assert [shown[name] for name in ("mse", "psnr", "n_iter", "converged")] == [
        expected.mse, expected.psnr, expected.n_iter, expected.converged,
    ]  # fmt: skip
    assert [shown[name] for name in SEEN[1:]] == [451, 300, None, expected.save(io.BytesIO()), 32584, 8, "srgb", "none"]


def test_it_returns_what_quantize_returns(cat, tmp_path):
    options = {"space": "oklab", "dither": "bayer", "sort": "hue", "seed": 3}
    made, expected = kf.report(cat, 5, tmp_path / "a.html", **options), kf.quantize(cat, 5, **options)
    np.testing.assert_array_equal(made.palette, expected.palette)
    np.testing.assert_array_equal(made.labels, expected.labels)
    assert made.mse == expected.mse


def test_the_table_and_the_figures_show_the_same_numbers(cats):
    text, shown = cats
    for color, count in zip(shown["hex_colors"], shown["counts"], strict=True):
        assert f'data-copy="{color}"' in text
        assert f"<td>{count:,}</td>" in text
    for figure in ("451 × 300", "32,584", f"{shown['psnr']:.2f} dB", f"{shown['bytes_after']:,} bytes", "4, converged"):
        assert figure in text


def test_the_pictures_are_those_before_and_after(cat, cats):
    urls = [attributes["src"] for attributes in Parser(cats[0]).all("img")]
    after, before, heat = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGB")) for url in urls
    )
    np.testing.assert_array_equal(before, cat)
    np.testing.assert_array_equal(after, kf.quantize(cat, 8).to_array())
    assert heat.shape == cat.shape


def test_centroids_go_from_where_they_began_to_the_palette(cat, cats):
    seen = []
    kf.quantize(cat, 8, callback=lambda *step: seen.append(step[1:3]))
    shown = cats[1]
    assert shown["steps"] == [0, 1, 2, 3, 4, 4]
    assert shown["centroids"][-1] == shown["palette"]
    for step, centroids in zip(shown["centroids"], [*(old for old, _ in seen), seen[-1][1]], strict=False):
        np.testing.assert_allclose(sorted(step), sorted(centroids.tolist()), atol=0.006)
    # Each is in the place of the entry that it became.
    np.testing.assert_allclose(shown["centroids"][-2], shown["palette"], atol=0.51)


def test_the_shifts_are_what_a_callback_sees(cat, cats):
    shifts = []
    kf.quantize(cat, 8, callback=lambda *step: shifts.append(step[3]))
    assert cats[1]["shifts"] == shifts
    assert cats[0].count("data-step=") == len(shifts)


def test_the_cloud_is_of_the_pictures_colours(cat, cats):
    cloud = cats[1]["cloud"]
    counted = kf.ColorHistogram.from_image(cat)
    all_colors = dict(zip(map(tuple, counted.colors.tolist()), counted.counts.tolist(), strict=True))
    assert len(cloud["points"]) == len(cloud["colors"]) == len(cloud["counts"]) == 4000
    assert [all_colors[tuple(point)] for point in cloud["points"]] == cloud["counts"]
    assert [bytes(point).hex() for point in cloud["points"]] == cloud["colors"]


def test_the_same_picture_makes_the_same_page(cat, cats, tmp_path):
    again, _ = made(cat, tmp_path / "other.html", title="Cat <1> & $co", n_threads=1, engine="numpy")
    assert without_seconds(again) == without_seconds(cats[0])


def test_callbacks_are_called_too_and_may_stop(cat, tmp_path):
    called = []
    quantized = kf.report(cat, 8, tmp_path / "a.html", callback=lambda i, *_: called.append(i) or i == 2)
    assert called == [1, 2]
    assert (quantized.n_iter, quantized.converged) == (2, False)


# Every kind of picture


def translucent(cat):
    image = np.dstack([cat, np.full(cat.shape[:2], 255, np.uint8)])
    image[:40, :, 3] = 0
    image[40:80, :, 3] = 120
    return image


KINDS = {
    "grey": lambda cat: cat[..., 1],
    "grey with an axis": lambda cat: cat[..., 1:2],
    "RGBA": translucent,
    "opaque RGBA": lambda cat: translucent(cat) | np.array([0, 0, 0, 255], np.uint8),
    "transparent": lambda cat: translucent(cat) & np.array([255, 255, 255, 0], np.uint8),
    "16 bits": lambda cat: cat * np.uint16(257) + np.arange(451, dtype=np.uint16)[:, np.newaxis] % 3,
    "grey of 16 bits": lambda cat: cat[..., 0] * np.uint16(257),
    "floats": lambda cat: cat / 255,
    "one pixel": lambda cat: cat[:1, :1],
    "one colour": lambda cat: np.zeros_like(cat),
    "few colours": lambda cat: cat // 128 * 255,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_picture(cat, tmp_path, kind):
    image = KINDS[kind](cat)
    text, shown = made(image, tmp_path / "a.html")
    expected = kf.quantize(image, 8, sort="count")
    Parser(text)
    assert shown["counts"] == expected.counts.tolist()
    assert shown["hex_colors"] == expected.hex_colors
    assert shown["bytes_after"] == expected.to_8_bit().save(io.BytesIO())
    assert len(shown["visible"]) == len(shown["centroids"][-1])
    assert len({len(step) for step in shown["centroids"]}) == 1
    assert bool(shown["shifts"]) == (expected.n_iter > 0)


@pytest.mark.parametrize(
    "palette", [["black", "white"], ["#ff000080", "orange", "white"], np.array([[0], [128]], np.uint8)]
)
def test_of_a_palette_that_is_given_no_iterations_are_shown(cat, tmp_path, palette):
    text, shown = made(cat, tmp_path / "a.html", None, palette=palette)
    expected = kf.quantize(cat, palette=palette)
    assert shown["hex_colors"] == expected.hex_colors
    assert shown["counts"] == expected.counts.tolist()
    assert len(shown["centroids"]) == 1
    assert "No iteration was needed." in text


def test_fixed_entries_stay_where_they_are(small_cat, tmp_path):
    _, shown = made(small_cat, tmp_path / "a.html", 5, fixed=["black"])
    black = shown["hex_colors"].index("#000000")
    assert {tuple(step[black]) for step in shown["centroids"]} == {(0, 0, 0)}


@pytest.mark.parametrize("space", ["linear", "oklab", "lab"])
def test_points_are_in_the_space_of_the_clusters(small_cat, tmp_path, space):
    _, shown = made(small_cat, tmp_path / "a.html", space=space)
    cloud = shown["cloud"]
    points, low, high = (np.array(cloud[name]) for name in ("points", "low", "high"))
    assert ((points >= low) & (points <= high)).all()
    assert len(set(high - low)) == 1
    np.testing.assert_allclose(shown["centroids"][-2], shown["centroids"][-1], atol=2)


@pytest.mark.parametrize("options", [{"n_init": 4, "init": "random"}, {"effort": 2}, {"n_colors": None, "quality": 25}])
def test_of_several_runs_the_one_that_made_the_palette_is_shown(small_cat, tmp_path, options):
    _, shown = made(small_cat, tmp_path / "a.html", **{"n_colors": 5} | options)
    np.testing.assert_allclose(shown["centroids"][-2], shown["centroids"][-1], atol=2)


def test_transparent_pixels_are_no_points(cat, tmp_path):
    _, shown = made(translucent(cat), tmp_path / "a.html")
    assert {color[6:] for color in shown["cloud"]["colors"]} == {"78", "ff"}
    assert 0 not in [shown["palette"][entry][3] for entry in shown["visible"]]


# Large pictures


def test_the_largest_page_is_below_8_mb(tmp_path):
    """Noise as large as it is shown in full."""
    noise = np.random.default_rng(0).integers(0, 256, (1048, 1049, 3), np.uint8)
    text, _ = made(noise, tmp_path / "a.html", 64, max_iter=2)
    assert 3_000_000 < len(text) < 8_000_000


def test_a_large_picture_is_shown_scaled_down(tmp_path):
    text, shown = made(np.arange(6_000_000, dtype=np.uint32).astype(np.uint8).reshape(2500, 2400), tmp_path / "a.html")
    assert (shown["width"], shown["height"]) == (2400, 2500)
    assert sum(shown["counts"]) == 6_000_000
    assert "Shown scaled down to 1027 × 1070 pixels." in text


@pytest.mark.parametrize("shape", [(1, 5000, 3), (5000, 1), (1500, 1500, 4), (1201, 1501, 1), (2, 900_000, 3)])
def test_pictures_are_shown_with_few_pixels(shape):
    image = pictures.small(np.random.default_rng(0).integers(0, 256, shape, np.uint8).reshape(*shape[:2], -1))
    assert image.width * image.height <= pictures.MOST_PIXELS
    assert max(image.size) <= pictures.MOST_ACROSS
    assert len(pictures.data_url(image)) < 2_700_000


def test_long_runs_are_shown_in_few_steps():
    run = Run([np.zeros((1, 1))] * 1001, [0.5] * 1000)
    steps = steps_of(run)
    assert len(steps) <= MOST_STEPS
    assert steps[:4] == [0, 1, 2, 3]
    assert steps[-1] == 1000


# Parts


def test_errors_are_distances(cat):
    quantized = kf.quantize(cat, 4)
    found = errors.measured(cat, quantized)
    distances = np.linalg.norm(cat.astype(float) - quantized.to_array(), axis=2)
    np.testing.assert_array_equal(found.levels, np.minimum(np.floor(distances.astype(np.float32) + 0.5), 255))
    assert found.largest == pytest.approx(distances.max())
    assert found.median == np.sort(found.levels, axis=None)[(found.levels.size - 1) // 2]


def test_a_run_is_put_in_the_order_of_the_palette():
    trace = Trace()
    trace(1, np.array([[1.0], [9.0]]), np.array([[2.0], [8.0]]), 1.0)
    trace(1, np.array([[5.0], [3.0]]), np.array([[7.0], [1.0]]), 4.0)
    trace(2, np.array([[7.0], [1.0]]), np.array([[8.0], [0.0]]), 1.0)
    run = trace.run_to(np.array([[0.0], [8.0]]))
    assert [step.ravel().tolist() for step in run.centroids] == [[3, 5], [1, 7], [0, 8]]
    assert run.shifts == [4.0, 1.0]


def test_a_chart_of_nothing_but_zeros():
    assert "0</text>" in chart.convergence([0.0], 0.0)
    assert chart.convergence([], 0.05) == "<p>No iteration was needed.</p>"


@pytest.mark.parametrize("shifts", [[5.0], [812.5, 30.2, 1.7, 0.0], [1e-9, 1e9], [2.0] * 500])
def test_charts_stay_within_their_frame(shifts):
    drawn = chart.convergence(shifts, 0.05)
    places = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', drawn)
    assert len(places) == len(shifts)
    assert all(0 < float(x) < chart.WIDTH and 0 < float(y) < chart.HEIGHT for x, y in places)
    assert drawn.count("<text") < 25


# What is refused


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((8, "a.png"), {}, ValueError, r"must end in \.html, got 'a\.png'"),
        ((257, "a.html"), {}, ValueError, "at most 256 colours in a report, got 257"),
        ((None, "a.html"), {"init": np.zeros((300, 3))}, ValueError, "at most 256 colours in a report, got 300"),
        ((0, "a.html"), {}, ValueError, "n_colors must be at least 1"),
        ((8, "a.html"), {"quality": 30}, ValueError, "n_colors and quality can't both"),
        ((8, "a.html"), {"title": 3}, TypeError, "title must be a string, got int"),
        ((8, "a.html"), {"callback": 3}, TypeError, "callback"),
        ((8, "a.html"), {"colour": 3}, TypeError, "unexpected keyword argument 'colour'"),
        ((8, "a.html"), {"palette": ["black"]}, ValueError, "n_colors can't be given with palette"),
        ((None, "a.html"), {"palette": ["black"], "sort": "hue"}, ValueError, "sort can't be given with palette"),
        ((8, "none/a.html"), {}, FileNotFoundError, "folder for the output does not exist"),
    ],
)
def test_what_is_refused(cat, tmp_path, monkeypatch, arguments, options, error, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        kf.report(cat, *arguments, **options)
    assert list(tmp_path.iterdir()) == []


def test_files_are_for_read_image(tmp_path):
    with pytest.raises(TypeError, match="read_image makes an array of a file"):
        kf.report(str(kf.sample_path()), 8, tmp_path / "a.html")


# From a file


def test_a_picture_of_a_file(tmp_path, cat):
    source = tmp_path / "cat<b>.png"
    Image.fromarray(cat).save(source)
    written = command.write(source, None, 8, sort="luma")
    page = (tmp_path / "cat<b>-report.html").read_text(encoding="utf-8")
    shown = numbers(page)
    assert shown["title"] == "cat<b>.png"
    assert shown["bytes_before"] == source.stat().st_size
    assert list(shown["seconds"]) == ["read", "count", "cluster", "measure", "draw"]
    assert shown["hex_colors"] == kf.quantize(cat, 8, sort="luma").hex_colors
    assert f"File before</dt><dd>{source.stat().st_size:,} bytes" in page
    assert "451 x 300 pixels, 32,584 colours -> 8" in written.text
    assert written.notes == ()


def test_a_quality_that_is_missed_is_noted(tmp_path):
    written = command.write(kf.sample_path(), tmp_path / "a.html", None, quality=90.0)
    assert written.report.quantized.n_colors == 256
    assert written.notes[-1].startswith("the quality asked for was not reached")


def test_a_colour_profile_is_carried_over(tmp_path, cat):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(cat).save(tmp_path / "cat.png", icc_profile=profile)
    command.write(tmp_path / "cat.png", tmp_path / "a.html", 8)
    images = Parser((tmp_path / "a.html").read_text(encoding="utf-8")).all("img")
    shown = [Image.open(io.BytesIO(base64.b64decode(image["src"].split(",")[1]))) for image in images]
    assert [image.info.get("icc_profile") for image in shown] == [profile, profile, None]


# In a browser

CONTRASTS = """
(() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const linear = (x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = parse(color).map((x) => linear(x / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const color = getComputedStyle(node).backgroundColor;
      if ((parse(color)[3] ?? 1) > 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || ["SCRIPT", "NOSCRIPT", "title"].includes(node.tagName)) continue;
    const style = getComputedStyle(node);
    const ink = node instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [light(ink), light(ground(node))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), walker.currentNode.data.slice(0, 30)]);
  }
  return found;
})()
"""
KEY = {"ArrowRight": 39, "End": 35, "Enter": 13, " ": 32}


def press(browser, key):
    what = {"key": key, "code": key, "windowsVirtualKeyCode": KEY[key]}
    browser.call("Input.dispatchKeyEvent", type="rawKeyDown", **what)
    if key in ("Enter", " "):
        browser.call("Input.dispatchKeyEvent", type="char", text="\r" if key == "Enter" else key)
    browser.call("Input.dispatchKeyEvent", type="keyUp", **what)


def drag(browser, selector, moves):
    x, y = browser.evaluate(
        f"(() => {{ const e = document.querySelector('{selector}'); e.scrollIntoView({{block: 'center'}});"
        "const b = e.getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2] })()"
    )
    mouse = {"button": "left", "buttons": 1, "clickCount": 1}
    browser.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, **mouse)
    for dx, dy in moves:
        browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x + dx, y=y + dy, **mouse)
    browser.call("Input.dispatchMouseEvent", type="mouseReleased", x=x + dx, y=y + dy, **mouse)


def emulate(browser, **features):
    listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    browser.call("Emulation.setEmulatedMedia", features=listed)


@pytest.fixture
def opened(browser, tmp_path, cat):
    """A browser that shows a page."""
    kf.report(cat, 8, tmp_path / "cat.html", title="Cat")
    browser.call("Page.navigate", url=(tmp_path / "cat.html").as_uri())
    browser.wait_for("document.readyState == 'complete' && document.querySelector('#cloud').width > 300")
    browser.wait_for(f"({COLOURED.format(selector='#cloud')})[0] > 1000")
    yield browser
    assert browser.complaints == []


@pytest.mark.browser
def test_the_slider_moves_by_keyboard_and_by_dragging(opened):
    split = "document.querySelector('#compare').style.getPropertyValue('--split')"
    assert opened.evaluate(split) == "50%"
    opened.evaluate("document.querySelector('#split').focus()")
    press(opened, "ArrowRight")
    assert opened.wait_for(f"{split} == '51%'")
    assert (
        opened.evaluate("document.querySelector('#split').getAttribute('aria-valuetext')") == "51 % before, 49 % after"
    )
    press(opened, "End")
    assert opened.wait_for(f"{split} == '100%'")
    drag(opened, "#compare", [(-50, 0), (-100, 3)])
    assert 30 < int(opened.evaluate(split)[:-1]) < 50


@pytest.mark.browser
def test_the_centroids_move_by_steps_and_by_play(opened):
    name = "document.querySelector('#step-name').textContent"
    assert opened.evaluate(name) == "where they began"
    opened.evaluate("document.querySelector('#step').focus()")
    press(opened, "ArrowRight")
    assert opened.wait_for(f"{name} == 'after iteration 1 of 4'")
    assert opened.evaluate("document.querySelector('circle.now').dataset.step") == "1"
    opened.evaluate("document.querySelector('#play').focus()")
    press(opened, "Enter")
    assert opened.evaluate("document.querySelector('#play').textContent") == "Pause"
    assert opened.wait_for(f"{name} == 'the palette: rounded'")
    assert opened.wait_for("document.querySelector('#play').textContent == 'Play'")


@pytest.mark.browser
def test_without_motion_steps_are_whole(opened):
    emulate(opened, prefers_reduced_motion="reduce")
    opened.evaluate("window.seen = []; document.querySelector('#play').click()")
    opened.evaluate("new MutationObserver(() => seen.push(performance.now())).observe("
                    "document.querySelector('#step-name'), {childList: true})")  # fmt: skip
    assert opened.wait_for("seen.length >= 3")
    assert opened.evaluate("seen[2] - seen[1]") > 1000


@pytest.mark.browser
def test_the_cloud_turns_and_shows_clusters(opened):
    picture = "document.querySelector('#cloud').toDataURL()"
    before = opened.evaluate(picture)
    drag(opened, "#cloud", [(20, 0), (60, 10)])
    assert opened.wait_for(f"{picture}.length > 0 && document.querySelector('#turn').value != '-35'")
    turned = opened.evaluate(f"new Promise(done => requestAnimationFrame(() => setTimeout(() => done({picture}), 50)))")
    assert turned != before
    opened.evaluate("document.querySelector('#by-cluster').click()")
    opened.wait_for(f"{picture} != {json.dumps(turned)}")


@pytest.mark.browser
def test_values_are_copied(opened):
    opened.evaluate("window.copied = []; navigator.clipboard.writeText = async (text) => copied.push(text)")
    opened.evaluate("document.querySelector('[data-copy]').click()")
    opened.evaluate("document.querySelector('#format').value = 'css'; document.querySelector('#copy-all').click()")
    first, everything = opened.wait_for("copied.length == 2 && copied")
    assert re.fullmatch(r"#[0-9a-f]{6}", first)
    assert everything.splitlines()[0] == f"--color-1: {first};"
    assert opened.wait_for("document.querySelector('#copied').textContent") == "Copied 8 values."


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_are_readable(opened, scheme, tmp_path):
    """WCAG 2.2, 1.4.3: a contrast of at least 4.5."""
    emulate(opened, prefers_color_scheme=scheme)
    opened.evaluate("document.querySelector('details').open = true")
    contrasts = opened.evaluate(CONTRASTS)
    assert len(contrasts) > 80
    assert [found for found in contrasts if found[0] < 4.5] == []
    opened.screenshot(Path(os.environ.get("KMEANS_FAST_SCREENSHOTS", tmp_path)) / f"report-{scheme}.png")


@pytest.mark.browser
def test_it_fits_on_a_telephone(opened):
    opened.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
    assert opened.wait_for("document.documentElement.clientWidth == 360")
    assert opened.evaluate("document.documentElement.scrollWidth") <= 360
    assert (
        opened.evaluate("Array.from(document.querySelectorAll('.scroll'), e => e.scrollWidth - e.clientWidth)")[0] == 0
    )
    sizes = "Array.from(document.querySelectorAll('svg text'), e => e.getBoundingClientRect().height)"
    assert min(opened.evaluate(sizes)) >= 10


@pytest.mark.parametrize(
    ("options", "n_colors", "status"),
    [(["-k", "5"], 5, 0), (["--palette", "#ff8000,white"], 2, 0), (["-q", "90"], 256, 99)],
)
def test_the_command_line(tmp_path, capsys, options, n_colors, status):
    path = tmp_path / "a page.html"
    assert cli.main(["report", str(kf.sample_path()), "-o", str(path), "--dither", "bayer", *options]) == status
    assert f"-> {path}" in capsys.readouterr().out
    assert len(numbers(path.read_text(encoding="utf-8"))["hex_colors"]) == n_colors
