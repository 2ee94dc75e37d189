"""Reads rows from JSON: request models built from a signature, and their conversion to arrays."""

import asyncio
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
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
from dubito.features import (
    INSTANCES,
    CategoryFeature,
    Feature,
    FeatureValue,
    NumberFeature,
    TensorFeature,
)
from dubito.inputs.faults import MOST_FAULTS, faults_of, plural, to_fault
from dubito.inputs.json_members import (
    Way,
    composed,
    duplicate,
    has_more_members,
    with_composed_names,
)
from dubito.inputs.row_chunks import parts
from dubito.inputs.text_types import wrong
from dubito.printable import shortened
from dubito.types import Floats, Signature

STRICT = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
SHORT_BYTES = 4_096
"""Size below which a body is read in one turn of the event loop."""
LISTED = re.compile(rb'"instances"\s*:')
LISTED_SURELY = re.compile(rb'"instances"\s*:\s*\[')
"""Pattern of the list of rows if a feature is named `instances` too: its value is never a list."""


class RowReader:
    """Reads one row, or `{"instances": [row, …]}`, and validates it against a signature."""

    def __init__(self, signature: Signature, most_rows: int) -> None:
        """Build the models of one row and of many rows, at most `most_rows`."""
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
        self._most_members = most_rows * len(signature.features) + 1
        self._listed = LISTED_SURELY if INSTANCES in self._known else LISTED
        self.row: type[BaseModel] = create_model("Row", __config__=STRICT, **fields)
        several = Field(min_length=1, max_length=most_rows, fail_fast=signature.tensor is not None)
        rows = Annotated[list[self.row], several]  # type: ignore[name-defined]
        self.rows: type[BaseModel] = create_model("Rows", __config__=STRICT, instances=(rows, ...))
        self._part = TypeAdapter(list[self.row])  # type: ignore[name-defined]

    def read(self, body: bytes) -> tuple[Floats, bool]:
        """Read a body.

        Returns:
            Rows `(N, F)`, NaN where a nullable value is null, and whether the body is a list.

        Raises:
            NotJson: the body is not JSON.
            InvalidInput: the body is not valid; the error names each wrong field.
        """
        many = self._is_list(body)
        try:
            rows = self._validated(body, many)
        except ValidationError as error:
            return _array(self._validated_composed(body, many, self._faults(error))), many
        self._refuse_duplicates(body, len(rows), many)
        return _array(rows), many

    def read_objects(self, objects: Sequence[Mapping[str, Any]]) -> tuple[Floats, dict[int, str]]:
        """Read rows that are parsed already, and go on after those that are not valid.

        Returns:
            Rows `(N, F)`, and none if some are not valid; and the first fault of each of those, by
            its place.
        """
        try:
            return _array(self._part.validate_python(objects)), {}
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
        faults = dict[int, str]()
        for detail in details:
            place, *where = detail["loc"]
            fault = to_fault(detail, tuple(where), in_query=False)
            faults.setdefault(int(place), f"{fault.field} {fault.message}")
        return np.empty((0, self._signature.width)), faults

    async def read_in_turns(self, body: bytes) -> tuple[Floats, bool]:
        """Read a body like `read`, and let other tasks run between the parts of a long list."""
        if len(body) < SHORT_BYTES:
            return self.read(body)
        # More members than the rows allowed can have: rejected by `_is_list` without validation.
        found = []
        for part in () if self._is_crowded(body) else parts(body):
            rows = self._plain_rows(part)
            if rows is None:
                return self.read(body)
            found.append(rows)
            await asyncio.sleep(0)
        return (np.concatenate(found), True) if found else self.read(body)

    def _plain_rows(self, part: bytes) -> Floats | None:
        """Read a JSON list to rows `(n, F)`; None if it may be invalid or have duplicates."""
        try:
            rows = self._part.validate_json(part)
        except ValidationError:
            return None
        # As many colons as members means no duplicates: see `_refuse_duplicates`.
        plain = part.count(b":") == len(rows) * len(self._signature.features)
        return _array(rows) if plain or duplicate(part) is None else None

    def _validated(self, body: bytes, many: bool) -> list[BaseModel]:
        if many:
            instances: list[BaseModel] = self.rows.model_validate_json(body).instances  # type: ignore[attr-defined]
            return instances
        return [self.row.model_validate_json(body)]

    def _validated_composed(self, body: bytes, many: bool, faults: list[Fault]) -> list[BaseModel]:
        """Validate again with names composed, in case they are in another Unicode form.

        Raises:
            InvalidInput: composed names do not make the body valid.
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
        """Return whether a body has the member `instances`.

        Raises:
            NotJson: the body is not JSON.
            InvalidInput: the body has more members than the rows allowed can have, so that it is
                rejected without validation.
        """
        if self._is_crowded(body):
            self._refuse_crowd(body)
        if b"\\u" not in body:
            return self._listed.search(body) is not None
        content = parse_json(body)
        if not isinstance(content, dict) or INSTANCES not in content:
            return False
        return INSTANCES not in self._known or isinstance(content[INSTANCES], list)

    def _is_crowded(self, body: bytes) -> bool:
        """Return whether a body may have more members than the rows allowed can have."""
        return body.count(b":") > self._most_members

    def _refuse_crowd(self, body: bytes) -> None:
        """Reject a body of too many members, naming some faults without validating all of it.

        Raises:
            NotJson: the body is not JSON.
            InvalidInput: in every other case, unless its texts have colons and members are fewer.
        """
        content = parse_json(body)
        objects = content if isinstance(content, dict) else {}
        rows = objects.get(INSTANCES)
        if isinstance(rows, list) and len(rows) > self._most_rows:
            raise InvalidInput([self._too_many_rows])
        if self._signature.has_texts and not has_more_members(content, self._most_members):
            return
        faults = unknown_names(objects, self._known | {INSTANCES})
        crowd = Fault((), FieldCode.TOO_MANY_MEMBERS, "has more members than rows can have")
        raise InvalidInput(faults or [crowd])

    def _faults(self, error: ValidationError) -> list[Fault]:
        details = error.errors(include_url=False, include_input=False)
        if details[0]["type"] == "json_invalid":
            raise NotJson from None
        return [
            self._too_many_rows if _is_of_rows(detail) else fault
            for fault, detail in zip(faults_of(details), details, strict=True)
        ]

    def _refuse_duplicates(self, body: bytes, rows: int, many: bool) -> None:
        """Reject duplicate members, which Pydantic does not detect.

        Every member has one colon, and texts may contain more. A body with as many colons as
        members has no duplicates; only otherwise is it parsed again.
        """
        members = rows * len(self._signature.features) + many
        if body.count(b":") != members and (found := duplicate(body)) is not None:
            raise given_twice(found)


def _is_of_rows(detail: Any) -> bool:
    """Whether an error is that of a list of too many rows, not of a tensor's list."""
    return detail["type"] == "too_long" and tuple(detail["loc"]) == (INSTANCES,)


