"""What draws say about uncertainty: decomposition, calibration, sets, decisions. Pure NumPy."""
