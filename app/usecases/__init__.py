"""Use cases: values in, values out, and the errors of the project; no HTTP."""
