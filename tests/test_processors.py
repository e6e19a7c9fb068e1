"""The default number of threads: settings, affinity, and the quotas of control groups, from the system's files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kmeans_fast as kf
from kmeans_fast.machine import processors
from kmeans_fast.machine.processors import available_threads, cpu_quota

V1 = "31 23 0:28 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct"
V2 = "41 31 0:38 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in (processors.OUR_SETTING, *processors.SETTINGS_OF_OTHERS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(processors, "_processors", lambda: 64)
    monkeypatch.setattr(processors, "cpu_quota", lambda: None)


def make_system(root, groups, mounts, files):
    """Write what a process finds: its groups, what is mounted where, and files of quotas."""
    files = {"proc/self/cgroup": "\n".join(groups) + "\n", "proc/self/mountinfo": "\n".join(mounts) + "\n", **files}
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("200000 100000\n", 2), ("150000 100000\n", 1.5), ("5000 100000\n", 0.05), ("max 100000\n", None), ("", None)],
)
def test_version_2(tmp_path, quota, expected):
    make_system(tmp_path, ["0::/app"], [V2], {"sys/fs/cgroup/app/cpu.max": quota})
    assert cpu_quota(tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [("250000\n", 2.5), ("-1\n", None), ("", None)])
def test_version_1(tmp_path, quota, expected):
    folder = "sys/fs/cgroup/cpu,cpuacct/app"
    files = {f"{folder}/cpu.cfs_quota_us": quota, f"{folder}/cpu.cfs_period_us": "100000\n"}
    make_system(tmp_path, ["4:memory:/elsewhere", "1:cpu,cpuacct:/app", "0::/"], [V1], files)
    assert cpu_quota(tmp_path) == expected


def test_the_strictest_of_the_groups_above_counts(tmp_path):
    files = {
        "sys/fs/cgroup/cpu.max": "100000 100000",
        "sys/fs/cgroup/a/cpu.max": "800000 100000",
        "sys/fs/cgroup/a/b/cpu.max": "max 100000",
    }
    make_system(tmp_path, ["0::/a/b"], [V2], files)
    assert cpu_quota(tmp_path) == 1


def test_a_group_beside_is_not_ours(tmp_path):
    make_system(tmp_path, ["0::/a"], [V2], {"sys/fs/cgroup/b/cpu.max": "100000 100000"})
    assert cpu_quota(tmp_path) is None


def test_a_container_that_sees_the_hosts_path(tmp_path):
    """Only the container's own part of the hierarchy is mounted, and the path in it may be the whole one, or not."""
    mount = V1.replace(" / /sys", " /docker/abc /sys")
    folder = "sys/fs/cgroup/cpu,cpuacct"
    files = {f"{folder}/cpu.cfs_quota_us": "300000", f"{folder}/cpu.cfs_period_us": "100000"}
    for number, group in enumerate(["/docker/abc", "/docker/abc/inner", "/", "/../elsewhere"]):
        root = tmp_path / str(number)
        make_system(root, [f"1:cpu,cpuacct:{group}"], [mount], files)
        assert cpu_quota(root) == 3


def test_both_versions_at_once(tmp_path):
    files = {
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "700000",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/unified/cpu.max": "600000 100000",
    }
    make_system(tmp_path, ["1:cpu,cpuacct:/", "0::/"], [V1, V2.replace("/cgroup rw", "/cgroup/unified rw")], files)
    assert cpu_quota(tmp_path) == 6


def test_a_system_without_control_groups(tmp_path):
    assert cpu_quota(tmp_path) is None


# As proc(5) shows it, and others: an empty source, blanks in names, no optional field, several of them.
OTHER_MOUNTS = [
    "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue",
    "37 35 0:40 / /run rw,nosuid - tmpfs  rw,size=1024k",
    "38 35 0:41 /a\\040b /mnt/a\\040-\\040b rw shared:1 master:2 - fuse.x a\\040b rw",
]
DAMAGED = [
    "",
    " ",
    "-",
    " - ",
    "41 31 0:38",
    "41 31 0:38 / - cgroup2",
    "- cgroup2 cgroup2 rw",
    "no lines at all",
    "\0",
    ":",
]


@pytest.mark.parametrize("line", OTHER_MOUNTS + DAMAGED)
def test_lines_of_others_and_damaged_ones_are_passed_over(tmp_path, line):
    files = {"sys/fs/cgroup/app/cpu.max": "200000 100000"}
    make_system(tmp_path, [line, "0::/app", line], [line, V2, line], files)
    assert cpu_quota(tmp_path) == 2


