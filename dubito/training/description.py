"""Reads the JSON file that describes the features of a network trained elsewhere.

Features stand in the order of the network's input; only the name is required:

    {"features": [
        {"name": "area", "title": "Living area", "aliases": ["면적"], "kind": "float",
         "unit": "m²", "minimum": 0, "maximum": 1000, "imputed": 70.5},
        {"name": "balcony", "kind": "boolean"},
        {"name": "heating", "kind": "category",
         "categories": ["gas", {"name": "electric", "aliases": ["전기"]}], "takes_unknown": true}]}

A feature with an `imputed` value may be missing; that value then replaces it. The network gets 0
and 1 for false and true, for a category its place in the list, from 0, and for a text that is not
in the list, if `takes_unknown`, the place after the last. `imputed` is such a number or a category.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, StringConstraints, TypeAdapter, ValidationError

from dubito.bundles.strict_json import strict_json
from dubito.errors import DataError, DubitoError
from dubito.features import NUMBER_RULES, Category, FeatureKind
from dubito.inputs.json_members import composed
from dubito.layout import MOST, Column
from dubito.text import utf8

Name = Annotated[
    str, StringConstraints(min_length=1, pattern=r"^\S(.*\S)?$"), AfterValidator(composed)
]
STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, slots=True)
class _DescribedCategory:
    """A category that has aliases."""

    __pydantic_config__ = STRICT

    name: Name
    aliases: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class _Described:
    """One feature as a person describes it, without the statistics that data adds."""

    __pydantic_config__ = STRICT

    name: Name
    title: str = ""
    aliases: tuple[Name, ...] = ()
    kind: FeatureKind = "float"
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    imputed: float | bool | str | None = None
    categories: tuple[Name | _DescribedCategory, ...] = ()
    takes_unknown: bool = False

    @property
    def listed(self) -> tuple[Category, ...]:
        """The categories, in order."""
        return tuple(
            Category(each, ()) if isinstance(each, str) else Category(each.name, each.aliases)
            for each in self.categories
        )

    @property
    def column(self) -> Column:
        """The feature as a column of a file; its imputed value is one that it may have."""
        return Column(
            name=self.name,
            title=self.title,
            aliases=self.aliases,
            kind=self.kind,
            unit=self.unit,
            minimum=-MOST if self.minimum is None else self.minimum,
            maximum=MOST if self.maximum is None else self.maximum,
            nullable=self.imputed is not None,
            imputed=self.imputed_number,
            categories=self.listed,
            takes_unknown=self.takes_unknown,
        )

    @property
    def imputed_number(self) -> float | None:
        """The number that stands for the imputed value; None if there is no such number."""
        names = [category.names for category in self.listed]
        if isinstance(self.imputed, str):
            imputed = composed(self.imputed)
            places = (place for place, each in enumerate(names) if imputed in each)
            return next(map(float, places), None)
        return None if self.imputed is None else float(self.imputed)


_descriptions: TypeAdapter[dict[Literal["features"], tuple[_Described, ...]]] = TypeAdapter(
    dict[Literal["features"], tuple[_Described, ...]]
)


def read_description(path: Path) -> tuple[Column, ...]:
    """Read the features that a JSON file describes.

    Raises:
        DataError: the file cannot be read or is invalid; names the file and the place in it.
    """
    try:
        members = strict_json(utf8(path.read_bytes()), path.name)
        features = _descriptions.validate_json(json.dumps(members)).get("features", ())
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path.name} describes no features: {where}: {first['msg']}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not valid JSON") from error
    except DubitoError as error:
        raise DataError(str(error)) from error
    fault = next(_faults(features), None)
    if fault is not None:
        raise DataError(f"{path.name}: {fault}")
    return tuple(feature.column for feature in features)


def _faults(features: Sequence[_Described]) -> Iterator[str]:
    """Yield the faults of a list of features, as parts of a sentence."""
    if not features:
        yield "there is no feature"
    columns = [feature.column for feature in features]
    counts = Counter(name for column in columns for name in column.names)
    yield from (f"{name} names two features" for name, count in counts.items() if count > 1)
    for feature, column in zip(features, columns, strict=True):
        is_number = column.kind in NUMBER_RULES
        if is_number and not column.minimum < column.maximum:
            yield f"the minimum of {column.name} is not below its maximum"
        if not is_number and (feature.unit, feature.minimum, feature.maximum) != ("", None, None):
            yield f"{column.name} is a {column.kind}, which has neither a unit nor a range"
        yield from _category_faults(column)
        if feature.imputed is not None and not _can_be_imputed(feature):
            yield f"the imputed value of {column.name} is not one that it may have"


def _category_faults(column: Column) -> Iterator[str]:
    is_category = column.kind == "category"
    if is_category and not column.categories:
        yield f"{column.name} is a category, but its categories are not listed"
    if not is_category and (column.categories or column.takes_unknown):
        yield f"{column.name} has categories, but is not a category"
    counts = Counter(name for category in column.categories for name in category.names)
    names = (name for name, count in counts.items() if count > 1)
    yield from (f"{name} names two categories of {column.name}" for name in names)


def _can_be_imputed(feature: _Described) -> bool:
    """Return whether the network may get the imputed value."""
    number, column = feature.imputed_number, feature.column
    is_truth = isinstance(feature.imputed, bool)
    if number is None or is_truth != (column.kind == "boolean" and is_truth):
        return False
    if column.kind == "category":
        slots = len(column.categories) + column.takes_unknown
        return number.is_integer() and 0 <= number <= slots
    if column.kind == "boolean":
        return number in (0, 1)
    return column.minimum <= number <= column.maximum
