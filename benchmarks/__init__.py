"""Benchmarks behind the measurements in the documentation, each repeated by one command."""
