"""What each command of `dubito` does."""
