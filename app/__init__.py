"""The service: HTTP, batching, processes, records, monitoring and the page around `dubito`."""

from dubito import __version__

__all__ = ["__version__"]
