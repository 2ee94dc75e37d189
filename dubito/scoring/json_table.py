"""Reads JSON objects, one a line, in chunks of lines."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic_core import from_json

from dubito.errors import DataError
from dubito.inputs.json_members import composed
from dubito.inputs.rows import RowReader, accepted
from dubito.notation import FileNotation
from dubito.scoring.chunk import CHUNK_ROWS, Chunk
from dubito.scoring.rows import Keyed, Reasons, TableRows, TruthReader
from dubito.scoring.selection import TableSelection
from dubito.scoring.text_stream import TextChunks
from dubito.types import Floats, Signature

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

    @property
    def chunks(self) -> TextChunks:
        """The chunks of all rows."""
        return TextChunks(self.path, self.declared.encoding, lead=0, is_utf8=True)

    def reader(self, signature: Signature) -> "JsonReader":
        """Return what reads a chunk's rows."""
        return JsonReader(self.selection, signature)


class JsonReader:
    """Reads the rows of chunks of JSON objects."""

    def __init__(self, selection: TableSelection, signature: Signature) -> None:
        """Take what is read of an object, and the bundle's features."""
        self._selection = selection
        self._objects = ObjectReader(signature)
        truth, key = selection.truth, selection.key
        self._truth = None if truth is None else TruthReader(signature.target, truth)
        others = (*(() if truth is None else truth.names), *(() if key is None else (key,)))
        self._known = self._objects.names | set(map(composed, others))

    def read(self, chunk: Chunk) -> TableRows:
        """Read rows."""
        lines = chunk.content.removeprefix(MARK).split(b"\n")[: chunk.rows]
        places = [at for at, line in enumerate(lines) if line.strip()]
        found = [self._members(lines[at]) for at in places]
        objects = [one if isinstance(one, dict) else {} for one in found]
        features, reasons = self._objects.read(objects)
        reasons |= {at: one for at, one in enumerate(found) if isinstance(one, str)}
        key, truth = self._selection.key, self._selection.truth
        known = None
        if truth is not None and self._truth is not None:
            known = self._truth.read([_first(one, truth.names) for one in objects])
        return Keyed(
            [chunk.first + at for at in places],
            None if key is None else [one.get(composed(key)) for one in objects],
            features,
            known,
            reasons,
            len(lines) - len(places),
        ).rows()

    def _members(self, line: bytes) -> dict[str, Any] | str:
        """Return what is read of a line, by composed names; or what is wrong with the line."""
        try:
            found = from_json(line)
        except ValueError:
            return NO_OBJECT
        if not isinstance(found, dict):
            return NO_OBJECT
        pairs: Iterable[tuple[str, Any]] = found.items()
        # As many colons as members means no duplicates: every member has one.
        if line.count(b":") != len(found):
            pairs = json.loads(line, object_pairs_hook=_Pairs)
        members = dict[str, Any]()
        for name, value in pairs:
            full = composed(name)
            if full in members:
                return f"{full} is given more than once"
            if full in self._known:
                members[full] = value
        return members


class _Pairs(list[tuple[str, Any]]):
    """The members of an object, duplicates included."""


class ObjectReader:
    """Reads the features of JSON objects as requests are read; other members do not matter."""

    def __init__(self, signature: Signature) -> None:
        """Take the bundle's features."""
        self._reader = RowReader(signature, CHUNK_ROWS)
        self.names = {name for feature in signature.features for name in accepted(feature)}
        self._width = signature.width

    def read(self, objects: Sequence[Mapping[str, Any]]) -> tuple[Floats, Reasons]:
        """Convert objects of composed names to numbers `(N, F)`.

        Returns:
            The numbers, and why some rows cannot be scored, by place.
        """
        known = [
            {name: value for name, value in one.items() if name in self.names} for one in objects
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


def _first(one: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    known = map(composed, names)
    return next((one[name] for name in known if name in one), None)


def refuse_list(start: bytes, file: str) -> None:
    """Reject a JSON list.

    Raises:
        DataError: the text begins as one.
    """
    if LIST.match(start):
        raise DataError(f"{file} is a JSON list: write one object a line")
