"""Asks a service for liveness again and again, each time on a connection of its own.

`python poller.py PORT` prints the seconds of each answer, a line each, until its input ends. In a
process of its own, as whoever makes load is late itself.
"""

import select
import socket
import sys
import time

PAUSE = 0.02
"""Seconds between two questions."""
ASKED = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def main(port: int) -> None:
    """Ask until nobody wants to know."""
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        began = time.perf_counter()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as asked:
            asked.sendall(ASKED)
            answer = asked.recv(4_096)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
