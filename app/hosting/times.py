"""How long the steps of an end may take."""

ANSWER_SECONDS = 30
"""For the answers that are under way when no further request is taken."""
EXIT_SECONDS = 10
"""For everything else of an end."""
