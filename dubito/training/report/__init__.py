"""HTML report of an evaluation: one self-contained page with plots."""
