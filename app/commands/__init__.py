"""The commands of `dubito` that need the service."""
