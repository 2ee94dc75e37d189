"""Cores and memory that this process may use: the machine's, limited by its control groups.

Container limits are in the files of control groups, version 1 or 2. Python 3.13's
`os.process_cpu_count` counts the cores of the affinity mask, as `cores` does first, and ignores
quotas.
"""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/")


def cores(root: Path = ROOT) -> int:
    """Count the cores the process may keep busy at a time, at least one.

    A quota of one and a half cores is one: with two threads, both would be throttled for a part of
    every period.

    Args:
        root: root folder of the files that are read; tests pass another.
    """
    quotas = (_quota(folder) for folder in _groups(root, "cpu"))
    allowed = [len(os.sched_getaffinity(0)), *(quota for quota in quotas if quota is not None)]
    return max(1, int(min(allowed)))


def memory(root: Path = ROOT) -> int:
    """Bytes of memory the process may use.

    Args:
        root: root folder of the files that are read; tests pass another.
    """
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    names = ("memory.max", "memory.limit_in_bytes")
    texts = (_read(folder / name) for folder in _groups(root, "memory") for name in names)
    return min([machine, *(int(text) for text in texts if text.isdigit())])


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's control groups, each followed by its parents.

    A container may not see the path of its group on the machine; its own group is then the
    outermost folder.
    """
    mounted = root / "sys" / "fs" / "cgroup"
    yield mounted
    for line in _read(root / "proc" / "self" / "cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        top = mounted / controllers if controllers else mounted
        group = PurePosixPath(path.lstrip("/"))
        if ".." not in group.parts:
            yield from (top / one for one in (group, *group.parents))
        yield top


def _quota(folder: Path) -> float | None:
    """Read how many cores a control group's quota allows; None without a quota."""
    quota, _, period = _read(folder / "cpu.max").partition(" ")
    if not quota:
        quota = _read(folder / "cpu.cfs_quota_us")
        period = _read(folder / "cpu.cfs_period_us")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:
        return ""
