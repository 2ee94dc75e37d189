"""Checkpoints: where chains had come to, kept elsewhere to find what was cut off since."""

import json
from collections.abc import Iterable
from pathlib import Path

from app.errors import RecordsError
from app.records.chain import Head


def to_text(heads: Iterable[Head]) -> str:
    """A checkpoint as JSON."""
    told = {head.chain: {"sequence": head.sequence, "link": head.link.hex()} for head in heads}
    return json.dumps(told, indent=1) + "\n"


def read(file: Path) -> dict[str, Head]:
    """The heads in a file, by chain.

    Raises:
        RecordsError: the file cannot be read, or is no checkpoint.
    """
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return {
            chain: Head(chain, int(head["sequence"]), bytes.fromhex(head["link"]))
            for chain, head in told.items()
        }
    except OSError as error:
        raise RecordsError(f"{file}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordsError(f"{file} is no checkpoint") from error
