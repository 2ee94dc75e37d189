"""Arithmetic on arrays below layers and engine: kernels, the bit generator and its noise."""
