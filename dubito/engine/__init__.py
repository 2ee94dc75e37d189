"""The inference engine: reproducible Monte-Carlo dropout, from rows to probabilities."""
