"""Tables: the one reader of rows for every command that takes a file."""
