"""The engine: random numbers, masks and blocks, and the one way from rows to probabilities."""
