"""Long lists are read part by part, and never otherwise than in one go."""

import asyncio
import json
import random
from typing import Any

import numpy as np
import pytest

from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.errors import DubitoError, InvalidInput
from dubito.inputs.row_chunks import ROWS_OF_A_PART, parts
from dubito.inputs.rows import RowReader
from tests.dubito.inputs.bodies import LOAN, by_bytes, by_tokens
from tests.service import ROOT


@pytest.fixture(scope="module")
def reader() -> RowReader:
    found = inspect(find_version(ROOT / "models", "loan-grade"))
    return RowReader(found.manifest.signature, 1000)


def long(rows: int, indent: int | None = None) -> bytes:
    listed = [LOAN | {"loan_amount": 1000 + at} for at in range(rows)]
    return json.dumps({"instances": listed}, indent=indent).encode()


@pytest.mark.parametrize("indent", [None, 0, 3])
@pytest.mark.parametrize("rows", [65, 128, 129, 1000])
def test_the_parts_list_all_rows_in_order(rows: int, indent: int | None) -> None:
    """Together the parts hold what the body lists, none more than its share."""
    body = long(rows, indent)
    listed = [json.loads(part) for part in parts(body)]
    assert json.loads(body)["instances"] == [row for part in listed for row in part]
    assert ROWS_OF_A_PART == max(map(len, listed))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"instances": []}',
        b'{"instances": [{}]}',
        b'{"instances": [' + b"{}, " * 100 + b"{}]",
        b'{"instances": [' + b"{}, " * 100 + b"{}}",
        b'{"a": 1, "instances": [' + b"{}, " * 100 + b"{}]}",
    ],
)
def test_what_does_not_look_like_a_long_list_has_no_parts(body: bytes) -> None:
    """It is read whole, and whatever is wrong with it is found there."""
    assert [] == list(parts(body))


@pytest.mark.parametrize("between", [b"{} ", b"{}, , ", b"{}] [", b'{}, "', b"{}, }"])
def test_where_braces_are_not_rows_some_part_is_no_json(between: bytes) -> None:
    """So that the body is read whole after all."""
    body = b'{"instances": [' + b"{}, " * 70 + between + b"{}]}"
    with pytest.raises(json.JSONDecodeError):
        [json.loads(part) for part in parts(body)]


def outcome(reading: Any) -> Any:
    """What reading comes to: rows, or what is said of the body."""
    try:
        rows, many = reading()
    except InvalidInput as error:
        return error.faults
    except DubitoError as error:
        return type(error), str(error)
    return rows.tobytes(), rows.shape, many


@pytest.mark.claim("long lists", test=400, proof=20_000)
def test_reading_in_turns_is_reading(reader: RowReader, record_property: Any, count: int) -> None:
    """Part by part a long list, mutated, says what it says in one go: rows, or the same faults."""
    chance = random.Random(7)
    bodies = [long(65), long(200), long(130, 1)]
    read = 0
    for _ in range(count):
        body = chance.choice((by_bytes, by_tokens))(chance.choice(bodies), chance)
        whole = outcome(lambda: reader.read(body))  # noqa: B023 - called at once
        assert whole == outcome(lambda: asyncio.run(reader.read_in_turns(body)))  # noqa: B023
        read += len(whole) == 3
    assert count / 20 < read < count * 0.95
    record_property("figure", f"{read:,} of them valid")


def test_missing_values_are_read_in_turns(reader: RowReader) -> None:
    """A null in a long list is NaN in its place."""
    listed = [LOAN] * 99 + [LOAN | {"debt_to_income": None}]
    rows, many = asyncio.run(reader.read_in_turns(json.dumps({"instances": listed}).encode()))
    assert many
    assert [[99, 2]] == np.argwhere(np.isnan(rows)).tolist()
