"""What is remembered of an answer, made of what left; the same in whatever process."""

import json
import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from pydantic_core import to_json

from app.monitoring.counters import AnswerCounter
from app.monitoring.event_builder import EventBuilder
from app.record_events import Draft, Part, Reply, Tally
from dubito.types import Floats
from tests.app.monitoring.toy import SUBJECT, answers, columns

ENVIRONMENT = "sha256:" + "1" * 64
ASKED = {"endpoint": "/predict/mc", "asked": {"passes": 100}}
MODEL = {"name": "toy", "version": 1, "digest": "sha256:0"}


@pytest.fixture(scope="module")
def rows() -> Floats:
    return columns(np.random.default_rng(3), 40, 3.0)


@pytest.fixture(scope="module")
def answered(rows: Floats) -> list[dict[str, Any]]:
    """Answers, some of which warn of a value that is the borrower's own."""
    made = answers(np.random.default_rng(4), rows)
    warning = {"kind": "out_of_range", "feature": "weight", "value": 1234.5}
    return [
        {**one, "id": f"row-{at}", "model": MODEL, "warnings": [warning] * (at % 3), "draws": [0.5]}
        for at, one in enumerate(made)
    ]


def drafted(answered: list[dict[str, Any]], rows: Floats, *cuts: int) -> Draft:
    """The draft of a request whose answers were made in parts."""
    bounds = [0, *cuts, len(rows)]
    parts = tuple(
        Part(start, to_json(answered[start:stop]), rows[start:stop].tobytes(), ASKED, start == 0)
        for start, stop in pairwise(bounds)
    )
    reply = Reply("key", b"asked", "row-0", 0, b"answer")
    return Draft(parts, len(rows), "case 7", reply)


def test_an_event_holds_all_that_an_auditor_needs(
    answered: list[dict[str, Any]], rows: Floats
) -> None:
    """Of every row, in order; the borrower's figures in the personal part alone."""
    entry = EventBuilder(SUBJECT, ENVIRONMENT)(drafted(answered, rows, 16, 32))
    assert [one["id"] for one in answered] == [one.prediction for one in entry.events]
    assert [0] * 16 + [16] * 16 + [32] * 8 == [one.time for one in entry.events]
    for event, answer, row in zip(entry.events, answered, rows.tolist(), strict=True):
        body, personal = json.loads(event.body), json.loads(event.personal or b"")
        assert (ENVIRONMENT, MODEL, ASKED["endpoint"], ASKED["asked"]) == (
            body["environment"],
            body["model"],
            body["endpoint"],
            body["asked"],
        )
        apart = {"id", "model", "warnings", "draws"}
        assert {name: answer[name] for name in answer.keys() - apart} == body["answer"]
        assert [{"kind": "out_of_range", "feature": "weight"}] * len(answer["warnings"]) == (
            body["warnings"]
        )
        features = dict(zip(SUBJECT.signature.names, row, strict=True))
        known = {name: None if value != value else value for name, value in features.items()}
        assert {"features": known, "reference": "case 7"} == personal
        assert ("prediction", "case 7") == (event.kind, event.reference)


def test_what_waits_for_a_person_is_what_was_referred(
    answered: list[dict[str, Any]], rows: Floats
) -> None:
    """With the doubt that it is listed by."""
    entry = EventBuilder(SUBJECT, ENVIRONMENT)(drafted(answered, rows))
    referred = [one for one in answered if one["decision"]["action"] == "refer"]
    assert referred
    assert [one["id"] for one in referred] == [one.prediction for one in entry.referrals]
    doubts = [one["uncertainty"]["predictive_entropy"] for one in referred]
    assert doubts == [one.doubt for one in entry.referrals]


@pytest.mark.parametrize("cuts", [(), (1,), (16, 32)])
def test_counts_are_those_of_the_rows(
    answered: list[dict[str, Any]], rows: Floats, cuts: tuple[int, ...]
) -> None:
    """However they were cut: only the first row of a request has a seed of its own."""
    entry = EventBuilder(SUBJECT, ENVIRONMENT)(drafted(answered, rows, *cuts))
    observer = AnswerCounter(SUBJECT)
    expected = [observer.answered(answered[:1], rows[:1], is_drawn=True)]
    expected.append(observer.answered(answered[1:], rows[1:], is_drawn=False))
    assert Tally.joined(expected) == entry.tally


def test_another_process_makes_the_same(answered: list[dict[str, Any]], rows: Floats) -> None:
    """EventBuilder and draft are sent as they are."""
    scribe, draft = EventBuilder(SUBJECT, ENVIRONMENT), drafted(answered, rows, 16)
    sent, drafted_there = pickle.loads(pickle.dumps((scribe, draft)))  # noqa: S301 - our own
    there = sent(drafted_there)
    assert scribe(draft) == there
    assert draft.reply == there.reply
