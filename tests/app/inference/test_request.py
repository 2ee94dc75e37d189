"""Requests of the protocol, and the parameters that real clients send with them."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.options import options_of, text_of
from app.inference.request import read_request
from dubito.errors import InvalidInput, NotJson
from dubito.inputs.options import monte_carlo_options
from dubito.targets import ClassTarget

OPTIONS = monte_carlo_options(ClassTarget(("a", "b"), is_ordered=False), 50, 1_000, None, 10_000)
ONE = {"name": "x", "shape": [1], "datatype": "FP64", "data": [1.5]}


def body(**members: Any) -> bytes:
    return json.dumps({"inputs": [ONE], **members}).encode()


def binary(sizes: list[Any], data: bytes) -> tuple[bytes, int]:
    """A body with inputs of these sizes, and the bytes of its JSON."""
    inputs = [
        {
            "name": f"x{at}",
            "shape": [1],
            "datatype": "FP64",
            "parameters": {"binary_data_size": size},
        }
        for at, size in enumerate(sizes)
    ]
    head = json.dumps({"inputs": inputs}).encode()
    return head + data, len(head)


def test_members_that_some_clients_send_are_taken() -> None:
    """A model's name, null for what is absent, and members of nobody's."""
    nothing = {"id": None, "outputs": None, "parameters": None}
    found = read_request(body(model_name="other", unknown=[1], **nothing))
    assert ("", [], {}, False) == (found.id, list(found.outputs), found.parameters, found.is_binary)


def test_outputs_are_binary_as_asked_for() -> None:
    """One by one, or all unless one says otherwise."""
    named = [{"name": "a"}, {"name": "b", "parameters": {"binary_data": False}}]
    found = read_request(body(outputs=named, parameters={"binary_data_output": True}))
    assert [("a", True), ("b", False)] == [(one.name, one.is_binary) for one in found.outputs]
    assert read_request(body(parameters={"binary_data_output": True})).is_binary


@pytest.mark.parametrize(
    ("text", "place", "fault"),
    [
        ({}, "inputs", "is missing"),
        ({"inputs": {}}, "inputs", "must be a list"),
        ({"inputs": []}, "inputs", "must have at least 1 item"),
        ({"inputs": [1]}, "inputs", "must be an object"),
        ({"inputs": [{**ONE, "shape": ["a"]}]}, "shape", "must be a whole number"),
        ({"inputs": [{**ONE, "shape": [1.5]}]}, "shape", "must be a whole number"),
        ({"inputs": [{**ONE, "name": 1}]}, "name", "must be a text"),
        ({"inputs": [{**ONE, "datatype": "FP8"}]}, "x", "must have one of the datatypes"),
        ({"inputs": [{"name": "x", "shape": [1], "datatype": "FP64"}]}, "data", "is missing"),
        ({"inputs": [ONE], "outputs": [{}]}, "name", "is missing"),
        ({"inputs": [ONE], "id": 7}, "id", "must be a text"),
        ({"inputs": [ONE], "id": "a" * 300}, "id", "must have at most 200 characters"),
        ({"inputs": [ONE] * 300}, "inputs", "must have at most 256 items"),
        (
            {"inputs": [ONE], "parameters": {"binary_data_output": "yes"}},
            "binary_data_output",
            "must be true or false",
        ),
    ],
)
def test_wrong_members_are_named(text: Any, place: str, fault: str) -> None:
    """By their name, with what must be there."""
    with pytest.raises(InvalidInput, match=fault) as caught:
        read_request(json.dumps(text).encode())
    assert place == caught.value.faults[0].field


@pytest.mark.parametrize("text", [b"", b"{", b'{"inputs": [NaN]}', b'{"inputs":' + b"[" * 10**5])
def test_what_is_no_json_is_told(text: bytes) -> None:
    """NaN is no JSON either; depth does no harm."""
    with pytest.raises((NotJson, InvalidInput)):
        read_request(text)


@pytest.mark.parametrize(
    ("sizes", "data", "fault"),
    [
        ([8], b"1234567", "is more than follows"),
        ([8], b"123456789", "leaves a part"),
        ([8, 8], b"12345678", "is more than follows"),
        ([-1], b"", "must be a whole number of bytes"),
        ([True], b"", "must be a whole number of bytes"),
        (["8"], b"12345678", "must be a whole number of bytes"),
        ([2**70], b"12345678", "is more than follows|not valid"),
        ([0], b"", "as many elements"),
    ],
)
def test_sizes_of_binary_data_must_fit(sizes: list[Any], data: bytes, fault: str) -> None:
    """All of it, and no more."""
    text, header = binary(sizes, data)
    with pytest.raises(InvalidInput, match=fault):
        read_request(text, header)


def test_data_and_binary_data_exclude_each_other() -> None:
    """One of them would not be read, also where there is one number only."""
    with pytest.raises(InvalidInput, match="is given beside data"):
        read_request(
            json.dumps({"inputs": [{**ONE, "parameters": {"binary_data_size": 8}}]}).encode()
        )


@pytest.mark.parametrize("datatype", ["FP64", "FP32", "INT64", "INT8", "BOOL", "BYTES"])
@pytest.mark.parametrize("value", [1, 1.5, 0.1, True, "a", None, 300, 2**60, [1]])
def test_one_element_is_read_as_many_are(datatype: str, value: Any) -> None:
    """The short way of a single one has the same elements, and the same faults."""
    found = []
    for count in (1, 2):
        one = {"name": "x", "shape": [count], "datatype": datatype, "data": [value] * count}
        try:
            (tensor,) = read_request(json.dumps({"inputs": [one]}).encode()).inputs
            found.append(str(list(tensor.elements)[:1]).replace("np.float64", ""))
        except InvalidInput as error:
            found.append(str(error))
    assert found[0] == found[1]


def test_an_empty_tensor_of_kserves_client() -> None:
    """It sends a size of 0, null as data, and no header."""
    one = {**ONE, "shape": [0, 1], "data": None, "parameters": {"binary_data_size": 0}}
    (found,) = read_request(json.dumps({"inputs": [one]}).encode()).inputs
    assert ((0, 1), 0) == (found.shape, len(found.elements))


@given(st.sampled_from(["seed", "passes", "deadline_ms"]), st.integers(1, 900))
def test_whole_parameters_of_any_type(name: str, value: int) -> None:
    """A number, a double and a text are the same option."""
    found = {
        getattr(options_of(OPTIONS, {name: given_}), name)
        for given_ in (value, float(value), str(value))
    }
    assert {value} == found


@given(st.floats(0.001, 0.3))
def test_fractions_keep_their_digits(value: float) -> None:
    """A double is the option that its shortest text is."""
    for given_ in (value, np.format_float_positional(value)):
        asked = options_of(OPTIONS, {"tolerance": given_, "passes": "auto"})
        assert value == asked.tolerance


@pytest.mark.parametrize("value", [True, "true"])
def test_truths_of_any_type(value: Any) -> None:
    """true and "true" are the same option."""
    assert options_of(OPTIONS, {"degrade": value}).degrade


def test_parameters_of_the_protocol_are_no_options() -> None:
    """What clients send to any server is not refused; a time in microseconds is the deadline."""
    sent = {
        "sequence_id": 0,
        "sequence_start": False,
        "sequence_end": False,
        "priority": 1,
        "timeout": 250_000,
        "content_type": "np",
        "headers": {},
        "triton_enable_empty_final_response": False,
        "binary_data_output": True,
    }
    assert 250 == options_of(OPTIONS, sent).deadline_ms
    assert 40 == options_of(OPTIONS, {**sent, "deadline_ms": 40}).deadline_ms


@pytest.mark.parametrize(
    ("parameters", "fault"),
    [
        ({"pases": 3}, "pases is not known"),
        ({"passes": 0}, "passes must be greater than or equal to 1"),
        ({"passes": [1]}, "passes must be a text, a number or a truth"),
        ({"passes": 1.5}, "passes must be a whole number"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"tolerance": float("inf")}, "tolerance must be a text, a number or a truth"),
        ({"timeout": "soon"}, "timeout must be a whole number of microseconds"),
        ({"timeout": 10**12}, "timeout must be a whole number of microseconds"),
    ],
)
def test_wrong_parameters_are_named(parameters: dict[str, Any], fault: str) -> None:
    """An unknown one too: a misspelt option would change nothing, and nobody would notice."""
    with pytest.raises(InvalidInput, match=fault) as caught:
        options_of(OPTIONS, parameters)
    assert "parameters" == caught.value.faults[0].where[0]


@pytest.mark.parametrize("value", ["", "a" * 201, "line\nbreak", 7])
def test_a_name_is_printable(value: Any) -> None:
    """A reference and a key are texts of 1 to 200 printable characters."""
    with pytest.raises(InvalidInput, match="printable"):
        text_of({"reference": value}, "reference", 200)
    assert "사건 7" == text_of({"reference": "사건 7"}, "reference", 200)