@pytest.mark.parametrize(
    ("mount", "folder"),
    [
        (V2.replace("cgroup2 cgroup2", "cgroup2 "), "sys/fs/cgroup"),
        (V2.replace("rw,nosuid", "rw,nosuid shared:4 master:2"), "sys/fs/cgroup"),
        (V2.replace("/sys/fs/cgroup", r"/mnt/a\040b\134c"), "mnt/a b\\c"),
    ],
    ids=["empty source", "optional fields", "escaped"],
)
def test_mounts_of_groups_as_the_manual_has_them(tmp_path, mount, folder):
    make_system(tmp_path, ["0::/app:x"], [mount], {f"{folder}/app:x/cpu.max": "200000 100000"})
    assert cpu_quota(tmp_path) == 2


PIECES = [
    "0",
    "41",
    "0:38",
    "/",
    "/app",
    "..",
    "/sys/fs/cgroup",
    "-",
    " ",
    "  ",
    "\t",
    "\n",
    ":",
    "::",
    ",",
    "\\040",
    "\\000",
]
PIECES += [
    "cgroup",
    "cgroup2",
    "cpu",
    "max",
    "rw",
    "-1",
    "9" * 5000,
    "100000",
    "1e5",
    "²",
    "\0",
    "é",
    "\x85",
    "\u2028",
    "\udc80",
]
texts = st.lists(st.sampled_from([*PIECES, V1, V2, "0::/app\n", "1:cpu:/app\n"]) | st.text(max_size=5)).map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=texts, mounts=texts, cpu_max=texts, cfs=texts)
def test_no_file_of_the_systems_can_raise(tmp_path, groups, mounts, cpu_max, cfs):
    """Nor hang, nor grant less than nothing."""
    files = {"proc/self/cgroup": groups, "proc/self/mountinfo": mounts, "sys/fs/cgroup/cpu.max": cpu_max}
    files |= {f"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_{name}_us": cfs for name in ("quota", "period")}
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
    quota = cpu_quota.__wrapped__(tmp_path)
    assert quota is None or 0 <= quota < 1e18


@pytest.mark.parametrize(
    ("quota", "settings", "expected"),
    [
        (None, {}, 64),
        (2.5, {}, 3),
        (0.05, {}, 1),
        (8.0, {"OMP_NUM_THREADS": "3"}, 3),
        (8.0, {"OMP_NUM_THREADS": "12", "NUMBA_NUM_THREADS": "10"}, 8),
        (None, {"NUMBA_NUM_THREADS": "2"}, 2),
        (None, {"OMP_NUM_THREADS": "4,2"}, 4),
        (None, {"OMP_NUM_THREADS": "many", "NUMBA_NUM_THREADS": "0"}, 64),
        (None, {"OMP_NUM_THREADS": "9" * 5000}, 64),
        (2.0, {"KMEANS_FAST_NUM_THREADS": "5", "OMP_NUM_THREADS": "1"}, 5),
    ],
)
def test_the_least_of_all_limits_counts_and_our_own_setting_before_all(monkeypatch, quota, settings, expected):
    monkeypatch.setattr(processors, "cpu_quota", lambda: quota)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert available_threads() == expected


@pytest.mark.parametrize("setting", ["0", "-1", "two", "1.5"])
def test_a_setting_that_is_no_number(monkeypatch, setting):
    monkeypatch.setenv("KMEANS_FAST_NUM_THREADS", setting)
    with pytest.raises(ValueError, match=f"KMEANS_FAST_NUM_THREADS must be a positive integer, got '{setting}'"):
        available_threads()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_affinity_is_respected():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from kmeans_fast.machine.processors import available_threads; print(available_threads())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_calls_use_no_more_threads_than_that(monkeypatch, cat):
    """A call takes what it's given by default, however much work there is."""
    used = []
    monkeypatch.setattr("kmeans_fast.lending.available_threads", lambda: 3)
    monkeypatch.setattr("kmeans_fast.machine.threads.Workers.__init__", note_threads(used))
    kf.kmeans(cat.repeat(3, axis=0), 3, algorithm="dense", init=cat[0, :3], max_iter=1)
    assert used == [3]


def note_threads(used):
    def initialize(self, n_threads, helpers):
        used.append(n_threads)
        self.n_threads, self.stopping, self._helpers = n_threads, False, helpers

    return initialize


CPU_GROUPS = Path("/sys/fs/cgroup/cpu")


@pytest.mark.skipif(
    not (os.access(CPU_GROUPS, os.W_OK) and (CPU_GROUPS / "cpu.cfs_quota_us").exists()),
    reason="making a real control group needs version 1 and the right to",
)
def test_a_real_control_group():
    group = CPU_GROUPS / f"kmeans_fast-{os.getpid()}"
    group.mkdir()
    try:
        (group / "cpu.cfs_quota_us").write_text("100000")
        code = (
            f"import os; open('{group}/tasks', 'w').write(str(os.getpid()));"
            "from kmeans_fast.machine.processors import available_threads; print(available_threads())"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "1"
    finally:
        group.rmdir()
