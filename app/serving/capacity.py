"""How much may wait: what the memory holds."""

import os
from pathlib import Path

SHARE = 4
"""The memory is so many times that of what waits."""
BYTES = 512
"""Of a waiting row × pass. A request of one block of 50 passes takes the most for its work."""
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def capacity(memory: int) -> int:
    """Rows × passes that may wait in so many bytes of memory."""
    return memory // SHARE // BYTES


def memory() -> int:
    """Bytes that this process may use: the machine's, or fewer where its control group says so."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *(int(text) for text in map(_read, LIMITS) if text.isdigit())])


def _read(limit: str) -> str:
    try:
        return Path(limit).read_text(encoding="ascii").strip()
    except OSError:
        return ""
