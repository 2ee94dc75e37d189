"""Domains: what a field such as lending adds to Dubito, registered by an installed package.

A package names its `Domain` object in the entry-point group `dubito.domains`. Nothing generic
imports a domain; the loans that Dubito ships register themselves in the same way.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from dubito.bundles.validation.layer_shapes import Rule

GROUP = "dubito.domains"


@dataclass(frozen=True, slots=True)
class DomainLayer:
    """A Keras layer of a domain, as files that hold it are checked before Keras reads them."""

    settings: str
    """Names of its own settings in `config.json`, separated by spaces."""
    shape: Rule
    """What it makes of the shapes it is given."""
    old_modules: tuple[str, ...] = ()
    """Module paths that published files hold for it, besides the domain's `layer_module`."""


@dataclass(frozen=True, slots=True)
class Domain:
    """Everything that one field adds; only `layer_module` needs Keras when it is imported."""

    name: str
    layer_module: str
    """Module whose import registers the layers with Keras; part of every file that holds one."""
    layers: Mapping[str, DomainLayer]
    """Class name of a layer to how it is checked."""


@cache
def domains() -> tuple[Domain, ...]:
    """All registered domains, by name."""
    entries = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    return tuple(entry.load() for entry in entries)


def import_layers() -> None:
    """Register the Keras layers of all domains, so that a network that holds one can be read."""
    for domain in domains():
        import_module(domain.layer_module)
