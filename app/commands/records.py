"""`dubito records`: verify, erase, export, back up or upgrade records, or renew their key."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.settings_flags import add_settings, settings_of
from app.errors import RecordsError, SettingsError
from app.record_events import MICROSECONDS, Erasure
from app.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

OWN = {
    "verify": ("checkpoint", "write_checkpoint"),
    "erase": ("reference", "before"),
    "export": ("out",),
    "backup": ("out",),
    "upgrade": (),
    "new-key": (),
}
"""Names of the flags of each action."""
UNREADABLE = "the records cannot be read"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the action, its flags, and the settings that locate the records."""
    parser.add_argument("action", choices=tuple(OWN))
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="verify: also detect events removed since this checkpoint was written",
    )
    parser.add_argument(
        "--write-checkpoint",
        type=Path,
        metavar="FILE",
        help="verify: write a checkpoint of the ends of the chains; store it where the "
        "database's users cannot write",
    )
    parser.add_argument("--reference", help="erase: personal data of cases with this reference")
    parser.add_argument(
        "--before",
        type=_moment,
        metavar="DATE",
        help="erase: personal data of everything before a date or time, UTC",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="export: file to write, ending in .csv or .parquet; backup: the copy, a new file",
    )
    parser.set_defaults(bundle=None)
    add_settings(parser, ["state", "records_url", "records_key_file"])


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Run the action."""
    if rest:
        raise SettingsError(f"records does not know {rest[0]}")
    known = dict.fromkeys(name for names in OWN.values() for name in names)
    given = [name for name in known if getattr(arguments, name)]
    for name in given:
        if name not in OWN[arguments.action]:
            flag = name.replace("_", "-")
            raise SettingsError(f"records {arguments.action} does not know --{flag}")
    if arguments.action in ("erase", "export", "backup") and len(given) != 1:
        flags = " or ".join(f"--{name}" for name in OWN[arguments.action])
        raise SettingsError(f"records {arguments.action} needs {flags}")
    settings = settings_of(arguments)
    # Imported late: no other command needs these modules.
    from app.records.address import database_at, url_of

    url = url_of(settings.records_url, settings.state)
    # The shell may lack the service's variables and thus name other records; the address shows it.
    print(f"records: {database_at(url).name}", file=sys.stderr)
    return ACTIONS[arguments.action](arguments, settings, url)


def _verify(arguments: argparse.Namespace, settings: Settings, url: "URL") -> int:
    from app.records import checkpoint
    from app.records.database import legible, reading, snapshot
    from app.records.state_files import one_line
    from app.records.verification import verify
    from app.records.waiting import waiting

    before = {} if arguments.checkpoint is None else checkpoint.read_heads(arguments.checkpoint)
    with reading(url) as engine, legible(UNREADABLE):
        secret, *earlier = _keys(settings)
        with engine.connect() as connection:
            left = waiting(url, lambda: (secret, *earlier), connection)
        with snapshot(engine) as connection:
            verdict = verify(connection, secret, before, earlier)
    for fault in verdict.faults:
        print(one_line(fault), file=sys.stderr)
    for sentence in verdict.given_up:
        print(one_line(sentence))
    if verdict.faults:
        raise RecordsError(f"{len(verdict.faults):,} faults in {verdict.events:,} events")
    if arguments.write_checkpoint is not None:
        checkpoint.write_checkpoint(arguments.write_checkpoint, verdict.heads)
    chains = len(verdict.heads) - len(verdict.given_up)
    print(f"{verdict.events:,} events in {chains:,} chains, all as they were written")
    if left:
        events = sum(batch.events for batch in left)
        print(f"{events:,} more wait in the journal, as they were written")
    return 0


def _erase(arguments: argparse.Namespace, settings: Settings, url: "URL") -> int:
    from app.monitoring.event_builder import EventBuilder
    from app.records import key
    from app.records.database import legible
    from app.records.opening import writing

    erasure = Erasure(reference=arguments.reference, before=arguments.before)
    file = key.path_of(settings.records_key_file, settings.state)
    with (
        writing(url, file, _new_id(), EventBuilder, fresh=False) as records,
        legible("the records cannot be erased"),
    ):
        count = records.ledger.erase(erasure)
    if not count and arguments.reference is None:
        raise RecordsError("no personal data is left from before that time")
    if not count:
        raise RecordsError("no prediction has that reference")
    print(f"erased what is personal of {count:,} predictions")
    return 0


def _export(arguments: argparse.Namespace, settings: Settings, url: "URL") -> int:
    from app.monitoring.event_builder import EventBuilder
    from app.records.database import legible, snapshot
    from app.records.export import write_export
    from app.records.state_files import one_line
    from app.records.waiting import reading_all

    with (
        reading_all(url, lambda: _keys(settings), EventBuilder) as engine,
        legible(UNREADABLE),
        snapshot(engine) as connection,
    ):
        count = write_export(connection, arguments.out)
    print(f"{count:,} predictions in {one_line(arguments.out)}")
    return 0


def _backup(arguments: argparse.Namespace, settings: Settings, url: "URL") -> int:
    from app.records.backup import back_up
    from app.records.state_files import one_line

    left = back_up(url, arguments.out, lambda: _keys(settings))
    print(f"a copy of the records: {one_line(arguments.out)}")
    if left:
        print(f"{left:,} events wait in the journal beside it: keep both files together")
    return 0


def _upgrade(_: argparse.Namespace, __: Settings, url: "URL") -> int:
    from app.records.address import database_at
    from app.records.database import legible
    from app.records.schema import HEAD, upgradable, upgrade

    database = database_at(url)
    with (
        legible("the records cannot be upgraded"),
        database.writable(fresh=False) as engine,
    ):
        schema = upgradable(engine)
        if schema == HEAD:
            print(f"the records have schema {HEAD} already")
            return 0
        backup = database.back_up(schema)
        print(backup.sentence)
        if not backup.is_made:
            _wait_for_enter(
                "press Enter to upgrade the records, or Ctrl-C to leave them unchanged "
            )
        upgrade(engine)
    print(f"the records have schema {HEAD} now, and had {schema}")
    return 0


def _wait_for_enter(prompt: str) -> None:
    """Wait for Enter at a terminal, so that a person can make a copy; programs make it before."""
    if sys.stdin.isatty():
        input(prompt)


def _new_key(_: argparse.Namespace, settings: Settings, url: "URL") -> int:
    from app.records import key
    from app.records.database import legible, open_database
    from app.records.key_check import renewed
    from app.records.state_files import one_line

    file = key.path_of(settings.records_key_file, settings.state)
    with open_database(url, fresh=False) as engine, legible("a new chain cannot be started"):
        given_up = renewed(engine, file, _new_id())
    print(f"a new chain has started with the new key in {one_line(file)}")
    if given_up:
        print(
            f"{given_up:,} earlier chains use a key that is not in the file; they cannot be "
            "verified unless that key is added to the file on a line of its own"
        )
    return 0


ACTIONS = {
    "verify": _verify,
    "erase": _erase,
    "export": _export,
    "backup": _backup,
    "upgrade": _upgrade,
    "new-key": _new_key,
}


def _keys(settings: Settings) -> tuple[bytes, ...]:
    from app.records import key

    return key.read_all(key.path_of(settings.records_key_file, settings.state))


def _new_id() -> str:
    from dubito.identifier import new_id

    return new_id()


def _moment(text: str) -> int:
    """Parse an ISO 8601 date or time to microseconds since 1970; UTC unless it has a time zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not an ISO 8601 date or time") from error
    known = found if found.tzinfo else found.replace(tzinfo=UTC)
    return int(known.timestamp() * MICROSECONDS)
