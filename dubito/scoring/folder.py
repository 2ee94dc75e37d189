"""The folder of a job: its parts, what is known of each, and what is left to do."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import DecodeError, Struct, ValidationError, field, json

from dubito.errors import DataError, UsageError
from dubito.scoring.chunk import Chunk
from dubito.scoring.counts import TableCounts
from dubito.scoring.job import ScoringJob
from dubito.scoring.part import AnswerFormat, write_whole

ANSWERS, DONE = "answers", ".done"
JOB, REJECTED, SUMMARY, LOCK = "job.json", "rejected.ndjson", "summary.json", ".lock"


class Rejected(Struct, frozen=True, omit_defaults=True):
    """A row that cannot be scored."""

    row: int
    reason: str
    """Fault of the row, without any value."""
    key: str | None = None


class DonePart(Struct, frozen=True):
    """What is known of a chunk that is done: it is written after its part."""

    content: str
    """SHA-256 of the chunk, by which a table that has changed is found."""
    counts: TableCounts
    rejected: list[Rejected] = field(default_factory=list)


class JobFolder:
    """The folder in which one job writes its answers."""

    def __init__(self, path: Path, form: AnswerFormat) -> None:
        """Set the folder, which need not exist, and the format of the parts."""
        self.path = path
        self._form = form
        self._answers, self._done = path / ANSWERS, path / DONE

    @contextmanager
    def held(self, job: ScoringJob) -> Iterator[None]:
        """Keep the folder for this job within the block.

        Raises:
            UsageError: the folder is of another job, or another process writes into it.
        """
        try:
            if self.path.exists() and not self._is_ours():
                raise UsageError(f"--out: {self.path} holds other files: name a new folder")
            self.path.mkdir(parents=True, exist_ok=True)
            with (self.path / LOCK).open("w") as lock:
                self._lock(lock.fileno())
                self._begin(job)
                yield
        except OSError as error:
            where = error.filename or self.path
            raise UsageError(f"--out: {where}: {error.strerror or error}") from error

    def part(self, index: int) -> Path:
        """Return the file of the answers about a chunk."""
        return self._answers / f"part-{index:08}.{self._form}"

    def is_done(self, chunk: Chunk) -> bool:
        """Return whether a chunk is done.

        Raises:
            DataError: the table has changed since.
        """
        found = self.done(chunk.index)
        if found is None or (found.counts.scored and not self.part(chunk.index).exists()):
            return False
        if found.content != digest_of(chunk):
            raise DataError("the table has changed since a part of it was scored: name a new --out")
        return True

    def done(self, index: int) -> DonePart | None:
        """Return what is known of a chunk; None if it is not done."""
        try:
            return json.decode((self._done / f"{index:08}.json").read_bytes(), type=DonePart)
        except FileNotFoundError:
            return None
        except (DecodeError, ValidationError) as error:
            raise DataError(f"a file of {self.path / DONE} is damaged: name a new --out") from error

    def finish_part(self, index: int, done: DonePart) -> None:
        """Say that the part of a chunk is written."""
        write_whole(self._done / f"{index:08}.json", json.encode(done))

    @property
    def is_finished(self) -> bool:
        """Whether everything is done."""
        return (self.path / SUMMARY).exists()

    def summary(self) -> bytes:
        """Return the summary of a job that is finished."""
        return (self.path / SUMMARY).read_bytes()

    def each_done(self, chunks: int) -> Iterator[DonePart]:
        """Yield what is known of all chunks, in order."""
        for index in range(chunks):
            found = self.done(index)
            if found is None:
                raise DataError(f"a file of {self._done} is missing: start again, to go on")
            yield found

    def write_rejected(self, chunks: int) -> None:
        """Write the rows that cannot be scored."""
        beside = self.path / f".{REJECTED}"
        with beside.open("wb") as file:
            for done in self.each_done(chunks):
                for one in done.rejected:
                    file.write(json.encode(one) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path / REJECTED)

    def finish(self, summary: bytes) -> None:
        """Write the summary; drop what is needed no more."""
        write_whole(self.path / SUMMARY, summary)
        shutil.rmtree(self._done)

    def _is_ours(self) -> bool:
        """Return whether the folder is empty, or is that of a job."""
        # A run that was killed early leaves hidden files alone.
        return (self.path / JOB).exists() or all(
            one.name.startswith(".") for one in self.path.iterdir()
        )

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"--out: another process writes into {self.path}") from None

    def _begin(self, job: ScoringJob) -> None:
        file = self.path / JOB
        if file.exists():
            try:
                before = json.decode(file.read_bytes(), type=ScoringJob)
            except (DecodeError, ValidationError) as error:
                raise UsageError(
                    f"--out: {file} is not of this version: name a new folder"
                ) from error
            other = job.difference(before)
            if other is not None:
                raise UsageError(
                    f"--out: {self.path} is of another job, with another {other}: name a new folder"
                )
        else:
            write_whole(file, json.format(json.encode(job)) + b"\n")
        self._answers.mkdir(exist_ok=True)
        for left in self._answers.glob(".part-*"):
            # A process that was killed wrote it.
            left.unlink(missing_ok=True)
        if self.is_finished:
            shutil.rmtree(self._done, ignore_errors=True)
        else:
            self._done.mkdir(exist_ok=True)


def table_digest(contents: Iterable[str]) -> str:
    """Return the SHA-256 of a table: of the digests of its chunks."""
    digest = hashlib.sha256()
    for one in contents:
        digest.update(bytes.fromhex(one))
    return f"sha256:{digest.hexdigest()}"


def digest_of(chunk: Chunk) -> str:
    """Return the SHA-256 of a chunk's content."""
    return hashlib.sha256(chunk.content).hexdigest()
