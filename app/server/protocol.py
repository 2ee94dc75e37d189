"""One HTTP/1.1 connection: reads requests, sends responses, says what it is waiting for.

uvicorn's own protocol has no such limits, and loses the body of a request that offers an upgrade.
This one uses the same parser, and uvicorn's request cycle for ASGI.
"""

import asyncio
import logging
import socket
from collections import deque
from http import HTTPStatus
from typing import Any

from uvicorn import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

from app.http.problems import problem
from app.problem_codes import ProblemCode
from app.server.connections import Connections, Wait
from app.server.cycle import Cycle
from app.server.framing import Framer
from app.server.head import ProtocolFault, RequestHead
from dubito.identifier import new_id

LINGER_BYTES = 1 << 20
"""Most bytes read from a connection after its last response."""
LOOK_SECONDS = 0.02
"""Seconds between two checks whether a client that has closed its sending side still exists."""
TCP_CLOSED = 7
"""Linux' state number of a socket that was reset."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

log = logging.getLogger("dubito.access")
failures = logging.getLogger("uvicorn.error")
"""Logger to which uvicorn's request cycle reports an application that failed."""


class Flow(FlowControl):
    """Flow control of a connection; reading can be paused regardless of the request's needs."""

    is_held = False

    def resume_reading(self) -> None:
        """Resume reading, unless it is paused."""
        if not self.is_held:
            super().resume_reading()


