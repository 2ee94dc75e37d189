"""Opens the records' database, for writing or reading, at a schema that this code knows."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy import Connection, Engine

from app.errors import RecordsError
from app.records.address import Address, database_at, database_class
from app.records.failures import explain
from app.records.schema import check, migrate, state
from dubito.errors import DubitoError


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Open a connection that sees one state of the records, whatever is committed meanwhile."""
    with engine.connect() as connection:
        if level := database_class(engine).snapshot:
            connection.execution_options(isolation_level=level)
        yield connection


@contextmanager
def open_database(address: Address, *, fresh: bool = True) -> Iterator[Engine]:
    """Open a database for writing within a block, with all tables at the newest schema.

    Args:
        address: address of the database.
        fresh: whether a missing or empty database is created.

    Raises:
        RecordsError: the database cannot be opened, is locked by another process, or has the schema
            of another version of Dubito.
    """
    with ExitStack() as stack:
        with legible("the records cannot be opened"):
            database = database_at(address)
            engine = stack.enter_context(database.writable(fresh=fresh))
            with database.turn(engine), engine.begin() as connection:
                if fresh and state(connection) is None:
                    migrate(connection)
                check(state(connection))
        yield engine


@contextmanager
def reading(address: Address) -> Iterator[Engine]:
    """Open a database for reading only within a block; every schema so far is accepted.

    A service may write to it at the same time, and its folder need not be writable.

    Raises:
        RecordsError: there are no records, they cannot be read, or a newer Dubito wrote them.
    """
    with ExitStack() as stack:
        with legible("the records cannot be read"):
            engine = stack.enter_context(database_at(address).readable())
            with engine.connect() as connection:
                check(state(connection), is_older_fine=True)
        yield engine


@contextmanager
def legible(what: str) -> Iterator[None]:
    """Turn any exception of a database into a `RecordsError` of one sentence.

    A damaged database can raise anything: a number may have become text.

    Raises:
        RecordsError: `what`, followed by the cause.
    """
    try:
        yield
    except (DubitoError, BrokenPipeError):
        raise
    except OSError as error:
        raise RecordsError(f"{what}: {error.strerror}") from error
    except Exception as error:
        raise RecordsError(f"{what}: {explain(error)}") from error
