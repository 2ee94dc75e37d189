"""References to bundles, as `DUBITO_MODEL` lists them for a service."""

from typing import NamedTuple

from dubito.bundles.repository import is_version


class ModelReference(NamedTuple):
    """A bundle that is to be served under its name."""

    name: str
    version: int | None
    """Version of the bundle; the highest if None."""
    digest: str | None
    """Only digest that may be served; any if None."""


def parse_references(text: str) -> tuple[ModelReference, ...]:
    """Parse `NAME[/VERSION][#sha256:…]`, separated by commas.

    Raises:
        ValueError: a reference has no name or another version than a positive whole number, or two
            have one name; the message repeats no text.
    """
    found = tuple(_parsed(part.strip()) for part in text.split(","))
    if len({one.name for one in found}) < len(found):
        raise ValueError("must not name a bundle twice")
    return found


def _parsed(text: str) -> ModelReference:
    place, has_digest, digest = text.partition("#")
    name, has_version, version = place.partition("/")
    if (
        not name
        # In addresses, braces stand for what varies.
        or not {"{", "}"}.isdisjoint(name)
        or (has_version and not is_version(version))
        or (has_digest and not digest.startswith("sha256:"))
    ):
        raise ValueError("must list NAME, NAME/VERSION or NAME/VERSION#sha256:…, with commas")
    return ModelReference(name, int(version) if version else None, digest or None)
