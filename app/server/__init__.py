"""Serving a port: connections and their limits, one process's server, several workers."""
