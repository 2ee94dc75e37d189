"""What is remembered of an answer, made of what left; the same in whatever process."""

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from app.monitoring.class_counter import ClassCounter
from app.monitoring.event_builder import EventBuilder
from app.record_events import FORMAT, Draft, MonteCarloPart, PlainPart, Reply
from app.recorded_prediction import Asked, parse_body
from app.records.group_message import (
    Kind,
    decode_group,
    decode_introduction,
    encode_group,
    encode_introduction,
)
from dubito.answer import (
    Answer,
    MonteCarloAnswer,
    OutOfRange,
    PlainAnswer,
    PlainResult,
    to_builtins,
)
from dubito.types import Floats, Identity
from dubito.uncertainty.policy import PolicyOptions
from tests.app.monitoring.toy import ENVIRONMENT, WATCHED, answers, columns, joined, tally_of

ASKED = Asked(
    100, judged=PolicyOptions(coverage=0.9, method="lac", class_conditional=False, target=0.05)
)
TOLD = {
    "passes": 100,
    "tolerance": None,
    "degrade": False,
    "judged": {"coverage": 0.9, "method": "lac", "class_conditional": False, "target": 0.05},
}
MODEL = WATCHED.identity
REPLY = Reply("key", b"asked", "row-0", 0, b"answer")


@pytest.fixture(scope="module")
def rows() -> Floats:
    return columns(np.random.default_rng(3), 40, 3.0)


@pytest.fixture(scope="module")
def answered(rows: Floats) -> list[MonteCarloAnswer]:
    """Answers, some of which warn of a value that is the borrower's own."""
    made = answers(np.random.default_rng(4), rows)
    warning = OutOfRange(feature="weight", value=1234.5, seen_minimum=1.5, seen_maximum=20.5)
    draws = {"small": [0.5]}
    return [
        structs.replace(one, model=MODEL, warnings=(warning,) * (at % 3), draws=draws)
        for at, one in enumerate(made)
    ]


def drafted(answered: list[MonteCarloAnswer], rows: Floats, *cuts: int) -> Draft:
    """The draft of a request whose answers were made in parts."""
    bounds = [0, *cuts, len(rows)]
    parts = tuple(
        MonteCarloPart(start, rows[start:stop].tobytes(), answered[start:stop], ASKED, start == 0)
        for start, stop in pairwise(bounds)
    )
    return Draft(parts, "case 7", REPLY)


def plain(answered: list[MonteCarloAnswer]) -> list[PlainAnswer]:
    """Deterministic answers."""
    return [
        Answer(one.id, PlainResult(one.result.predicted, one.result.mean), one.warnings, MODEL)
        for one in answered
    ]


def drafted_plain(answered: list[PlainAnswer], rows: Floats) -> Draft:
    """The draft of a request for those."""
    return Draft((PlainPart(5, rows.tobytes(), answered),), None, None)


def told_of(answer: MonteCarloAnswer | PlainAnswer) -> dict[str, Any]:
    """What the client was told, without what stands elsewhere in a record."""
    apart = {"id", "model", "warnings", "draws"}
    return {name: value for name, value in to_builtins(answer).items() if name not in apart}


def test_an_event_holds_all_that_an_auditor_needs(
    answered: list[MonteCarloAnswer], rows: Floats
) -> None:
    """Of every row, in order; the borrower's figures in the personal part alone."""
    entry = EventBuilder([WATCHED])([drafted(answered, rows, 16, 32)])
    assert REPLY == entry.reply
    assert [one.id for one in answered] == [one.prediction for one in entry.events]
    assert [0] * 16 + [16] * 16 + [32] * 8 == [one.time for one in entry.events]
    for event, answer, row in zip(entry.events, answered, rows.tolist(), strict=True):
        body, personal = json.loads(event.body), json.loads(event.personal or b"")
        model = {"name": "shells", "version": 3, "digest": "sha256:" + 32 * "5e"}
        assert (ENVIRONMENT, model, "/predict/mc", TOLD, FORMAT) == (
            body["environment"],
            body["model"],
            body["endpoint"],
            body["asked"],
            body["format"],
        )
        assert told_of(answer) == body["answer"]
        assert {"grade", "mean", "decision"} < body["answer"].keys()
        warning = {"kind": "out_of_range", "feature": "weight"}
        seen = {"seen_minimum": 1.5, "seen_maximum": 20.5}
        assert [warning | seen] * len(answer.warnings) == body["warnings"]
        assert b"1234.5" not in event.body
        features = dict(zip(WATCHED.signature.names, row, strict=True))
        known = {name: None if value != value else value for name, value in features.items()}
        assert {"features": known, "reference": "case 7"} == personal
        assert ("prediction", "case 7") == (event.kind, event.reference)
        assert answer.result == parse_body(event.body).answer


