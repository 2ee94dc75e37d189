"""Checkpoint files: heads of chains, stored outside the database to detect later truncation."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from app.errors import RecordsError
from app.records.chain import ChainHead
from app.records.state_files import one_line, replace

MOST_BYTES = 1 << 28
"""Largest checkpoint file that is read, in bytes: a million chains need less."""


def to_text(heads: Iterable[ChainHead]) -> str:
    """Return a checkpoint as JSON text."""
    told = {head.chain: {"sequence": head.sequence, "link": head.link.hex()} for head in heads}
    return json.dumps(told, indent=1) + "\n"


def write_checkpoint(file: Path, heads: Iterable[ChainHead]) -> None:
    """Write a checkpoint atomically: the whole file or nothing.

    Raises:
        RecordsError: the file cannot be written.
    """
    try:
        replace(file, to_text(heads).encode("utf-8"))
    except OSError as error:
        raise RecordsError(f"{one_line(file)}: {error.strerror}") from error


def read_heads(file: Path) -> dict[str, ChainHead]:
    """Read the heads in a checkpoint file, by chain.

    Raises:
        RecordsError: the file cannot be read, or is not a checkpoint.
    """
    try:
        if file.stat().st_size > MOST_BYTES:
            raise RecordsError(f"{one_line(file)} is not a checkpoint: it exceeds {MOST_BYTES:,} B")
        told = json.loads(file.read_text(encoding="utf-8"))
        return {chain: _head(chain, head) for chain, head in told.items()}
    except OSError as error:
        raise RecordsError(f"{one_line(file)}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RecordsError(f"{one_line(file)} is not a checkpoint") from error


def _head(chain: str, told: Any) -> ChainHead:
    """Parse the head of one chain.

    Raises:
        ValueError: the entry is not a head.
    """
    sequence, link = told["sequence"], told["link"]
    if type(sequence) is not int or sequence < 0 or set(told) != {"sequence", "link"}:
        raise ValueError(chain)
    return ChainHead(chain, sequence, bytes.fromhex(link))
