"""Reads the JSON file that describes the features of a network trained elsewhere.

Features stand in the order of the network's input; only the name is required:

    {"features": [
        {"name": "area", "title": "Living area", "aliases": ["면적"], "kind": "float",
         "unit": "m²", "minimum": 0, "maximum": 1000, "imputed": 70.5}]}

A feature with an `imputed` value may be missing; that value then replaces it.
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
from dubito.feature_kinds import FeatureKind
from dubito.inputs.json_members import composed
from dubito.layout import Column
from dubito.text import utf8

MOST = 1e12
"""Default bound of a feature's allowed range, which is from −10¹² to 10¹²."""

Name = Annotated[
    str, StringConstraints(min_length=1, pattern=r"^\S(.*\S)?$"), AfterValidator(composed)
]


@dataclass(frozen=True, slots=True)
class Described:
    """One feature as a person describes it, without the statistics that data adds."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    name: Name
    title: str = ""
    aliases: tuple[Name, ...] = ()
    kind: FeatureKind = "float"
    unit: str = ""
    minimum: float = -MOST
    maximum: float = MOST
    imputed: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases, each of which may be a column's header."""
        return self.name, *self.aliases

    @property
    def column(self) -> Column:
        """The feature as a column of a file."""
        nullable = self.imputed is not None
        alias = ", ".join(self.aliases)
        return Column(self.name, self.title, alias, self.kind, self.unit, self.maximum, nullable)


_descriptions: TypeAdapter[dict[Literal["features"], tuple[Described, ...]]] = TypeAdapter(
    dict[Literal["features"], tuple[Described, ...]]
)


def read_description(path: Path) -> tuple[Described, ...]:
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
    return features


def _faults(features: Sequence[Described]) -> Iterator[str]:
    """Yield the faults of a list of features, as parts of a sentence."""
    if not features:
        yield "there is no feature"
    counts = Counter(name for feature in features for name in feature.names)
    yield from (f"{name} names two features" for name, count in counts.items() if count > 1)
    for feature in features:
        if not feature.minimum < feature.maximum:
            yield f"the minimum of {feature.name} is not below its maximum"
        imputed = feature.imputed
        if imputed is not None and not feature.minimum <= imputed <= feature.maximum:
            yield f"the imputed value of {feature.name} is not one that it may have"
