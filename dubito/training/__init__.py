"""Training: labelled rows to a fitted, calibrated and evaluated network in a bundle."""
