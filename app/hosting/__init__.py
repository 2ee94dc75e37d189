"""Processes, the port and their orderly end."""
