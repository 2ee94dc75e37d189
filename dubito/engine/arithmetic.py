"""What may differ between two starts on one machine, fixed."""

from threadpoolctl import threadpool_limits


def pin_arithmetic() -> None:
    """Fix what may differ between two starts on one machine: BLAS runs in the calling thread.

    Blocks are too small to be shared between threads, and the order of a sum must not depend on
    how many there are.
    """
    threadpool_limits(limits=1, user_api="blas")
