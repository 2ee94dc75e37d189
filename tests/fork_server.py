"""Services of the tests start as forks of a process that has imported all they need.

A start spends most of its processor time on imports, and the tests start hundreds. A fork has the
environment, arguments and output of a process of its own, and is a child of the test's process.
What tests the start itself, and what changes more than Dubito's settings, starts the command.
"""

import atexit
import ctypes
import gc
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any

SUBREAPER = 36
"""Option of prctl: whose parent ends becomes a child of this process, not of the first one."""
IMPORTED = (
    "app.commands.serve",
    "app.server.server",
    "app.main",
    "app.records.address",
    "app.grpc.server",
    "uvicorn.protocols.http.httptools_impl",
)
"""Modules that every service imports, with all that these import."""
MOST = 1 << 17
"""Longest request in bytes."""


class ForkedService(subprocess.Popen[bytes]):
    """A process that is a child of this one, though another one has forked it."""

    def __init__(self, pid: int, arguments: Sequence[str]) -> None:
        self.args = arguments
        self.pid = pid
        self.returncode: int | None = None
        self.stdin = self.stdout = self.stderr = None
        self._child_created = True
        self._communication_started = False
        self._waitpid_lock = threading.Lock()


def forked(
    arguments: Sequence[str], variables: Mapping[str, str], folder: Path, output: IO[bytes]
) -> ForkedService:
    """A service with the words of a command line, and these variables alone."""
    told = {"arguments": list(arguments), "variables": dict(variables), "folder": str(folder)}
    server = _server()
    socket.send_fds(server, [json.dumps(told).encode()], [output.fileno()])
    pid = server.recv(MOST)
    if not pid:
        raise RuntimeError("the fork server ended")
    return ForkedService(int(pid), arguments)


@cache
def _server() -> socket.socket:
    """The connection to this process' fork server, at whose end that ends."""
    ctypes.CDLL(None, use_errno=True).prctl(SUBREAPER, 1, 0, 0, 0)
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        # Imported here: the other side of this module imports nothing of the tests.
        from tests.service import SERVING, environment

        process = subprocess.Popen(
            [sys.executable, __file__, str(its.fileno())],
            env=environment({"PYTHONPATH": SERVING}),
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
        )

    def end() -> None:
        mine.close()
        process.wait()

    atexit.register(end)
    return mine


def _serve(connection: socket.socket) -> None:
    """Fork a service for each request, until nobody is left who could ask."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(connection, MOST, 1)
        if not request:
            os._exit(0)
        reading, writing = os.pipe()
        between = os.fork()
        if between == 0:
            # The service's parent ends at once, so that the service is adopted by the tests.
            if pid := os.fork():
                os.write(writing, str(pid).encode())
                os._exit(0)
            os.closerange(reading, writing + 1)
            connection.close()
            _become(json.loads(request), descriptors[0])
            return
        os.waitpid(between, 0)
        connection.send(os.read(reading, MOST))
        for descriptor in (reading, writing, descriptors[0]):
            os.close(descriptor)


def _become(told: dict[str, Any], output: int) -> None:
    """Be what a process with these arguments, variables and output would be."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.environ.clear()
    os.environ.update(told["variables"])
    os.chdir(told["folder"])
    sys.argv = told["arguments"]
    # What a worker that the service spawns imports as its main module.
    sys.modules["__main__"].__file__ = sys.argv[0]


def main() -> None:
    """Import, wait for requests, and go on as the service that was asked for."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    for name in IMPORTED:
        import_module(name)
    gc.collect()
    gc.freeze()
    _serve(connection)
    gc.unfreeze()
    script = import_module("dubito.cli.main").script
    script()


if __name__ == "__main__":
    main()
