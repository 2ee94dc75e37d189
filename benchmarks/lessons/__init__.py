"""The study's statements, each with a measurement on the real loans, by section."""
