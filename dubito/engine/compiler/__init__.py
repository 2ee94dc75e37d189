"""From a Keras network to a plan of its layers, and to a program of NumPy kernels."""
