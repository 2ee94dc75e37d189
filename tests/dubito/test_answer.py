"""The typed answer: it has what is computed, and says what each number is."""

import dataclasses

from msgspec import inspect, structs

from app.http.answers import uncertainty_model
from dubito.answer import Uncertainty
from dubito.types import MEASURES, Summary


def test_every_measure_is_answered_and_described() -> None:
    """In the order in which it is computed, and under one name; that of ensembles for them."""
    statistics = tuple(field.name for field in dataclasses.fields(Summary))
    every = (*MEASURES, "between_members")
    assert ("mean", "std", *MEASURES, "within_std", "between_members") == statistics
    assert tuple(field.name for field in structs.fields(Uncertainty)) == every
    assert tuple(uncertainty_model().model_json_schema()["properties"]) == MEASURES
    shown = uncertainty_model(5).model_json_schema()["properties"]
    assert tuple(shown) == every
    own = inspect.type_info(Uncertainty)
    assert isinstance(own, inspect.StructType)
    for field in own.fields:
        assert isinstance(field.type, inspect.Metadata)
        assert field.type.extra_json_schema == {"description": shown[field.name]["description"]}
