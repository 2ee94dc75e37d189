"""What a process does with a chunk: reads it, predicts its rows, and writes their answers."""

from itertools import compress

from dubito.errors import Ungradable
from dubito.scoring.chunk import Chunk
from dubito.scoring.counts import RowCounter, TableCounts, of_rejected
from dubito.scoring.folder import DonePart, JobFolder, Rejected, digest_of
from dubito.scoring.part import AnswerFormat, write_part
from dubito.scoring.rows import TableRows
from dubito.scoring.scorer import Scorer
from dubito.scoring.table import ChunkReader


class ChunkScorer:
    """Scores chunks of one job."""

    def __init__(
        self, scorer: Scorer, reader: ChunkReader, folder: JobFolder, form: AnswerFormat
    ) -> None:
        """Set what predicts, what reads, and where the answers go."""
        self._scorer = scorer
        self._reader = reader
        self._folder = folder
        self._form: AnswerFormat = form
        self._counter = RowCounter(scorer)

    def score(self, chunk: Chunk) -> TableCounts:
        """Write the part of a chunk, then what is known of it.

        Raises:
            DataError: the chunk is not what the table began as.
            OSError: a file cannot be written.
        """
        rows, counts = self._written(chunk.index, self._reader.read(chunk))
        rejected = [
            Rejected(row, reason, rows.rejected_keys.get(row))
            for row, reason in sorted(rows.reasons.items())
        ]
        self._folder.finish_part(chunk.index, DonePart(digest_of(chunk), counts, rejected))
        return counts

    def _written(self, index: int, rows: TableRows) -> tuple[TableRows, TableCounts]:
        """Write the answers about the rows that have one; the others are rejected."""
        if not rows.positions:
            return rows, of_rejected(rows)
        seeds = rows.seeds
        estimate, overflows = self._scorer.estimate(rows.features, seeds)
        rows = rows.without(overflows, Ungradable.sentence)
        if not rows.positions:
            return rows, of_rejected(rows)
        judged = self._scorer.judge(rows.features, estimate.where(~overflows))
        part = self._folder.part(index)
        kept = list(compress(seeds, (~overflows).tolist()))
        write_part(part, self._form, self._scorer, rows, kept, judged)
        return rows, self._counter.count(rows, judged)
