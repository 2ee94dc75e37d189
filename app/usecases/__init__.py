"""Use cases: values in, values out, and the project's errors; no HTTP."""
