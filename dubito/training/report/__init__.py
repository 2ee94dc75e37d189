"""The report of an evaluation: one page with plots that needs no other file."""
