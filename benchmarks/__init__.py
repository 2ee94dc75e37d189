"""The figures that the documentation states, each reproducible by one command."""
