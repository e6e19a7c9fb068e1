"""How many processors this process may keep busy: what it was told, and what the system lets it have.

A container's share of the processors is a quota of its control group, which neither the count of processors nor the
affinity shows: with more threads than that all of them are stopped for most of each period (xgboost#7653).

References
----------
.. [1] "Control Group v2", Documentation/admin-guide/cgroup-v2.rst, and "CFS Bandwidth Control",
   Documentation/scheduler/sched-bwc.rst, of the Linux kernel.
.. [2] proc(5) and cgroups(7) of the Linux man-pages, for /proc/self/mountinfo and /proc/self/cgroup.
"""

import math
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

# Other libraries' settings, of which the least counts beside what the system says; ours goes before all of them.
SETTINGS_OF_OTHERS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
OUR_SETTING = "KMEANS_FAST_NUM_THREADS"


def available_threads() -> int:
    """Return the default number of threads.

    ``KMEANS_FAST_NUM_THREADS`` says it. Otherwise it is the least of the processors in the process's affinity, its
    control groups' quota, ``OMP_NUM_THREADS`` and ``NUMBA_NUM_THREADS``.

    Raises
    ------
    ValueError
        If ``KMEANS_FAST_NUM_THREADS`` is no positive integer. The others' settings are for the others to complain of.
    """
    setting = os.environ.get(OUR_SETTING, "").strip()
    if setting:
        if not setting.isdecimal() or int(setting) < 1:
            raise ValueError(f"{OUR_SETTING} must be a positive integer, got {setting!r}")
        return int(setting)
    limits = [_processors(), *_settings_of_others()]
    quota = cpu_quota()
    if quota is not None:
        limits.append(max(1, math.ceil(quota)))
    return min(limits)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _settings_of_others() -> Iterator[int]:
    for name in SETTINGS_OF_OTHERS:
        first_level = os.environ.get(name, "").split(",")[0].strip()  # OpenMP takes a list: 4,2 is for nested regions
        number = _number(first_level)
        if number:
            yield number


@cache
def cpu_quota(root: Path = Path("/")) -> float | None:
    """Return how many processors' time the control groups grant this process, or None if they don't limit it.

    Of a group and those that it is part of the strictest counts. Looked up once in a process, as it takes a dozen
    files. `root` is where the system's files are.
    """
    quotas = [quota for folder in _group_folders(root) if (quota := _quota_of(folder)) is not None]
    return min(quotas, default=None)


def _group_folders(root: Path) -> Iterator[Path]:
    """Find the folders of this process's groups, each followed by those that it is in."""
    groups = dict(_groups(root))
    for controller, mounted, place in _mounts(root):
        if controller in groups:
            yield from _ancestors(root / place.lstrip("/"), PurePosixPath(mounted), PurePosixPath(groups[controller]))


def _mounts(root: Path) -> Iterator[tuple[str, str, str]]:
    """Yield where the groups of processors are mounted: controller as in `_groups`, the part mounted, and the place.

    What isn't as proc(5) has it is left out: to others' mounts, of any kind, we are strangers.
    """
    for line in _lines(root / "proc/self/mountinfo"):
        mount, _, filesystem = line.partition(" - ")
        # ID, parent, device, the part mounted, the place, options, and more; then kind, source, options. One blank
        # parts two of them, so two blanks say that one is empty, as a source can be.
        before, after = mount.split(" "), filesystem.split(" ")
        if len(before) < 6 or len(after) != 3:
            continue
        kind, _, options = after
        if kind == "cgroup2":
            yield "", _unescape(before[3]), _unescape(before[4])
        elif kind == "cgroup" and "cpu" in options.split(","):
            yield "cpu", _unescape(before[3]), _unescape(before[4])


def _unescape(path: str) -> str:
    r"""Undo how the kernel writes what would break a line: a blank is \040."""
    return re.sub(r"\\([0-3][0-7]{2})", lambda match: chr(int(match[1], 8)), path)


def _groups(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the group of each controller of version 1, and of version 2 that of ""."""
    for line in _lines(root / "proc/self/cgroup"):
        _, *controllers_and_group = line.split(":", 2)
        if len(controllers_and_group) == 2:
            controllers, group = controllers_and_group
            for controller in controllers.split(","):
                yield controller, group


def _ancestors(place: Path, mounted: PurePosixPath, group: PurePosixPath) -> Iterator[Path]:
    # In a container the path may be the host's, of which only the container's own part is mounted, or begins with "..".
    inside = group.relative_to(mounted) if group.is_relative_to(mounted) else PurePosixPath()
    folder = place / inside
    yield folder
    while folder != place:
        folder = folder.parent
        yield folder


def _quota_of(folder: Path) -> float | None:
    """Read a group's quota: "max 100000" or "150000 100000" in version 2, two files in version 1, −1 for no limit."""
    text = _text(folder / "cpu.max") or f"{_text(folder / 'cpu.cfs_quota_us')} {_text(folder / 'cpu.cfs_period_us')}"
    quota, period = map(_number, text.strip().partition(" ")[::2])
    return quota / period if quota is not None and period else None


def _number(text: str) -> int | None:
    """Return what a natural number says, if it is one, of 18 digits at most: so it fits in 64 bits."""
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None


def _lines(path: Path) -> list[str]:
    return _text(path).split("\n")


def _text(path: Path) -> str:
    """Return a file's text without the white space at its ends, or "" if it isn't there for us."""
    try:
        return os.fsdecode(path.read_bytes()).strip()  # names of folders are in it
    except (OSError, ValueError):  # the second if what should be a path can't be one
        return ""
