"""Small JSON bodies, read as a model says."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from dubito.errors import Fault, FieldCode, InvalidInput, NotJson
from dubito.inputs.faults import faults_of
from dubito.inputs.members import duplicate
from dubito.inputs.rows import STRICT, accepted, given_twice, parsed, unknown_names
from dubito.types import Signature

Model = TypeVar("Model", bound=BaseModel)


class _Changes(BaseModel):
    model_config = STRICT | ConfigDict(title="Changes")

    features: dict[str, float | None]


def read_json(model: type[Model], body: bytes) -> Model:
    """A small body as a model says.

    Raises:
        NotJson: it is not JSON.
        InvalidInput: names what is wrong.
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


def read_changes(signature: Signature, body: bytes) -> dict[str, float | None]:
    """The other features that a body names, of which there are no more than a signature has names.

    Raises:
        NotJson: it is not JSON.
        InvalidInput: names what is wrong.
    """
    names = {name for feature in signature.features for name in accepted(feature)}
    if body.count(b":") <= len(names) + 1:
        return read_json(_Changes, body).features
    # Members without number are not worth validating.
    content = parsed(body)
    features = content.get("features") if isinstance(content, dict) else None
    faults = unknown_names(features, names, "features") if isinstance(features, dict) else []
    crowd = Fault((), FieldCode.TOO_MANY_MEMBERS, "has more members than there are features")
    raise InvalidInput(faults or [crowd])