def unknown_names(names: Iterable[str], known: Container[str], *way: str) -> list[Fault]:
    """Build faults for unknown names, at most `MOST_FAULTS`."""
    unknown = (name for name in names if composed(name) not in known)
    return [
        Fault((*way, name), FieldCode.UNKNOWN, "is not known")
        for name in islice(unknown, MOST_FAULTS)
    ]


def accepted(feature: Feature) -> tuple[str, ...]:
    """List the names accepted for a feature, its own first."""
    names = (feature.name, *feature.aliases)
    return tuple(dict.fromkeys((*names, *map(composed, names))))


def given_twice(way: Way) -> InvalidInput:
    """Build the error about a duplicate member."""
    return InvalidInput([Fault(way, FieldCode.GIVEN_TWICE, "is given more than once")])


def _array(rows: list[BaseModel]) -> Floats:
    """Convert validated rows to an array `(N, F)`."""
    values = [list(row.__dict__.values()) for row in rows]
    # Adding 0 turns -0.0 into 0.0.
    return np.array(values, dtype=np.float64).reshape(len(rows), -1) + 0.0


def annotation(feature: Feature) -> Any:
    """Build the type of a feature's values, with its bounds or its categories."""
    value: Any = bool
    if isinstance(feature, TensorFeature):
        value = _tensor(feature)
    elif isinstance(feature, NumberFeature):
        value = _number(feature)
    elif isinstance(feature, CategoryFeature):
        value = _category(feature)
    return value | None if feature.nullable else value


