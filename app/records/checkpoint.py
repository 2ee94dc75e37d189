"""Checkpoints: where chains had come to, kept elsewhere to find what was cut off since."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from app.errors import RecordsError
from app.records.chain import Head
from app.records.state_files import replace, shown

MOST_BYTES = 1 << 28
"""Of a file that is read: a million chains have less."""


def to_text(heads: Iterable[Head]) -> str:
    """A checkpoint as JSON."""
    told = {head.chain: {"sequence": head.sequence, "link": head.link.hex()} for head in heads}
    return json.dumps(told, indent=1) + "\n"


def write(file: Path, heads: Iterable[Head]) -> None:
    """Write a checkpoint whole or not at all.

    Raises:
        RecordsError: it cannot be written.
    """
    try:
        replace(file, to_text(heads).encode("utf-8"))
    except OSError as error:
        raise RecordsError(f"{shown(file)}: {error.strerror}") from error


def read(file: Path) -> dict[str, Head]:
    """The heads in a file, by chain.

    Raises:
        RecordsError: the file cannot be read, or is no checkpoint.
    """
    try:
        if file.stat().st_size > MOST_BYTES:
            raise RecordsError(f"{shown(file)} is no checkpoint: it has more than {MOST_BYTES:,} B")
        told = json.loads(file.read_text(encoding="utf-8"))
        return {chain: _head(chain, head) for chain, head in told.items()}
    except OSError as error:
        raise RecordsError(f"{shown(file)}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RecordsError(f"{shown(file)} is no checkpoint") from error


def _head(chain: str, told: Any) -> Head:
    """A head as a checkpoint has it.

    Raises:
        ValueError: it is none.
    """
    sequence, link = told["sequence"], told["link"]
    if type(sequence) is not int or sequence < 0 or set(told) != {"sequence", "link"}:
        raise ValueError(chain)
    return Head(chain, sequence, bytes.fromhex(link))
