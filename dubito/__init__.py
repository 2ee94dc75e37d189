"""Dubito: predictions that say how far they can be trusted."""

__version__ = "0.4.0"
