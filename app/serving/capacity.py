"""How much may wait: what the memory holds."""

SHARE = 4
"""The memory is so many times that of what waits."""
BYTES = 512
"""Of a waiting row × pass. A request of one block of 50 passes takes the most for its work."""


def capacity(memory: int) -> int:
    """Rows × passes that may wait in so many bytes of memory."""
    return memory // SHARE // BYTES
