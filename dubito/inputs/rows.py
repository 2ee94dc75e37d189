"""Rows in JSON: the request models a signature implies, and how bytes become an array."""

import asyncio
import re
from collections.abc import Container, Iterable, Iterator
from itertools import islice
from typing import Annotated, Any

import numpy as np
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    create_model,
)
from pydantic_core import from_json

from dubito.errors import Fault, FieldCode, InvalidInput, NotJson
from dubito.inputs.faults import MOST_FAULTS, faults_of, plural
from dubito.inputs.members import Way, composed, duplicate, with_composed_names
from dubito.inputs.row_chunks import parts
from dubito.inputs.text_types import wrong
from dubito.types import Feature, Floats, Signature

STRICT = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
INSTANCES = "instances"
LISTED = re.compile(rb'"instances"\s*:')
LISTED_SURELY = re.compile(rb'"instances"\s*:\s*\[')
"""Where a feature has that name too: its value is never a list."""


class RowReader:
    """Reads one row, or `{"instances": [row, …]}`, as the signature says."""

    def __init__(self, signature: Signature, most_rows: int) -> None:
        """Build the models of a row and of many rows."""
        fields: dict[str, Any] = {
            f"feature_{at}": (annotation(feature), description(feature))
            for at, feature in enumerate(signature.features)
        }
        self._signature = signature
        self._most_rows = most_rows
        self._too_many_rows = Fault(
            (INSTANCES,),
            FieldCode.TOO_MANY_ITEMS,
            f"has more than {most_rows} row{plural(most_rows)} (DUBITO_MAX_ROWS)",
            maximum=most_rows,
        )
        self._known = {name for feature in signature.features for name in accepted(feature)}
        self._listed = LISTED_SURELY if INSTANCES in self._known else LISTED
        self.row: type[BaseModel] = create_model("Row", __config__=STRICT, **fields)
        rows = Annotated[list[self.row], Field(min_length=1, max_length=most_rows)]  # type: ignore[name-defined]
        self.rows: type[BaseModel] = create_model("Rows", __config__=STRICT, instances=(rows, ...))
        self._part = TypeAdapter(list[self.row])  # type: ignore[name-defined]

    def read(self, body: bytes) -> tuple[Floats, bool]:
        """Rows `(N, F)`, NaN where a nullable value is null, and whether they came as a list.

        Raises:
            NotJson: the body is not JSON.
            InvalidInput: names each field that is wrong.
        """
        many = self._is_list(body)
        try:
            rows = self._validated(body, many)
        except ValidationError as error:
            return _array(self._validated_composed(body, many, self._faults(error))), many
        self._refuse_duplicates(body, len(rows), many)
        return _array(rows), many

    async def read_in_turns(self, body: bytes) -> tuple[Floats, bool]:
        """As `read`; between the parts of a long list others have their turn."""
        # Members of more rows than are allowed are not worth validating, see `_is_list`.
        found = []
        for part in () if self._is_crowded(body) else parts(body):
            rows = self._plain_rows(part)
            if rows is None:
                return self.read(body)
            found.append(rows)
            await asyncio.sleep(0)
        return (np.concatenate(found), True) if found else self.read(body)

    def _plain_rows(self, part: bytes) -> Floats | None:
        """The rows `(n, F)` of a list in JSON, or None where something may be wrong with them."""
        try:
            rows = self._part.validate_json(part)
        except ValidationError:
            return None
        # Another number of colons than of members: see `_refuse_duplicates`.
        plain = part.count(b":") == len(rows) * len(self._signature.features)
        return _array(rows) if plain else None

    def _validated(self, body: bytes, many: bool) -> list[BaseModel]:
        if many:
            instances: list[BaseModel] = self.rows.model_validate_json(body).instances  # type: ignore[attr-defined]
            return instances
        return [self.row.model_validate_json(body)]

    def _validated_composed(self, body: bytes, many: bool, faults: list[Fault]) -> list[BaseModel]:
        """Rows whose names are spelt in another Unicode form than the signature's.

        Raises:
            InvalidInput: the faults, where their names are not the reason.
        """
        found = with_composed_names(body)
        if found is None:
            raise InvalidInput(faults)
        content, twice = found
        if twice is not None:
            raise given_twice(twice)
        try:
            if many:
                instances: list[BaseModel] = self.rows.model_validate(content).instances  # type: ignore[attr-defined]
                return instances
            return [self.row.model_validate(content)]
        except ValidationError as error:
            raise InvalidInput(self._faults(error)) from None

    def _is_list(self, body: bytes) -> bool:
        """Whether a body has the member `instances`.

        Raises:
            NotJson: the body is not JSON.
            InvalidInput: more members than rows can have; they are not worth validating.
        """
        if self._is_crowded(body):
            self._refuse_crowd(body)
        if b"\\u" not in body:
            return self._listed.search(body) is not None
        content = parsed(body)
        if not isinstance(content, dict) or INSTANCES not in content:
            return False
        return INSTANCES not in self._known or isinstance(content[INSTANCES], list)

    def _is_crowded(self, body: bytes) -> bool:
        """Whether a body has more members than rows can have."""
        return body.count(b":") > self._most_rows * len(self._signature.features) + 1

    def _refuse_crowd(self, body: bytes) -> None:
        """Say what is unknown in a body of far too many members, without validating them all."""
        content = parsed(body)
        objects = content if isinstance(content, dict) else {}
        rows = objects.get(INSTANCES)
        if isinstance(rows, list) and len(rows) > self._most_rows:
            raise InvalidInput([self._too_many_rows])
        faults = unknown_names(objects, self._known | {INSTANCES})
        crowd = Fault((), FieldCode.TOO_MANY_MEMBERS, "has more members than rows can have")
        raise InvalidInput(faults or [crowd])

    def _faults(self, error: ValidationError) -> list[Fault]:
        details = error.errors(include_url=False, include_input=False)
        if details[0]["type"] == "json_invalid":
            raise NotJson from None
        return [
            self._too_many_rows if detail["type"] == "too_long" else fault
            for fault, detail in zip(faults_of(details), details, strict=True)
        ]

    def _refuse_duplicates(self, body: bytes, rows: int, many: bool) -> None:
        """Refuse a member given twice, which Pydantic does not see.

        Every member has one colon, and what was accepted has no text that could hold another: so
        many colons as members, no duplicate. Only otherwise the body is read again.
        """
        members = rows * len(self._signature.features) + many
        if body.count(b":") != members and (found := duplicate(body)) is not None:
            raise given_twice(found)


