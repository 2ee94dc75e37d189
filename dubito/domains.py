"""Domain plug-ins: layers and checks that a field such as lending adds to Dubito.

An installed package names its `Domain` object in the entry-point group `dubito.domains`. Generic
code never imports a domain; the lending domain that ships with Dubito is registered the same way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from dubito.errors import UsageError
from dubito.layer_shapes import LayerSettings, ShapeRule
from dubito.layout import Layout
from dubito.numerics.kernels import FormulaFunction
from dubito.types import Signature

GROUP = "dubito.domains"

STUDY = "study"
"""Name of the recipe that every domain has: a small plain network of the unchanged columns."""

TABLE = "table"
"""Name of the default recipe for a table whose columns a file describes."""
TABLE_MEANING = "a residual one of encoded columns"
REGRESSOR = "regressor"
"""Name of the recipe of the study's regressor, for a described table with a number to predict."""
REGRESSOR_MEANING = "the study's regressor"

FormulaRule = Callable[[LayerSettings, str], FormulaFunction]


@dataclass(frozen=True, slots=True)
class DomainLayer:
    """Validation of a domain's Keras layer in a file, before Keras reads the file."""

    settings: str
    """Names of the layer's own settings in `config.json`, separated by spaces."""
    shape: ShapeRule
    """Rule from input shapes to output and weight shapes."""
    old_modules: tuple[str, ...] = ()
    """Module paths that published files name besides the domain's `layer_module`."""
    formula: FormulaRule | None = None
    """Function from a layer's settings and dtype to its formula, if it is one; without it, networks
    with the layer are read by Keras, which takes seconds."""


@dataclass(frozen=True, slots=True)
class DomainRecipe:
    """Recipe for training a domain's networks, which the command line calls an architecture."""

    path: str
    """Path `module:name` of a `dubito.training.recipe.Recipe`; importing the module needs Keras."""
    meaning: str
    """Noun phrase for the trained network, shown in the command line's help."""


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Common mistakes in a domain's rows, by name, which an evaluation applies to correct rows."""

    multiplied: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Factors of the features that a mistake multiplies, by the mistake's name."""
    swapped: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Pair of features whose values a mistake swaps, by the mistake's name."""

    @property
    def features(self) -> frozenset[str]:
        """All features that some mistake changes."""
        groups = (*self.multiplied.values(), *self.swapped.values())
        return frozenset(name for group in groups for name in group)


@dataclass(frozen=True, slots=True)
class Domain:
    """All extensions of one domain; modules that need Keras are named, and imported when used."""

    name: str
    """Noun for the domain's rows, such as `loans`, as a part of a sentence."""
    layer_module: str
    """Module whose import registers the layers with Keras; files with such a layer name it."""
    layers: Mapping[str, DomainLayer]
    """Validation of each layer, by class name."""
    layout: Layout
    """Columns and classes of the rows that the domain's networks are trained on."""
    bundle_name: str
    """Default name of a trained bundle."""
    recipes: Mapping[str, DomainRecipe] = field(default_factory=dict)
    """Recipes by name, besides the study's."""
    default_recipe: str = STUDY
    mistakes: Mistakes = field(default_factory=Mistakes)

    def has(self, signature: Signature) -> bool:
        """Whether a signature has the layout's features and classes, in the same order."""
        names = tuple(column.name for column in self.layout.features)
        return (signature.names, signature.classes) == (names, self.layout.classes)


@cache
def domains() -> tuple[Domain, ...]:
    """Load all registered domains, sorted by name."""
    entries = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    return tuple(entry.load() for entry in entries)


def chosen_domain(name: str | None) -> Domain:
    """Return the domain of a name, for which networks are trained; None if there is only one.

    Raises:
        UsageError: no domain has the name, or none is given and not exactly one is registered.
    """
    found = [domain for domain in domains() if name in (None, domain.name)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(domain.name for domain in domains())
    if not names:
        raise UsageError("training needs a domain, and no installed package registers one")
    if name is not None:
        raise UsageError(f"--domain must be one of those that are registered: {names}")
    raise UsageError(f"--domain must name one of those that are registered: {names}")


def domain_of(signature: Signature) -> Domain | None:
    """Return the domain whose features and classes a signature has, if there is one."""
    return next((domain for domain in domains() if domain.has(signature)), None)


def import_layers() -> None:
    """Register the Keras layers of all domains, so that networks that use them can be loaded."""
    for domain in domains():
        import_module(domain.layer_module)
