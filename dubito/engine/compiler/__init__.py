"""Compiles a Keras network to a plan of its layers and, if possible, a program of NumPy kernels."""
