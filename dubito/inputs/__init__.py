"""Parsing and validation of inputs: rows as JSON or arrays, query parameters, and their faults."""
