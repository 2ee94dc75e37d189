"""Commands that need no service, such as `dubito train`, `convert`, `evaluate` and `predict`."""