def unknown_names(names: Iterable[str], known: Container[str], *way: str) -> list[Fault]:
    """Faults about the first names that are not known; more are not worth a look."""
    unknown = (name for name in names if composed(name) not in known)
    return [
        Fault((*way, name), FieldCode.UNKNOWN, "is not known")
        for name in islice(unknown, MOST_FAULTS)
    ]


def accepted(feature: Feature) -> tuple[str, ...]:
    """The names a feature may be given by, its own first."""
    names = (feature.name, *feature.aliases)
    return tuple(dict.fromkeys((*names, *map(composed, names))))


def given_twice(way: Way) -> InvalidInput:
    """A member of a body that has it twice."""
    return InvalidInput([Fault(way, FieldCode.GIVEN_TWICE, "is given more than once")])


def _array(rows: list[BaseModel]) -> Floats:
    """The values `(N, F)` of validated rows."""
    values = [list(row.__dict__.values()) for row in rows]
    # Adding 0 makes 0.0 of -0.0.
    return np.array(values, dtype=np.float64) + 0.0


def annotation(feature: Feature) -> Any:
    """The type of a feature's values."""
    number: Any = Annotated[
        float, Field(ge=feature.minimum, le=feature.maximum, allow_inf_nan=False)
    ]
    if feature.kind == "integer":
        whole = Field(json_schema_extra={"type": "integer"})
        number = Annotated[number, AfterValidator(_whole), whole]
    return number | None if feature.nullable else number


def changes(signature: Signature) -> type[BaseModel]:
    """The model of some other features, for documentation: a case may be an older bundle's."""
    fields: dict[str, Any] = {
        # Of a default that is made no document tells.
        f"feature_{at}": (annotation(feature), description(feature, default_factory=float))
        for at, feature in enumerate(signature.features)
    }
    features = create_model("ChangedFeatures", __config__=STRICT, **fields)
    return create_model("WhatIfRequest", __config__=STRICT, features=(features, ...))


def description(feature: Feature, **more: Any) -> Any:
    """The documentation of a feature."""
    aliases = ", ".join(feature.aliases)
    sentences = [
        f"{feature.title}. Unit: {feature.unit}.",
        f"Training saw {feature.seen.minimum:,.12g} to {feature.seen.maximum:,.12g}.",
        f"Also accepted under the name {aliases}." if aliases else "",
        "May be null." if feature.nullable else "",
    ]
    return Field(
        validation_alias=AliasChoices(*accepted(feature)),
        title=feature.title,
        description=" ".join(filter(None, sentences)),
        **more,
    )


def example(signature: Signature) -> dict[str, float | int | None]:
    """A row that is valid and usual: every feature at its median."""
    return dict(_medians(signature))


def _medians(signature: Signature) -> Iterator[tuple[str, float | int]]:
    for feature in signature.features:
        median = feature.seen.quantiles["0.5"]
        yield feature.name, int(median) if feature.kind == "integer" else median


def _whole(value: float) -> float:
    if not value.is_integer():
        raise wrong(FieldCode.NOT_WHOLE, "must be a whole number")
    return value


def parsed(body: bytes) -> Any:
    """A body as JSON says.

    Raises:
        NotJson: it is not JSON.
    """
    try:
        return from_json(body)
    except ValueError:
        raise NotJson from None
