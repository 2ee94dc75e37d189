"""How far a bundle can be trusted: what it answered for labelled rows, in numbers."""
