"""Evaluation of a bundle on labelled rows: accuracy, calibration, sets, decisions, uncertainty."""
