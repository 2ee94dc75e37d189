"""The folder of a job: its parts, what is known of each, and what is left to do."""

import fcntl
import hashlib
import shutil
from collections.abc import Iterator
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
            raise UsageError(f"--out: {self.path}: {error.strerror}") from error

    def part(self, index: int) -> Path:
        """Return the file of the answers about a chunk."""
        return self._answers / f"part-{index:08}.{self._form}"

    def is_done(self, chunk: Chunk) -> bool:
        """Return whether a chunk is done.

        Raises:
            DataError: the table has changed since.
        """
        found = self.done(chunk.index)
        if found is None:
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

    def finish(self, chunks: int, summary: bytes) -> None:
        """Write the rows that cannot be scored, and the summary; drop what is needed no more."""
        with (self.path / f".{REJECTED}").open("wb") as file:
            for index in range(chunks):
                done = self.done(index)
                for one in [] if done is None else done.rejected:
                    file.write(json.encode(one) + b"\n")
        (self.path / f".{REJECTED}").replace(self.path / REJECTED)
        write_whole(self.path / SUMMARY, summary)
        shutil.rmtree(self._done)

    def _is_ours(self) -> bool:
        """Return whether the folder is empty, or is that of a job."""
        return (self.path / JOB).exists() or not any(
            one.name != LOCK for one in self.path.iterdir()
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
        if not self.is_finished:
            self._done.mkdir(exist_ok=True)


def digest_of(chunk: Chunk) -> str:
    """Return the SHA-256 of a chunk's content."""
    return hashlib.sha256(chunk.content).hexdigest()
