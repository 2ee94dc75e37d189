"""Makes the domain of a table from the file that describes its columns."""

import re
from pathlib import Path

from dubito.domains import (
    REGRESSOR,
    REGRESSOR_MEANING,
    TABLE,
    TABLE_MEANING,
    Domain,
    DomainRecipe,
)
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
            dataset=described.dataset,
            words=described.words,
        ),
        bundle_name=_bundle_name(target.name),
        recipes=_RECIPES if described.number is not None else {TABLE: _RECIPES[TABLE]},
        default_recipe=TABLE,
    )


_RECIPES = {
    TABLE: DomainRecipe("dubito.training.recipe:TABLE_RECIPE", TABLE_MEANING),
    REGRESSOR: DomainRecipe("dubito.training.recipe:REGRESSOR_RECIPE", REGRESSOR_MEANING),
}


def _bundle_name(target: str) -> str:
    """Return the target's name as the name of a folder, in letters that any system takes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", target).strip("-._") or "table"
