"""A real PostgreSQL server for tests: on a socket of its own, ended by its process id."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from tests.programs import postgres_folder

OTHER = "postgres"
"""Whose process it is where root starts it, which PostgreSQL refuses to serve."""
ROLE = "dubito"
MODEL = "model"
"""The database that others are made after."""
START_SECONDS = 60
NUMBERS = count(1)


class Server:
    """A server that runs; its data stay when it ends and is started again."""

    def __init__(self, folder: Path) -> None:
        """Make its data, in a folder that is empty, and start it."""
        self._programs = postgres_folder()
        self._folder = folder
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._user = {"user": OTHER, "group": OTHER, "extra_groups": []}
            shutil.chown(folder, OTHER, OTHER)
        self._run("initdb", "--auth=trust", f"--username={ROLE}", "--encoding=UTF8", "-D", "data")
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            [str(self._programs / "postgres"), "-D", "data", "-k", str(self._folder), "-h", ""],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._user,
        )
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                self.run("SELECT 1")
            except psycopg.OperationalError:
                assert time.monotonic() < end
                assert self._process.poll() is None
                time.sleep(0.05)
            else:
                return

    def end(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT lets nobody finish, SIGQUIT is as a crash."""
        self._process.send_signal(number)
        self._process.wait(START_SECONDS)

    def run(self, statement: Any, database: str = "postgres") -> None:
        """Run a statement, outside of any transaction."""
        where = f"host={self._folder} user={ROLE} dbname={database}"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(statement)

    @contextmanager
    def database(self, like: str = "template0") -> Iterator[str]:
        """The URL of a fresh database for the length of a block, empty or like another one."""
        name = f"test_{next(NUMBERS)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {like}")
        try:
            yield self.url(name)
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, name: str) -> str:
        """Where a database is, as SQLAlchemy writes it."""
        return f"postgresql+psycopg://{ROLE}@/{name}?host={self._folder}"

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(
            [str(self._programs / program), *words],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            **self._user,
        )


@contextmanager
def serving() -> Iterator[Server]:
    """A server for the length of a block."""
    with TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            yield server
        finally:
            server.end(signal.SIGQUIT)