def test_an_event_of_a_deterministic_answer_has_no_passes(
    answered: list[MonteCarloAnswer], rows: Floats
) -> None:
    """Nor how it was asked for; nothing is referred."""
    found = plain(answered)
    entry = EventBuilder([WATCHED])([drafted_plain(found, rows)])
    assert (None, ()) == (entry.reply, entry.queue)
    for event, answer in zip(entry.events, found, strict=True):
        body = json.loads(event.body)
        assert {"environment", "endpoint", "model", "answer", "warnings", "format"} == body.keys()
        assert ("/predict", told_of(answer)) == (body["endpoint"], body["answer"])
        assert {"grade", "probabilities"} == body["answer"].keys()
        assert b"1234.5" not in event.body
        assert (answer.id, 5, None) == (event.prediction, event.time, event.reference)


def test_what_waits_for_a_person_is_what_was_referred(
    answered: list[MonteCarloAnswer], rows: Floats
) -> None:
    """With the doubt that it is listed by."""
    entry = EventBuilder([WATCHED])([drafted(answered, rows)])
    told = [(one, to_builtins(one)) for one in answered]
    referred = [one for one, content in told if content["decision"]["action"] == "refer"]
    assert referred
    assert [one.id for one in referred] == [one.prediction for one in entry.queue]
    doubts = [one.result.uncertainty.predictive_entropy for one in referred]
    assert doubts == [one.doubt for one in entry.queue]


@pytest.mark.parametrize("cuts", [(), (1,), (16, 32)])
def test_counts_are_those_of_the_rows(
    answered: list[MonteCarloAnswer], rows: Floats, cuts: tuple[int, ...]
) -> None:
    """However they were cut: only the first row of a request has a seed of its own."""
    entry = EventBuilder([WATCHED])([drafted(answered, rows, *cuts)])
    counter = ClassCounter(WATCHED)
    expected = [tally_of(counter, answered[:1], rows[:1], is_drawn=True)]
    expected.append(tally_of(counter, answered[1:], rows[1:], is_drawn=False))
    assert joined(expected) == entry.tally


def test_drafts_built_together_are_those_built_apart(
    answered: list[MonteCarloAnswer], rows: Floats
) -> None:
    """Of both kinds, two cases and missing features: the same events, referrals and counts."""
    rows = np.where(np.arange(rows.size).reshape(rows.shape) % 7 == 3, np.nan, rows)
    others = Draft(drafted(answered, rows).parts, "case 8", None)
    several = [drafted(answered, rows, 16), others, drafted_plain(plain(answered), rows)]
    build = EventBuilder([WATCHED])
    whole, apart = build(several), [build([one]) for one in several]
    assert whole.events == tuple(event for one in apart for event in one.events)
    assert whole.queue == tuple(item for one in apart for item in one.queue)
    assert REPLY == whole.reply
    assert whole.tally is not None
    assert whole.tally == joined([one.tally for one in apart if one.tally is not None])


def test_each_bundle_has_its_own_counts(answered: list[MonteCarloAnswer], rows: Floats) -> None:
    """Among several that are served, drafts are counted for the one that answered."""
    identity = Identity("other", 1, "sha256:" + 32 * "07")
    other = replace(WATCHED, identity=identity)
    moved = [structs.replace(one, model=identity) for one in answered]
    build = EventBuilder([WATCHED, other])
    here, there = build([drafted(answered, rows)]), build([drafted(moved, rows)])
    assert here.tally is not None
    assert there.tally == replace(here.tally, digest=identity.digest)
    assert {item.model for item in here.queue} == {"shells"}
    assert {item.model for item in there.queue} == {"other"}
    assert [one.prediction for one in here.events] == [one.prediction for one in there.events]


@pytest.mark.parametrize("is_calibrated", [True, False])
@pytest.mark.parametrize("is_plain", [True, False])
def test_another_process_makes_the_same(
    answered: list[MonteCarloAnswer], rows: Floats, *, is_plain: bool, is_calibrated: bool
) -> None:
    """The bundle and the draft are sent as messages, also where streams were looked at before."""
    watched = replace(WATCHED, calibration=WATCHED.calibration if is_calibrated else None)
    draft = drafted_plain(plain(answered), rows) if is_plain else drafted(answered, rows, 16)
    build = EventBuilder([watched])
    watched_there = decode_introduction(encode_introduction([watched]))
    assert [watched] == watched_there
    group = decode_group(encode_group(Kind.QUIET, 1, [draft]))
    (drafted_there,) = group.items
    assert isinstance(drafted_there, Draft)
    assert draft == drafted_there
    there = EventBuilder(watched_there)([drafted_there])
    assert build([draft]) == there
    assert draft.reply == there.reply
    # What was made there would be no other after another journey.
    assert [there] == decode_group(encode_group(Kind.QUIET, 1, [there])).items


def test_rows_and_answers_that_do_not_match_are_refused(
    answered: list[MonteCarloAnswer], rows: Floats
) -> None:
    """Nobody's features become another's; the error tells nothing of them."""
    part = MonteCarloPart(1, rows[:3].tobytes(), answered[:2], ASKED, is_drawn=True)
    with pytest.raises(ValueError, match="another number of rows"):
        EventBuilder([WATCHED])([Draft((part,), None, None)])
