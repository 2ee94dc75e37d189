"""Records as an older Dubito left them."""

from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Table, insert, inspect, select

from app.records.address import Address, database_at
from app.records.database import open_database
from app.records.ledger import Ledger
from app.records.schema import migrate
from app.records.tables import metadata
from tests.app.records.conftest import CHAIN, KEY, entries

COUNT = 12


def written(url: Address, schema: str, scratch: Path) -> None:
    """Records of one chain in the tables of a schema."""
    whole = f"sqlite:///{scratch}/records.db"
    with open_database(whole) as engine, closing(Ledger(engine, KEY, CHAIN)) as ledger:
        ledger.write(entries(COUNT))
        with (
            database_at(url).writable(fresh=True) as older,
            older.begin() as there,
            engine.connect() as here,
        ):
            migrate(there, schema)
            known = set(inspect(there).get_table_names())
            for table in metadata.sorted_tables:
                if table.name in known:
                    _copy(table, here, there)


def _copy(table: Table, here: Connection, there: Connection) -> None:
    """The rows of a table, as far as the older one has its columns."""
    known = {column["name"] for column in inspect(there).get_columns(table.name)}
    columns = [column for column in table.columns if column.name in known]
    rows = [dict(row) for row in here.execute(select(*columns)).mappings()]
    if rows:
        there.execute(insert(table), rows)
