"""Reads JSON objects, one a line, in chunks of lines."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic_core import from_json

from dubito.errors import DataError
from dubito.inputs.json_members import composed, duplicate
from dubito.inputs.rows import RowReader, accepted
from dubito.notation import FileNotation
from dubito.scoring.chunk import CHUNK_ROWS, Chunk
from dubito.scoring.rows import Keyed, Reasons, TableRows, TruthReader, key_of
from dubito.scoring.selection import TableSelection
from dubito.scoring.text_stream import Records, TextStream
from dubito.types import Signature

JSON_OBJECT = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{")
"""Beginning of a text of JSON objects."""
LIST = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[")
NO_OBJECT = "is not a JSON object"
MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class JsonTable:
    """JSON objects, one a line, with a member for each feature; other members do not matter."""

    path: Path
    declared: FileNotation
    selection: TableSelection
    header: ClassVar[None] = None
    """Each object has members of its own."""
    told: ClassVar[str] = "JSON, an object a line"
    """The form, for people."""

    def chunks(self, tell: Callable[[float], None]) -> Iterator[Chunk]:
        """Yield all rows, and tell which share of the file was read.

        Raises:
            DataError: the file is damaged, or a line is too long.
        """
        with TextStream(self.path, self.declared.encoding) as stream:
            records = Records(stream, stream.name, has_quotes=False)
            first = 1
            for index in range(1 << 62):
                content, count = records.next(CHUNK_ROWS)
                if not count:
                    return
                tell(stream.position / stream.size)
                yield Chunk(index, first, count, content)
                first += count

    def reader(self, signature: Signature) -> "JsonReader":
        """Return what reads a chunk's rows."""
        return JsonReader(self.selection, signature)


class JsonReader:
    """Reads the rows of chunks of JSON objects."""

    def __init__(self, selection: TableSelection, signature: Signature) -> None:
        """Take what is read of an object, and the bundle's features."""
        self._selection = selection
        self._objects = ObjectReader(signature)
        truth = selection.truth
        self._truth = None if truth is None else TruthReader(signature.target, truth)

    def read(self, chunk: Chunk) -> TableRows:
        """Read rows."""
        lines = chunk.content.removeprefix(MARK).split(b"\n")[: chunk.rows]
        places = [at for at, line in enumerate(lines) if line.strip()]
        found = [_object(lines[at]) for at in places]
        selection = self._selection
        objects = [one if isinstance(one, dict) else {} for one in found]
        features, reasons = self._objects.read(objects)
        reasons |= {at: one for at, one in enumerate(found) if isinstance(one, str)}
        key, truth = selection.key, selection.truth
        known = None
        if truth is not None and self._truth is not None:
            known = self._truth.read([_first(one, truth.names) for one in objects])
        return Keyed(
            [chunk.first + at for at in places],
            None if key is None else [key_of(one.get(key)) for one in objects],
            features,
            known,
            reasons,
            len(lines) - len(places),
        ).rows()


class ObjectReader:
    """Reads the features of JSON objects as requests are read; other members do not matter."""

    def __init__(self, signature: Signature) -> None:
        """Take the bundle's features."""
        self._reader = RowReader(signature, CHUNK_ROWS)
        self._names = {name for feature in signature.features for name in accepted(feature)}
        self._width = signature.width

    def read(self, objects: "list[dict[str, Any]]") -> "tuple[np.ndarray[Any, Any], Reasons]":
        """Convert objects to numbers `(N, F)`; also returns why some cannot be scored, by place."""
        known = [
            {name: value for name, value in one.items() if composed(name) in self._names}
            for one in objects
        ]
        reasons = Reasons()
        found = np.full((len(objects), self._width), np.nan)
        left = list(range(len(objects)))
        while left:
            rows, faults = self._reader.read_objects([known[at] for at in left])
            if not faults:
                found[left] = rows
                break
            reasons |= {left[at]: fault for at, fault in faults.items()}
            left = [place for at, place in enumerate(left) if at not in faults]
        return found, reasons


def _object(line: bytes) -> dict[str, Any] | str:
    """Parse a line; returns what is wrong with it if it is not a JSON object."""
    try:
        found = from_json(line)
    except ValueError:
        return NO_OBJECT
    if not isinstance(found, dict):
        return NO_OBJECT
    # As many colons as members means no duplicates: every member has one.
    if line.count(b":") != len(found) and (twice := duplicate(line)) is not None:
        return f"{twice[-1]} is given more than once"
    return found


def _first(one: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((one[name] for name in names if name in one), None)


def refuse_list(start: bytes, file: str) -> None:
    """Reject a JSON list.

    Raises:
        DataError: the text begins as one.
    """
    if LIST.match(start):
        raise DataError(f"{file} is a JSON list: write one object a line")
