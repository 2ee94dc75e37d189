"""Quotas: the cores and the memory that this process may use, by the machine and its control group.

A container's limits are in files of control groups, version 1 or 2. `os.process_cpu_count` of
Python 3.13 counts the cores a process may run on, as `cores` does first, and knows no quota.
"""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/")


def cores(root: Path = ROOT) -> int:
    """Cores that may be kept busy at a time, at least one.

    A quota of one and a half is one: with two threads all would stand still for a part of every
    period.

    Args:
        root: folder of the files that say so.
    """
    quotas = (_quota(folder) for folder in _groups(root, "cpu"))
    allowed = [len(os.sched_getaffinity(0)), *(quota for quota in quotas if quota is not None)]
    return max(1, int(min(allowed)))


def memory(root: Path = ROOT) -> int:
    """Bytes that may be used.

    Args:
        root: folder of the files that say so.
    """
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    names = ("memory.max", "memory.limit_in_bytes")
    texts = (_read(folder / name) for folder in _groups(root, "memory") for name in names)
    return min([machine, *(int(text) for text in texts if text.isdigit())])


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process' control groups, each with those it is in.

    Where a container does not see where it is in its machine's groups, its own is the outermost.
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
    """Cores by the quota of a control group, if it has one."""
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
