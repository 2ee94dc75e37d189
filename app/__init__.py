"""The service around `dubito`: HTTP, batching, processes, records, monitoring, dashboard."""

from dubito import __version__

__all__ = ["__version__"]
