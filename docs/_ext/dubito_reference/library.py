"""The Python API: autodoc directives for the public names and for the modules named here."""

import inspect
import logging
from collections.abc import Iterable, Sequence
from importlib import import_module
from types import ModuleType

import dubito
from dubito import layers

MODULES = (
    "dubito.types",
    "dubito.answer",
    "dubito.errors",
    "dubito.bundles.manifest",
    "dubito.bundles.repository",
    "dubito.engine.engine",
    "dubito.numerics.rng",
    "dubito.uncertainty.decomposition",
    "dubito.uncertainty.conformal",
    "dubito.uncertainty.decision",
    "dubito.uncertainty.policy",
    "dubito.uncertainty.adaptive_passes",
    "dubito.uncertainty.guard",
    "dubito.uncertainty.drift",
)
"""Modules whose objects public ones are made of, or which are of use by themselves."""
USECASES = (
    *(f"app.usecases.{name}" for name in ("predict", "replay", "feedback", "case")),
    *("app.usecases.idempotency", "app.usecases.bundles", "app.errors"),
)
OMITTED = {"__version__", *layers.__all__}

logger = logging.getLogger(f"sphinx.{__name__}")
"""Its warnings are the build's, which ends with an error for each."""


def render_public() -> str:
    """Every name of `dubito.__all__`; layers have a section of their own."""
    return _fenced(_directives(dubito, [name for name in dubito.__all__ if name not in OMITTED]))


def render_layers() -> str:
    """Write the Keras layers."""
    return _fenced(_directives(layers, layers.__all__))


def render_modules() -> str:
    """Write the modules behind the public names, each a section."""
    return _sections(MODULES)


def render_usecases() -> str:
    """Write the service's use cases and errors, each module a section."""
    return _sections(USECASES)


def _sections(modules: Iterable[str]) -> str:
    public = ", ".join(name for name in dubito.__all__ if name not in OMITTED)
    options = f"   :members:\n   :exclude-members: {public}"
    return "\n\n".join(
        f"## `{name}`\n\n" + _fenced(f".. automodule:: {name}\n{options}")
        for name in modules
        if _is_there(name)
    )


def _is_there(module: str) -> bool:
    try:
        import_module(module)
    except ImportError as error:
        logger.warning("%s cannot be imported: %s", module, error)
        return False
    return True


def _directives(module: ModuleType, names: Sequence[str]) -> str:
    lines = []
    for name in names:
        try:
            value = getattr(module, name)
        except (AttributeError, ImportError) as error:
            logger.warning("%s.%s cannot be imported: %s", module.__name__, name, error)
            continue
        lines.append(f".. {_directive(value)}:: {module.__name__}.{name}\n{_options(value)}")
    return "\n\n".join(lines)


def _directive(value: object) -> str:
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction"


def _options(value: object) -> str:
    if not inspect.isclass(value):
        return ""
    return "   :members:" + ("" if value.__bases__ == (object,) else "\n   :show-inheritance:")


def _fenced(text: str) -> str:
    return f"```{{eval-rst}}\n{text}\n```"
