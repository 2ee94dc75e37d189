"""One file for each state of the tables."""
