"""How a network is run: NumPy where every layer has a kernel, TensorFlow elsewhere."""
