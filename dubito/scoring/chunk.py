"""Chunks: consecutive rows of a table that one process scores together."""

from dataclasses import dataclass

CHUNK_ROWS = 16_384
"""Most rows of a chunk, which bounds the memory of a process."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some consecutive rows of a table, as they are in the file."""

    index: int
    """Place among the chunks of the table, from 0."""
    first: int
    """Position of its first row in the table, from 1."""
    rows: int
    content: bytes
    """Records of a text, or an Arrow stream of a Parquet file's columns."""
