"""Checks of a server: its health and metadata, and paths that it does not have."""

from dubito.conformance.check import expects
from dubito.conformance.described import NOT_FOUND, OK, good_json, refusal
from dubito.conformance.examined import ExaminedServer
from dubito.conformance.finding import Basis, require


@expects(Basis.PROTOCOL)
def server_live(server: ExaminedServer) -> None:
    """GET /v2/health/live is 200 while the server lives."""
    status = server.address.ask("/v2/health/live").status
    require(status == OK, f"the status is {status}")


@expects(Basis.PROTOCOL)
def server_ready(server: ExaminedServer) -> None:
    """GET /v2/health/ready is 200 while models can be asked."""
    status = server.address.ask("/v2/health/ready").status
    require(status == OK, f"the status is {status}")


@expects(Basis.CLIENTS)
def health_in_json(server: ExaminedServer) -> None:
    """Health is told in JSON as well, which the client of KServe reads: live, ready."""
    for name in ("live", "ready"):
        told = good_json(server.address.ask(f"/v2/health/{name}"))
        require(isinstance(told, dict) and told.get(name) is True, f"{name} is not true")


@expects(Basis.PROTOCOL)
def server_description(server: ExaminedServer) -> None:
    """GET /v2 has the server's name, version and extensions."""
    told = good_json(server.address.ask("/v2"))
    require(isinstance(told, dict), "the metadata is no object")
    for name in ("name", "version"):
        require(isinstance(told.get(name), str) and told[name] != "", f"{name} is no text")
    names = told.get("extensions")
    is_list = isinstance(names, list) and all(isinstance(one, str) for one in names)
    require(is_list, "extensions is no list of texts")


@expects(Basis.CLIENTS)
def trailing_slash(server: ExaminedServer) -> None:
    """GET /v2/ is answered as GET /v2, for both are in published descriptions."""
    plain = good_json(server.address.ask("/v2"))
    require(good_json(server.address.ask("/v2/")) == plain, "the answer is another")


@expects(Basis.PROTOCOL)
def no_such_path(server: ExaminedServer) -> None:
    """A path that does not exist is refused with 404 and a sentence."""
    answer = server.address.ask("/v2/no-such-path")
    refusal(answer)
    require(answer.status == NOT_FOUND, f"the status is {answer.status}")


SERVER_CHECKS = (
    server_live,
    server_ready,
    health_in_json,
    server_description,
    trailing_slash,
    no_such_path,
)
"""All of them, in the order of the report."""
