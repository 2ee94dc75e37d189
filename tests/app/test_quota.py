"""Quotas: the least that any control group of a process allows, in either version of them."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.quota import cores, memory

OWN = len(os.sched_getaffinity(0))
MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
MOUNTED = "sys/fs/cgroup"
SECOND = "0::/kubepods/pod7/one\n"
FIRST = "4:memory:/docker/7\n3:cpuset:/docker/7\n1:cpu,cpuacct:/docker/7\n0::/\n"


def tree(root: Path, files: dict[str, str]) -> Path:
    """A folder that has some files."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of eight cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8))


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("groups", "files", "wanted"),
    [
        ("", {}, 8),
        ("0::/\n", {"cpu.max": "max 100000"}, 8),
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "150000 100000"}, 1),
        ("0::/\n", {"cpu.max": "50000 100000"}, 1),
        ("0::/\n", {"cpu.max": "1600000 100000"}, 8),
        # What is not known is no quota.
        ("0::/\n", {"cpu.max": "few"}, 8),
        # Where the files are the container's own though the path is the machine's.
        (SECOND, {"cpu.max": "300000 100000"}, 3),
        ("0::/../../pod7\n", {"cpu.max": "300000 100000"}, 3),
        # The least of all that one is in.
        (SECOND, {"kubepods/cpu.max": "400000 100000"}, 4),
        (SECOND, {"kubepods/pod7/one/cpu.max": "max 100000", "kubepods/cpu.max": "90 30"}, 3),
        (SECOND, {"kubepods/pod7/one/cpu.max": "20 10", "kubepods/cpu.max": "90 30"}, 2),
        (SECOND, {"kubepods/pod7/two/cpu.max": "20 10"}, 8),
        (FIRST, {"cpu,cpuacct/docker/7/cpu.cfs_quota_us": "-1"}, 8),
        (
            FIRST,
            {
                "cpu,cpuacct/docker/7/cpu.cfs_quota_us": "250000",
                "cpu,cpuacct/docker/7/cpu.cfs_period_us": "50000",
            },
            5,
        ),
        (
            FIRST,
            {
                "cpu,cpuacct/cpu.cfs_quota_us": "600000",
                "cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            6,
        ),
    ],
)
def test_the_least_quota_holds(
    tmp_path: Path, groups: str, files: dict[str, str], wanted: int
) -> None:
    """Whole cores, rounded down, at least one; never more than the process may run on."""
    placed = {f"{MOUNTED}/{name}": text for name, text in files.items()}
    assert wanted == cores(tree(tmp_path, {"proc/self/cgroup": groups, **placed}))


@given(st.integers(1, 10**9), st.integers(1_000, 10**6))
def test_a_quota_is_never_exceeded(
    tmp_path_factory: pytest.TempPathFactory, quota: int, period: int
) -> None:
    """Whatever it is."""
    files = {"proc/self/cgroup": "0::/\n", f"{MOUNTED}/cpu.max": f"{quota} {period}"}
    found = cores(tree(tmp_path_factory.mktemp("root"), files))
    assert 1 <= found <= OWN
    assert found == 1 or found * period <= quota
    assert found == OWN or (found + 1) * period > quota


@pytest.mark.parametrize(
    ("groups", "name", "text", "wanted"),
    [
        ("0::/\n", "memory.max", "max", MACHINE),
        ("0::/\n", "memory.max", "1048576", 1 << 20),
        (SECOND, "kubepods/pod7/memory.max", "1048576", 1 << 20),
        (FIRST, "memory/docker/7/memory.limit_in_bytes", "1048576", 1 << 20),
        (FIRST, "memory/docker/8/memory.limit_in_bytes", "1048576", MACHINE),
        (FIRST, "memory/memory.limit_in_bytes", "9223372036854771712", MACHINE),
    ],
)
def test_the_least_memory_holds(
    tmp_path: Path, groups: str, name: str, text: str, wanted: int
) -> None:
    """The machine's own, or less."""
    files = {"proc/self/cgroup": groups, f"{MOUNTED}/{name}": text}
    assert wanted == memory(tree(tmp_path, files))


def test_this_machine_has_some() -> None:
    """Whatever its groups say."""
    assert 1 <= cores() <= OWN
    assert 1 << 20 < memory() <= MACHINE
