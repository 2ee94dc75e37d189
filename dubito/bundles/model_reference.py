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


class SharedReference(NamedTuple):
    """A bundle that gets a share of the requests to the one that is served under its name."""

    reference: ModelReference
    share: float
    """Part of the requests, above 0 and at most 1."""


def parse_shares(text: str, default: float | None = None) -> tuple[SharedReference, ...]:
    """Parse `NAME/VERSION[#sha256:…]@SHARE`, separated by commas.

    Args:
        text: the references.
        default: share of a reference that names none; None if each must name one.

    Raises:
        ValueError: a reference is not of this form, or two have one name; the message repeats no
            text.
    """
    found = tuple(_shared(part, default) for part in text.split(","))
    if len({one.reference.name for one in found}) < len(found):
        raise ValueError("must not name a bundle twice")
    return found


def _shared(text: str, default: float | None) -> SharedReference:
    place, has_share, share = text.rpartition("@")
    try:
        part = float(share) if has_share else default
        reference = _parsed((place if has_share else share).strip())
    except ValueError:
        part = reference = None
    if part is None or reference is None or reference.version is None or not 0 < part <= 1:
        form = "NAME/VERSION@SHARE" if default is None else "NAME/VERSION or NAME/VERSION@SHARE"
        raise ValueError(f"must list {form}, with commas, the share above 0 and at most 1")
    return SharedReference(reference, part)


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
