"""Scores whole tables: every row of a file, in bounded memory, on all processors."""