def _tensor(feature: TensorFeature) -> Any:
    """Build the type of nested lists of numbers, each as long as its axis.

    The first fault is enough: all of a large tensor's would take seconds to be listed.
    """
    value: Any = _bounded(feature)
    for length in reversed(feature.shape):
        bounds = Field(min_length=length, max_length=length, fail_fast=True)
        value = Annotated[list[value], bounds]
    return value


def _bounded(feature: NumberFeature | TensorFeature) -> Any:
    bounds = Field(ge=feature.minimum, le=feature.maximum, allow_inf_nan=False)
    return Annotated[float, bounds]


def _number(feature: NumberFeature) -> Any:
    number = _bounded(feature)
    if feature.is_whole:
        whole = Field(json_schema_extra={"type": feature.rules.json_type})
        number = Annotated[number, AfterValidator(_whole), whole]
    return number


def _category(feature: CategoryFeature) -> Any:
    """Build the type of a text, which is read as the number that stands for it."""
    names: Any = list(feature.numbers)
    known = "examples" if feature.takes_unknown else "enum"

    def number(text: str) -> float:
        try:
            return feature.number_of(text)
        except ValueError:
            message = f"must be one of the categories ({shortened(feature.labels)})"
            raise wrong(FieldCode.NOT_ONE_OF, message) from None

    return Annotated[str, AfterValidator(number), Field(json_schema_extra={known: names})]


def changes(signature: Signature) -> type[BaseModel]:
    """Build the model of a what-if request's changed features, for documentation only.

    Requests are not validated by it, because a case may be of an older bundle.
    """
    fields: dict[str, Any] = {
        # A default factory: unlike a default, it makes the field optional without being documented.
        f"feature_{at}": (annotation(feature), description(feature, default_factory=float))
        for at, feature in enumerate(signature.features)
    }
    features = create_model("ChangedFeatures", __config__=STRICT, **fields)
    return create_model("WhatIfRequest", __config__=STRICT, features=(features, ...))


def description(feature: Feature, **more: Any) -> Any:
    """Build the field of a feature: accepted names, title and description."""
    aliases = ", ".join(feature.aliases)
    sentences = [
        *_meaning(feature),
        f"Also accepted under the name {aliases}." if aliases else "",
        "May be null." if feature.nullable else "",
    ]
    return Field(
        validation_alias=AliasChoices(*accepted(feature)),
        title=feature.title,
        description=" ".join(filter(None, sentences)),
        **more,
    )


def _meaning(feature: Feature) -> Iterator[str]:
    """Yield sentences on what a feature is, and which values training saw."""
    if isinstance(feature, NumberFeature):
        yield f"{feature.title}. Unit: {feature.unit}."
        yield f"Training saw {feature.seen.minimum:,.12g} to {feature.seen.maximum:,.12g}."
        return
    if isinstance(feature, TensorFeature):
        shape = " × ".join(map(str, feature.shape))
        yield f"{feature.title}: {shape} numbers, as nested lists."
        seen = feature.seen
        yield f"Training saw norms from {seen.minimum:,.12g} to {seen.maximum:,.12g}."
        return
    yield f"{feature.title}."
    if isinstance(feature, CategoryFeature) and feature.takes_unknown:
        yield "Any other text is accepted as unknown, with a warning."


def example(signature: Signature) -> dict[str, FeatureValue]:
    """Build a valid example row: medians, most common values, and gaps where those are common."""
    return {feature.name: feature.typical for feature in signature.features}


def _whole(value: float) -> float:
    if not value.is_integer():
        raise wrong(FieldCode.NOT_WHOLE, "must be a whole number")
    return value


def parse_json(body: bytes) -> Any:
    """Parse a body.

    Raises:
        NotJson: the body is not JSON.
    """
    try:
        return from_json(body)
    except ValueError:
        raise NotJson from None
