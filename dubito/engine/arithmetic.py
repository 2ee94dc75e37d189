"""Process-wide settings of arithmetic that make results reproducible between starts."""

from threadpoolctl import threadpool_limits


def pin_arithmetic() -> None:
    """Limit BLAS to the calling thread, so that results do not differ between starts.

    The order of a sum must not depend on the number of threads, and blocks are too small for
    sharing one between threads to pay.
    """
    threadpool_limits(limits=1, user_api="blas")
