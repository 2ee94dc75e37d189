"""How long the steps of an end may take."""

ANSWER_SECONDS = 30
"""For the answers that are under way when no further request is taken."""
DEAF_SECONDS = 3
"""In an end, for a client that has stopped reading its answer."""
EXIT_SECONDS = 10
"""For everything else of an end."""
