"""A bundle that a command has checked, handed to the service that it starts."""

from dubito.bundles.validation.inspection import Inspected


class CheckedBundle:
    """Contents of a checked bundle, for the first who opens it: nobody keeps them."""

    def __init__(self, inspected: Inspected | None = None) -> None:
        """Set the contents; None where nobody has checked a bundle yet."""
        self._inspected = inspected

    def take(self) -> Inspected | None:
        """Return the contents, once."""
        found, self._inspected = self._inspected, None
        return found
