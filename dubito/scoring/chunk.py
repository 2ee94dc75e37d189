"""Chunks: consecutive rows of a table that one process scores together."""

from dataclasses import dataclass

CHUNK_ROWS = 16_384
"""Most rows of a chunk, which bounds the memory of a process."""


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """Where a chunk is in a table."""

    index: int
    """Place among the chunks of the table, from 0."""
    first: int
    """Position of its first row in the table, from 1."""
    rows: int
    start: int
    """Number of the file's bytes before it; of Parquet, of rows."""
    size: int
    """Number of its bytes; of Parquet, of rows."""


@dataclass(frozen=True, slots=True)
class Chunk(ChunkPlace):
    """Some consecutive rows of a table, as they are in the file."""

    content: bytes
    """Records of a text, or an Arrow stream of a Parquet file's columns."""
