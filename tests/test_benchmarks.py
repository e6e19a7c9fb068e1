"""The benchmarks run, ask for what they should, and asv makes a page of their results that a browser can show.

Each is called once here, on pictures a tenth as large; nothing is timed. The page is tested by ``pytest -m browser``,
with Chromium, npm and asv.
"""

import http.server
import importlib
import importlib.util
import inspect
import itertools
import json
import math
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from chromium import COLOURED

from kmeans_fast.engines import obstacles

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "asv_benchmarks"
STAGES = (
    "histogram", "seeding", "lloyd", "labels", "kmeans", "quantize", "dense", "files", "startup", "memory", "rivals",
)  # fmt: skip
KINDS = ("time", "timeraw", "peakmem", "track")
RIVALS = ("textbook", "scikit-learn", "faiss", "opencv")
SIZES = {0.1, 1, 6, 16}
CLUSTERS = {8, 16, 64, 256}


# The benchmarks, called once


def load_suite():
    """Import the benchmarks, as the package `suite`; return {stage: module}."""
    folder = FOLDER / "benchmarks"
    spec = importlib.util.spec_from_file_location(
        "suite", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    sys.modules["suite"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["suite"])
    common = importlib.import_module("suite.common")
    photo, float_points = common.photo, common.float_points
    common.photo = lambda megapixels: photo(megapixels / 10)
    common.float_points = lambda n_points, *n_features: float_points(n_points // 10, *n_features)
    folders = sys.path.copy()  # `rivals` adds one
    suite = {stage: importlib.import_module(f"suite.{stage}") for stage in STAGES}
    sys.path[:] = folders
    return suite


SUITE = load_suite()


def benchmark_classes():
    for module in SUITE.values():
        for name, found in vars(module).items():
            if inspect.isclass(found) and found.__module__ == module.__name__ and not name.startswith("_"):
                yield found


def parameters(benchmark):
    """Return {name: values} as asv reads them: lists or tuples of values, or one of values for a single parameter."""
    params = getattr(benchmark, "params", [])
    if params and not isinstance(params[0], (list, tuple)):
        params = [params]
    return dict(zip(getattr(benchmark, "param_names", ()), params, strict=True))


def least(values):
    """Return the smallest number alone, but every name."""
    numbers = [value for value in values if not isinstance(value, str)]
    return [min(numbers)] if numbers else values


def functions(benchmark):
    return [name for name in dir(benchmark) if name.startswith(tuple(f"{kind}_" for kind in KINDS))]


CASES = [
    pytest.param(benchmark, params, id=f"{benchmark.__module__[6:]}.{benchmark.__name__}{list(params) or ''}")
    for benchmark in benchmark_classes()
    for params in itertools.product(*map(least, parameters(benchmark).values()))
]


@pytest.mark.skipif(not obstacles.numba_is_installed(), reason="the benchmarks are made for Numba's engine")
@pytest.mark.filterwarnings("default")  # rivals' warnings aren't ours
@pytest.mark.parametrize(("benchmark", "params"), CASES)
def test_each_benchmark_runs(benchmark, params, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # asv, too, gives them a folder of their own
    for name in SUITE["rivals"].PINNED:  # so that they are as before afterwards
        monkeypatch.setenv(name, "2")
    instance = benchmark()
    if hasattr(instance, "setup_cache"):
        instance.setup_cache()
    try:
        getattr(instance, "setup", lambda *_: None)(*params)
    except NotImplementedError as error:
        # only rivals may be missing at this commit
        if "rivals" in benchmark.__module__:
            pytest.skip(str(error))
        raise
    try:
        for name in functions(benchmark):
            result = getattr(instance, name)(*params)
            if name.startswith("track_"):
                assert math.isfinite(result)
            if name.startswith("timeraw_"):  # code, which asv will run
                for code in (result,) if isinstance(result, str) else result:
                    compile(code, name, "exec")
    finally:
        getattr(instance, "teardown", lambda *_: None)(*params)


# The suite


def test_there_is_one_file_a_stage():
    found = {path.stem for path in (FOLDER / "benchmarks").glob("*.py")}
    assert found == {*STAGES, "common", "__init__"}
    for stage, module in SUITE.items():
        assert any(benchmark.__module__ == module.__name__ for benchmark in benchmark_classes()), stage


def test_all_kinds_are_there():
    names = [name for benchmark in benchmark_classes() for name in functions(benchmark)]
    for kind in KINDS:
        assert any(name.startswith(f"{kind}_") for name in names), kind
    for what in ("inertia_a_pixel", "psnr", "iterations", "bytes", "ns_a_pixel"):
        assert f"track_{what}" in names


def test_memory_is_beside_a_reference():
    for benchmark in benchmark_classes():
        names = functions(benchmark)
        if any(name.startswith("peakmem_") for name in names):
            assert "peakmem_reference" in names


def test_all_sizes_and_numbers_of_clusters_are_there():
    def all_values(*names):
        return {value for c in benchmark_classes() for name in names for value in parameters(c).get(name, ())}

    assert all_values("megapixels") == SIZES
    assert all_values("n_clusters") == CLUSTERS
    assert all_values("n_colors") == CLUSTERS


def test_the_implementation_is_a_parameter():
    assert parameters(SUITE["rivals"].Dense)["implementation"] == [*RIVALS, "kmeans_fast"]


def test_what_is_timed_is_warmed_up():
    for benchmark in benchmark_classes():
        if any(name.startswith("time_") for name in functions(benchmark)):
            assert benchmark.warmup_time == 0
            assert benchmark.number == 1


def test_the_configuration_is_plain_json_and_names_what_exists():
    config = json.loads((FOLDER / "asv.conf.json").read_text(encoding="utf-8"))  # fails at comments
    assert (FOLDER / config["benchmark_dir"] / "__init__.py").is_file()
    assert (FOLDER / config["repo"]).resolve() == ROOT
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    for made in ("env_dir", "html_dir"):
        assert f"/{FOLDER.name}/{config[made]}/" in ignored


def test_compiling_may_take_a_minute_in_each_process_of_a_benchmark():
    """Three times what it takes on a slow machine: one benchmark at a time compiles, and loads it, in so many."""
    config = json.loads((FOLDER / "asv.conf.json").read_text(encoding="utf-8"))
    for benchmark in benchmark_classes():
        processes = benchmark.repeat if any("timeraw" in name for name in functions(benchmark)) else 1
        assert getattr(benchmark, "timeout", config["default_benchmark_timeout"]) >= 60 * (processes + 1)


def test_only_results_of_one_machine_are_kept():
    folder = FOLDER / "results"
    kept, *others = sorted(path.parent.name for path in folder.glob("*/machine.json") if not is_ignored(path))
    assert not others
    assert is_ignored(folder / "a machine of one's own" / "machine.json")
    assert not is_ignored(folder / kept / "a-commit.json")


def is_ignored(path):
    status = subprocess.run(
        [shutil.which("git") or "git", "-C", str(ROOT), "check-ignore", "--quiet", str(path)]
    ).returncode
    if status == 128:
        pytest.skip("not a clone of the repository")
    return status == 0


# The page

# asv's page loads these from the web. Served from here, it can be seen without. The right column is npm's.
SCRIPTS = {
    "jquery-3.3.1.min.js": ("jquery@3.3.1", "dist/jquery.min.js"),
    "jquery.flot.min.js": ("flot@0.8.3", "jquery.flot.js"),
    "jquery.flot.time.min.js": ("flot@0.8.3", "jquery.flot.time.js"),
    "jquery.flot.selection.min.js": ("flot@0.8.3", "jquery.flot.selection.js"),
    "jquery.flot.categories.min.js": ("flot@0.8.3", "jquery.flot.categories.js"),
    "jquery.flot.orderBars.js": ("flot-orderbars@1.0.0", "js/jquery.flot.orderBars.js"),
    "stupidtable.min.js": ("stupid-table-plugin@1.1.3", "stupidtable.min.js"),
    "md5.min.js": ("blueimp-md5@2.19.0", "js/md5.min.js"),
    "bootstrap.min.js": ("bootstrap@3.1.1", "dist/js/bootstrap.min.js"),
    "bootstrap.min.css": ("bootstrap@3.1.1", "dist/css/bootstrap.min.css"),
}


@pytest.fixture(scope="module")
def scripts(request):
    """The folder of npm's packages with what the page loads."""
    folder = request.config.cache.mkdir("asv-page")
    packages = sorted({package for package, _ in SCRIPTS.values()})
    if not (folder / "node_modules").is_dir():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm, which brings the page's scripts, isn't installed")
        (folder / "package.json").write_text("{}")
        command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages]
        if subprocess.run(command, cwd=folder, capture_output=True).returncode:
            pytest.skip("npm can't bring the page's scripts")
    return folder / "node_modules"


def run_asv(folder, *arguments):
    home = folder / "home"  # asv keeps what it knows about a machine there
    home.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "asv", "--config", str(folder / "asv.conf.json"), *arguments]
    environment = {**os.environ, "HOME": str(home)}
    finished = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.fixture(scope="module")
def page(tmp_path_factory, scripts):
    """The folder of the page that asv makes of what has been recorded, with the scripts beside it."""
    if importlib.util.find_spec("asv") is None:
        pytest.skip("asv isn't installed")
    folder = tmp_path_factory.mktemp("asv")
    config = json.loads((FOLDER / "asv.conf.json").read_text(encoding="utf-8"))
    config |= {
        "repo": str(ROOT),
        "benchmark_dir": str(FOLDER / config["benchmark_dir"]),
        "results_dir": str(FOLDER / config["results_dir"]),
        "html_dir": str(folder / "html"),
        "env_dir": str(folder / "env"),
    }
    (folder / "asv.conf.json").write_text(json.dumps(config))
    run_asv(folder, "machine", "--yes")
    run_asv(folder, "publish")
    load_from_here(folder / "html", scripts)
    return folder / "html"


def load_from_here(html, scripts):
    """Let a page load its scripts from its own folder."""
    index = html / "index.html"
    text = re.sub(r' (integrity|crossorigin|referrerpolicy)="[^"]*"', "", index.read_text(encoding="utf-8"))
    found = re.findall(r'"(https://[^"]*/([^"/]*\.(?:js|css)))"', text)
    assert {name for _, name in found} == set(SCRIPTS), "asv's page loads other scripts than this test knows of"
    for address, name in found:
        package, path = SCRIPTS[name]
        shutil.copy(scripts / package.split("@")[0] / path, html / name)
        text = text.replace(address, name)
    index.write_text(text, encoding="utf-8")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(page):
    """Where the page is served."""
    with http.server.ThreadingHTTPServer(("localhost", 0), partial(QuietHandler, directory=page)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def summaries(page):
    """Return {name: values}, oldest first, with None for no result; and the names of benchmarks without any."""
    names = json.loads((page / "index.json").read_text(encoding="utf-8"))["benchmarks"]
    paths = {name: page / "graphs" / "summary" / f"{name}.json" for name in names}
    read = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()}
    return {name: [y for _, y in points] for name, points in read.items()}, [name for name in names if name not in read]


def has_a_line(values):
    """Whether two neighbours have results: one alone is not drawn."""
    return any(None not in pair for pair in itertools.pairwise(values))


@pytest.mark.browser
def test_the_page_draws_its_graphs_and_complains_of_nothing(address, page, browser, tmp_path):
    with_results, without = summaries(page)
    drawn = [name for name, values in with_results.items() if has_a_line(values)]
    assert drawn
    pictures = Path(os.environ.get("KMEANS_FAST_SCREENSHOTS", tmp_path))

    browser.call("Page.navigate", url=address)
    plots = "#summarygrid-display .benchmark-plot"
    n_plots = browser.wait_for(f"document.querySelectorAll({plots!r}).length")
    assert n_plots == len(with_results) + len(without)
    browser.wait_for("document.readyState == 'complete'")
    for step in range(browser.evaluate("document.documentElement.scrollHeight / 500 | 0") + 1):
        browser.evaluate(f"window.scrollTo(0, {500 * step})")  # each is drawn when it comes into view
        time.sleep(0.05)
    browser.wait_for(f"document.querySelectorAll('{plots} canvas.flot-base').length == {len(with_results)}")
    for name in drawn:
        selector = f"[id='summarygrid-{name}'] canvas.flot-base"
        assert browser.evaluate(COLOURED.format(selector=selector))[0] > 20, name
    browser.evaluate("window.scrollTo(0, 0)")
    browser.screenshot(pictures / "grid.png")

    for name in {drawn[0], drawn[-1]}:
        browser.evaluate(f"window.location.hash = {'#' + name!r}")
        browser.wait_for(f"document.querySelector('#title').textContent.includes({name!r})")
        coloured = COLOURED.format(selector="#main-graph canvas.flot-base")
        assert browser.wait_for(f"({coloured})[0] > 50")
        browser.screenshot(pictures / f"{name}.png")

    browser.evaluate("window.location.hash = '#/regressions'")
    assert browser.wait_for("$('#regressions-body').is(':visible') && $('#regressions-body').text().trim()")
    browser.screenshot(pictures / "regressions.png")

    # the page asks for the graphs of benchmarks without results too, in vain
    asked_in_vain = [f"/graphs/summary/{name}.json" for name in without]
    assert [said for said in browser.complaints if not any(path in str(said) for path in asked_in_vain)] == []
