"""From labelled rows to a bundle."""
