"""How often a process says that it runs, and how long the steps of an end may take."""

BEAT_SECONDS = 0.5
"""Between two signs of life of an engine."""

ANSWER_SECONDS = 30
"""For the answers that are under way when no further request is taken."""
DEAF_SECONDS = 3
"""In an end, for a client that has stopped reading its answer."""
EXIT_SECONDS = 10
"""For everything else of an end."""
