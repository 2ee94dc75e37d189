"""Domain plug-ins: layers and checks that a field such as lending adds to Dubito.

An installed package names its `Domain` object in the entry-point group `dubito.domains`. Generic
code never imports a domain; the lending domain that ships with Dubito is registered the same way.
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
    """How a domain's Keras layer is validated in a file, before Keras reads it."""

    settings: str
    """Names of the layer's own settings in `config.json`, separated by spaces."""
    shape: Rule
    """Rule from input shapes to output and weight shapes."""
    old_modules: tuple[str, ...] = ()
    """Module paths that published files name besides the domain's `layer_module`."""


@dataclass(frozen=True, slots=True)
class Domain:
    """All extensions of one domain; only importing `layer_module` needs Keras."""

    name: str
    layer_module: str
    """Module whose import registers the layers with Keras; files with such a layer name it."""
    layers: Mapping[str, DomainLayer]
    """Validation of each layer, by class name."""


@cache
def domains() -> tuple[Domain, ...]:
    """Load all registered domains, sorted by name."""
    entries = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    return tuple(entry.load() for entry in entries)


def import_layers() -> None:
    """Register the Keras layers of all domains, so that networks that use them can be loaded."""
    for domain in domains():
        import_module(domain.layer_module)
