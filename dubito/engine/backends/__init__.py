"""Execution backends: NumPy if every layer has a kernel, otherwise TensorFlow."""