class Connection(asyncio.Protocol):
    """A connection from its start to its end. Requests are answered one after the other."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        connections: Connections,
    ) -> None:
        """Set what uvicorn passes to a protocol, and the connections of the server."""
        self._app = config.loaded_app
        self._loop = _loop or asyncio.get_running_loop()
        self._server = server_state
        self._connections = connections
        self._limits = connections.limits
        self._common: dict[str, Any] = {
            "type": "http",
            "root_path": "",
            "asgi": {"version": config.asgi_version, "spec_version": "2.3"},
            "scheme": "http",
            "state": app_state,
        }
        """Members of the ASGI scope that all requests of the connection share."""
        self.transport: Any = None
        self.flow: Flow
        self._client = "-"
        self._framer = Framer(connections.limits, self)
        self._running: Cycle | None = None
        """Request that is being answered, or was answered last."""
        self._newest: Cycle | None = None
        """Request whose body is being read, or was read last."""
        self._queue = deque[Cycle]()
        """Requests that wait for earlier responses."""
        self._unparsed = b""
        """Received data that is parsed once the queue is empty."""
        self._discarded = 0
        """Number of received bytes that belong to no request."""
        self._farewell: bytes | None = None
        """Data to write after the last response; None until the connection is about to end."""
        self._has_ended = False
        """Whether the client has closed its sending side."""
        self._wait: Wait | None = None

    # Callbacks of the transport

    def connection_made(self, transport: Any) -> None:
        """Start; if there is no room for another connection, respond with 503 and end."""
        self.transport, self.flow = transport, Flow(transport)
        client = get_remote_addr(transport)
        self._client = "-" if client is None else f"{client[0]}:{client[1]}"
        self._common |= {"server": get_local_addr(transport), "client": client}
        self._server.connections.add(self)  # type: ignore[arg-type]
        if self._connections.enter(self, self._loop.time()):
            self._wait_for(self._connections.head)
            return
        self._framer.is_over = True
        detail = "the service has as many connections as it can hold"
        status, code = HTTPStatus.SERVICE_UNAVAILABLE, ProblemCode.TOO_MANY_CONNECTIONS
        transport.write(self._told(ProtocolFault(status, code, detail)))
        transport.close()

    def data_received(self, data: bytes) -> None:
        """Parse received data, unless earlier responses are due first."""
        if self._framer.is_over:
            self._discard(len(data), LINGER_BYTES)
        elif self._unparsed:
            self._unparsed += data
        else:
            self._feed(data)

    def eof_received(self) -> bool:
        """Keep the connection for responses that are due: the client may have closed one side only.

        A client that has gone completely looks the same. The two are told apart by an interim
        response (RFC 9110 §15.2): if no client listens any more, the connection is reset.
        """
        self._has_ended = True
        cycle = self._running
        if cycle is None or not self._is_due() or not self._framer.in_head:
            return False
        if cycle.response_started and cycle.chunked_encoding:
            # A stream continues only as long as the client keeps its side open.
            return False
        if not cycle.response_started and cycle.scope["http_version"] == "1.1":
            self.transport.write(CONTINUE)
        self._loop.call_later(LOOK_SECONDS, self._look)
        return True

    def connection_lost(self, _exc: Exception | None) -> None:
        """End the connection, and cancel the computation of responses that nobody awaits."""
        self._server.connections.discard(self)
        self._connections.leave(self)
        for cycle in (self._running, *self._queue):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self._queue.clear()
        self._framer.is_over, self._unparsed = True, b""
        self.flow.resume_writing()

    def pause_writing(self) -> None:
        """Record that the client does not read what is written."""
        self.flow.pause_writing()
        self._connections.deaf.begin(self, self._loop.time())

    def resume_writing(self) -> None:
        """Record that the client reads again."""
        self.flow.resume_writing()
        self._connections.deaf.end(self)

    # Methods for the server

    @property
    def unsent(self) -> int:
        """Number of bytes of responses that the client has not read yet."""
        cycle = self._running
        left = 0 if cycle is None else cycle.expected_content_length
        return int(self.transport.get_write_buffer_size()) + left

    def shutdown(self) -> None:
        """End the connection, after the response that is due."""
        if self._running is None or not self._is_due():
            self.transport.close()
        else:
            self._running.keep_alive = False

    def expire(self, wait: Wait) -> None:
        """End the connection, because it waited too long for something."""
        if wait is self._connections.head and self._framer.has_begun:
            seconds = self._limits.header_seconds
            detail = f"the head was not complete within {seconds:g} seconds (DUBITO_HEADER_SECONDS)"
            status, code = HTTPStatus.REQUEST_TIMEOUT, ProblemCode.HEAD_TOO_SLOW
            self._refuse(ProtocolFault(status, code, detail, seconds))
        else:
            self.abort()

    def abort(self) -> None:
        """End the connection immediately."""
        self.transport.abort()

    def _feed(self, data: bytes) -> None:
        """Parse data, up to a request that has to wait for earlier responses."""
        start, framer = 0, self._framer
        try:
            while start < len(data) and not framer.is_over:
                if self._queue:
                    self._unparsed, self.flow.is_held = data[start:], True
                    self.flow.pause_reading()
                    return
                start = framer.parse(data, start)
        except ProtocolFault as fault:
            self._refuse(fault)
        if framer.in_head and not framer.is_between and not framer.is_over:
            self._wait_for(self._connections.head)

    # Callbacks of the framer

    def begin(self, head: RequestHead, url: Any, *, keeps_alive: bool) -> None:
        """Start to answer a request, or queue it behind responses that are due."""
        self._wait_for(None)
        self._newest = self._cycle(head, url, keeps_alive=keeps_alive)
        if self._is_due():
            self._queue.append(self._newest)
        else:
            self._run(self._newest)

    def take(self, body: bytes) -> None:
        """Pass on a piece of the body, or count it if the response did not wait for it."""
        cycle = self._newest
        if cycle is None or cycle.response_complete:
            self._discard(len(body), self._limits.body_bytes)
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def complete(self) -> None:
        """Report the end of the body."""
        cycle = self._newest
        if cycle is None or cycle.response_complete:
            self._wait_for(self._connections.idle)
            return
        cycle.more_body = False
        cycle.message_event.set()

    def _cycle(self, head: RequestHead, url: Any, *, keeps_alive: bool) -> Cycle:
        """Build the request's ASGI cycle."""
        scope: Any = head.scope(url, self._common)
        return Cycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=failures,
            access_logger=log,
            access_log=False,
            default_headers=self._server.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=head.expects,
            keep_alive=keeps_alive,
            on_response=self._go_on,
        )

    # Responses

    def _is_due(self) -> bool:
        """Whether a response is still due."""
        cycle = self._running
        is_open = cycle is not None and not (cycle.response_complete or cycle.disconnected)
        return is_open or bool(self._queue) or bool(self._unparsed)

    def _run(self, cycle: Cycle) -> None:
        self._running = cycle
        task = self._loop.create_task(cycle.run_asgi(self._app))
        task.add_done_callback(self._server.tasks.discard)
        self._server.tasks.add(task)

    def _go_on(self) -> None:
        """Continue with queued requests or unparsed data, or wait for the next request."""
        self._server.total_requests += 1
        if self.transport.is_closing():
            return
        if not (self._queue or self._unparsed):
            self.flow.resume_reading()
            self._rest()
            return
        if self._queue:
            self._run(self._queue.popleft())
        if self._unparsed and not self._queue:
            # The data may contain the rest of the body of the request that has just started.
            data, self._unparsed, self.flow.is_held = self._unparsed, b"", False
            self._feed(data)
        self.flow.resume_reading()
        if not self._is_due():
            self._rest()

    def _rest(self) -> None:
        """Wait for the next data if no response is due, or end if none may come."""
        if self._farewell is not None:
            self._part()
        elif self._framer.is_over or (self._has_ended and self._framer.in_head):
            self.transport.close()
        elif self._framer.in_head:
            connections = self._connections
            self._wait_for(connections.idle if self._framer.is_between else connections.head)
        else:
            # The response did not wait for the body: the rest of the body is read and dropped.
            self._discarded = 0
            self._wait_for(self._connections.drain)
            self._discard(0, self._limits.body_bytes - self._framer.body_left)

    def _refuse(self, fault: ProtocolFault) -> None:
        """Respond with a fault after the responses that are due, and end."""
        if self._framer.is_over:
            return
        self._framer.is_over, self._unparsed = True, b""
        self._wait_for(None)
        log.info("- - %d %s: %s", fault.status, self._client, fault.detail)
        self._farewell = b"" if self._has_answer() else self._told(fault)
        if not self._is_due():
            self._part()

    def _has_answer(self) -> bool:
        """Whether the response to an interrupted request has begun; if not, it is cancelled."""
        cycle = self._newest
        if self._framer.in_head or cycle is None:
            return False
        if self._queue:
            self._queue.pop()
        elif cycle.response_started:
            return True
        cycle.disconnected = True
        cycle.message_event.set()
        return False

    def _part(self) -> None:
        """Write the last response and end, but continue to read for a moment.

        Closing a connection with unread bytes resets it, and the client loses the response (RFC
        9112 §9.6).
        """
        farewell, self._farewell, self._discarded = self._farewell, None, 0
        if farewell is None:
            return
        self.transport.write(farewell)
        if self._has_ended or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self.flow.is_held = False
        self.flow.resume_reading()
        self._wait_for(self._connections.linger)

    def _discard(self, size: int, most: int) -> None:
        """Count bytes that are read and dropped; end the connection if there are too many."""
        self._discarded += size
        if self._discarded <= most:
            return
        if self._framer.is_over and self._is_due():
            self.flow.is_held = True
            self.flow.pause_reading()
        elif self._framer.is_over:
            self.abort()
        else:
            self._framer.is_over, self._farewell = True, b""
            self._part()

    def _told(self, fault: ProtocolFault) -> bytes:
        """Count a fault and return its complete HTTP response."""
        self._connections.refused(fault.status)
        answer = problem(fault.status, fault.code, fault.detail, limit=fault.limit)
        more = [(b"x-request-id", new_id().encode()), (b"connection", b"close")]
        if fault.status == HTTPStatus.SERVICE_UNAVAILABLE:
            more.append((b"retry-after", b"1"))
        usual = [header for header in self._server.default_headers if header[0] != b"connection"]
        lines = [b"%b: %b\r\n" % header for header in [*usual, *answer.raw_headers, *more]]
        return b"".join([STATUS_LINE[fault.status], *lines, b"\r\n", bytes(answer.body)])

    def _wait_for(self, wait: Wait | None) -> None:
        """Start another wait, which ends the present one; None to wait for nothing."""
        if wait is self._wait:
            return
        if self._wait is not None:
            self._wait.end(self)
        self._wait = wait
        if wait is not None:
            wait.begin(self, self._loop.time())

    def _look(self) -> None:
        """Drop a client that has gone; check again while a response is due."""
        if self.transport.is_closing() or not self._is_due():
            return
        kept = self.transport.get_extra_info("socket")
        if kept.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSED:
            self.abort()
        else:
            self._loop.call_later(LOOK_SECONDS, self._look)
