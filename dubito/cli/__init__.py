"""The command line: `dubito train`, `convert`, `evaluate`, `predict` and more."""
