"""Makes the domain of a table from the file that describes its columns."""

import re
from pathlib import Path

from dubito.domains import TABLE, TABLE_MEANING, Domain, DomainRecipe
from dubito.errors import UsageError
from dubito.layout import Layout
from dubito.training.description import read_description


def described_domain(path: Path) -> Domain:
    """Return a domain with the described columns and target, whose bundles are named after that.

    Raises:
        DataError: the file cannot be read or is invalid.
        UsageError: it describes no target.
    """
    described = read_description(path)
    target = described.number or described.classes
    if target is None:
        raise UsageError(f"{path.name} describes no target: what is to be predicted")
    classes = described.classes
    return Domain(
        name=path.name,
        layer_module="",
        layers={},
        layout=Layout(
            features=described.features,
            target=target.names,
            classes=() if classes is None else classes.classes,
            number=described.number,
            is_ordered=classes is None or classes.is_ordered,
            file=described.file,
        ),
        bundle_name=_bundle_name(target.name),
        recipes={TABLE: DomainRecipe("dubito.training.recipe:TABLE_RECIPE", TABLE_MEANING)},
        default_recipe=TABLE,
    )


def _bundle_name(target: str) -> str:
    """Return the target's name as the name of a folder, in letters that any system takes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", target).strip("-._") or "table"
