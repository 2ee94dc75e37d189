"""`dubito replay`: compute recorded predictions again and compare them to the last bit."""

import argparse
import asyncio
import math
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from msgspec import UNSET, Struct, UnsetType, json

from app.commands.settings_flags import add_settings, settings_of
from app.errors import Conflict, FeaturesErased, NotFound, RecordsError, SettingsError
from app.settings import Settings
from dubito.errors import InvalidInput

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from app.records.reader import RecordsReader


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the identifiers, and the settings that locate the records and the bundles."""
    parser.add_argument(
        "ids", nargs="*", metavar="ID", help="identifiers of predictions (default: all)"
    )
    parser.set_defaults(bundle=None)
    add_settings(parser, ["models", "state", "records_url", "records_key_file"])


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Print a line of JSON for each prediction; returns 1 unless all are identical."""
    if rest:
        raise SettingsError(f"replay does not know {rest[0]}")
    settings = settings_of(arguments)
    # Imported late: no other command needs these modules.
    from app.monitoring.event_builder import EventBuilder
    from app.records import address, key
    from app.records.database import legible
    from app.records.waiting import reading_all

    url = address.url_of(settings.records_url, settings.state)
    secrets = key.path_of(settings.records_key_file, settings.state)
    with (
        reading_all(url, lambda: key.read_all(secrets), EventBuilder) as engine,
        legible("the records cannot be read"),
    ):
        count, identical = asyncio.run(_print(arguments.ids, settings, engine))
    print(f"{identical:,} of {count:,} identical", file=sys.stderr)
    return 0 if identical == count else 1


async def _print(
    identifiers: Sequence[str], settings: Settings, engine: "Engine"
) -> tuple[int, int]:
    """Print the result of each replay; returns their number, and how many are identical."""
    count = identical = 0
    async with aclosing(_replayed(identifiers, settings, engine)) as found:
        async for line in found:
            print(json.encode(line).decode())
            count, identical = count + 1, identical + line.identical
    return count, identical


class ReplayLine(Struct, frozen=True, omit_defaults=True):
    """A printed line: the result of one replay."""

    id: str
    identical: bool
    largest_difference: float | UnsetType = UNSET
    differing: tuple[str, ...] | UnsetType = UNSET
    reasons: tuple[str, ...] | UnsetType = UNSET


async def _replayed(
    identifiers: Sequence[str], settings: Settings, engine: "Engine"
) -> AsyncGenerator[ReplayLine]:
    from app.bundle_loader import open_in_thread
    from app.model_cache import Shelf
    from app.usecases.case import Cases
    from app.usecases.replay import Replays

    reader, shelf = _reader(engine), Shelf((), open_in_thread, settings)
    cases, replays = Cases(reader), Replays(reader, shelf)
    try:
        for identifier in identifiers or await reader.predictions():
            try:
                case = await cases.named(identifier)
            except NotFound:
                raise RecordsError(f"no prediction is recorded under {identifier}") from None
            try:
                found = await replays.replay(case)
            except (Conflict, FeaturesErased, InvalidInput) as error:
                yield ReplayLine(identifier, identical=False, reasons=(str(error),))
            else:
                yield ReplayLine(
                    found.id,
                    found.identical,
                    found.largest_difference,
                    found.differing,
                    found.reasons,
                )
    finally:
        await shelf.close()
        reader.close()


def _reader(engine: "Engine") -> "RecordsReader":
    """Create a reader of records that also works with a schema from before notes existed."""
    from sqlalchemy import inspect

    from app.records.queries import Source
    from app.records.reader import RecordsReader
    from app.records.tables import marks

    class WithoutNotes(RecordsReader):
        async def note(self, name: str) -> None:  # noqa: ARG002 - as the reader has it
            return None

    with engine.connect() as connection:
        kind = RecordsReader if inspect(connection).has_table(marks.name) else WithoutNotes
    # This process serves nobody else: queries on a large table may take their time.
    return kind(Source(engine), math.inf)
