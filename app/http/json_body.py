"""Reads and validates small JSON bodies, those of feedback and what-if requests."""

from math import inf, isfinite
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from dubito.errors import Fault, FieldCode, InvalidInput, NotJson
from dubito.features import FeatureValue
from dubito.inputs.faults import faults_of
from dubito.inputs.json_members import duplicate, has_more_members
from dubito.inputs.rows import STRICT, accepted, given_twice, parse_json, unknown_names
from dubito.inputs.text_types import wrong
from dubito.types import Signature

Model = TypeVar("Model", bound=BaseModel)


def _plain(value: Any) -> Any:
    """Check for a finite number, a text, a truth or null; the signature decides the rest."""
    if isinstance(value, list | dict):
        raise wrong(FieldCode.NOT_VALID, "must be a number, a text, true or false")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    try:
        number = float(value)
    except OverflowError:
        number = inf
    if not isfinite(number):
        raise wrong(FieldCode.NOT_FINITE, "must be a finite number")
    return number


class AnyChanges(BaseModel):
    """Changed features of a what-if request, by their names."""

    model_config = STRICT | ConfigDict(title="Changes")

    features: dict[str, Annotated[Any, AfterValidator(_plain)]]


class _TensorChanges(BaseModel):
    """Changes of a bundle whose input is a tensor, which is given as a whole."""

    model_config = STRICT | ConfigDict(title="Changes")

    features: dict[str, Any]


def read_json(model: type[Model], body: bytes) -> Model:
    """Validate a small JSON body against a model.

    Raises:
        NotJson: the body is not JSON.
        InvalidInput: the body does not fit the model; the faults name the members.
    """
    try:
        found = model.model_validate_json(body)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        if details[0]["type"] == "json_invalid":
            raise NotJson from None
        raise InvalidInput(faults_of(details)) from None
    if (twice := duplicate(body)) is not None:
        raise given_twice(twice)
    return found


def read_changes(signature: Signature, body: bytes) -> dict[str, FeatureValue]:
    """Read the changed features of a what-if request; it can name no more than the signature has.

    Raises:
        NotJson: the body is not JSON.
        InvalidInput: the body is invalid; the faults name the members.
    """
    names = {name for feature in signature.features for name in accepted(feature)}
    most = len(names) + 1
    if body.count(b":") <= most:
        if signature.tensor is None:
            return read_json(AnyChanges, body).features
        return read_json(_TensorChanges, body).features
    # A body with too many members is refused before validation, which would cost time for each.
    content = parse_json(body)
    features = content.get("features") if isinstance(content, dict) else None
    if signature.has_texts and not has_more_members(content, most):
        # The other colons are in texts.
        return read_json(AnyChanges, body).features
    faults = unknown_names(features, names, "features") if isinstance(features, dict) else []
    crowd = Fault((), FieldCode.TOO_MANY_MEMBERS, "has more members than there are features")
    raise InvalidInput(faults or [crowd])
