"""The typed answer: it has what is computed, and says what each number is."""

import dataclasses

from msgspec import inspect, structs

from app.http.answers import Uncertainty as Documented
from dubito.answer import Uncertainty
from dubito.types import MEASURES, STATISTICS, Summary


def test_every_measure_is_answered_and_described() -> None:
    """In the order in which it is computed, and under one name."""
    assert tuple(field.name for field in dataclasses.fields(Summary)) == STATISTICS
    assert (*STATISTICS[:2], *MEASURES) == STATISTICS
    assert tuple(field.name for field in structs.fields(Uncertainty)) == MEASURES
    shown = Documented.model_json_schema()["properties"]
    assert tuple(shown) == MEASURES
    own = inspect.type_info(Uncertainty)
    assert isinstance(own, inspect.StructType)
    for field in own.fields:
        assert isinstance(field.type, inspect.Metadata)
        assert field.type.extra_json_schema == {"description": shown[field.name]["description"]}
