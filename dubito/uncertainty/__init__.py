"""Statistics of uncertainty, in NumPy alone: decomposition, calibration, sets, decisions, drift."""
