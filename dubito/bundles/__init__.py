"""Bundles on disk: reading, writing and validating their files, without importing Keras."""
