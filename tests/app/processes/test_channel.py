"""The channel: what comes of jobs is the same on its other side, however its bytes arrive."""

import pickle
import socket
from collections.abc import Sequence
from threading import Thread
from typing import Any

import numpy as np
import pytest

from app.processes.channel import PICKLED, Codec, Frames, framed, receive, send
from app.processes.engine_messages import packed, unpacked, worked_off
from app.processes.recorder_messages import CannotOpen, RecorderCodec, ServiceCodec
from app.serving.jobs import Draws, Job, Plain, Reduction, Statistics, results
from dubito.types import Floats, Query, Summary
from dubito.uncertainty.decomposition import summarise

RANGES = ((1, 9), (0, 2**53), (0, 3))
"""Of passes, seeds, and the passes that queries begin with."""


class Noisy:
    """An engine whose answers tell rows, passes and seeds apart."""

    def predict(self, rows: Floats) -> Floats:
        """Rows' shares."""
        return rows / rows.sum(axis=1, keepdims=True)

    def reduced(self, draws: Floats) -> Summary:
        return summarise(draws)

    def draws(self, query: Query) -> Floats:
        """Rows' shares after noise."""
        noise = np.random.default_rng([query.seed, query.first]).uniform(
            0.1, 1, (query.passes, 1, 3)
        )
        raw = query.features + noise
        drawn: Floats = raw / raw.sum(axis=-1, keepdims=True)
        return drawn

    def summarise(self, queries: Sequence[Query]) -> list[Summary]:
        """Of the draws."""
        return [summarise(self.draws(query)) for query in queries]


def jobs(random: np.random.Generator) -> list[Job]:
    """Jobs of all kinds in any order, none of some of them now and then."""
    engine = Noisy()
    found: list[Job] = []
    for kind in random.integers(0, 4, random.integers(1, 8)):
        rows = random.uniform(0, 1, (random.integers(1, 5), 3))
        passes, seed, first = (int(random.integers(low, high)) for low, high in RANGES)
        query = Query(rows, passes, seed, first)
        made = (Plain(rows), Statistics(query), Draws(query), Reduction(engine.draws(query)))
        found.append(made[kind])
    return found


@pytest.mark.parametrize("seed", range(40))
def test_results_are_those_of_the_engine_itself(seed: int) -> None:
    """Packed, sent, worked off, sent back, unpacked: each job has its own result, bit for bit."""
    random = np.random.default_rng(seed)
    asked = jobs(random)
    batch = packed(asked)
    back = sent(worked_off(Noisy(), sent(batch)))
    found = unpacked(asked, batch, back)
    assert pickle.dumps([_plain(one) for one in results(Noisy(), asked)]) == pickle.dumps(
        [_plain(one) for one in found]
    )


def sent(message: Any) -> Any:
    """A message as it is at the other side."""
    (found,) = Frames(PICKLED).whole(framed(PICKLED.encode(message)))
    return found


def _plain(result: Summary | Floats) -> list[list[float]]:
    if isinstance(result, Summary):
        return [np.ravel(getattr(result, name)).tolist() for name in Summary.__slots__]
    return [np.ravel(result).tolist()]


@pytest.mark.parametrize("piece", [1, 3, 8, 11, 1000])
def test_a_message_may_come_in_pieces(piece: int) -> None:
    """A message is there with its last byte and not before; then the next may come."""
    frames = Frames(PICKLED)
    for message in ("first", list(range(50)), b"x" * 300):
        sent = framed(PICKLED.encode(message))
        parts = [sent[at : at + piece] for at in range(0, len(sent), piece)]
        assert [] == [one for part in parts[:-1] for one in frames.whole(part)]
        assert [message] == list(frames.whole(parts[-1]))


def test_several_messages_may_come_at_once() -> None:
    """All that are whole are there, and the rest of the last follows."""
    messages = ("first", "second", "third")
    frames = Frames(PICKLED)
    sent = b"".join(framed(PICKLED.encode(message)) for message in messages)
    assert ["first", "second"] == list(frames.whole(sent[:-1]))
    assert ["third"] == list(frames.whole(sent[-1:]))


@pytest.mark.parametrize(
    ("written", "read", "message"),
    [
        (PICKLED, PICKLED, [b"x" * 3_000_000, "large"]),
        (RecorderCodec(), ServiceCodec(), CannotOpen("x" * 3_000_000)),
        (PICKLED, PICKLED, None),
    ],
)
def test_a_message_is_waited_for(
    written: Codec[Any, Any], read: Codec[Any, Any], message: object
) -> None:
    """Whole, whatever makes its bytes and however large it is; the end of a line is told."""
    here, there = socket.socketpair()
    with here:
        with there:
            sending = Thread(target=send, args=(there, message, written))
            sending.start()
            assert message == receive(here, read)
            sending.join()
        with pytest.raises(EOFError):
            receive(here, read)
