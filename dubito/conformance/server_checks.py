"""Checks of a server: its health and metadata, and paths that it does not have."""

from dubito.conformance.check import expects
from dubito.conformance.finding import Basis, require
from dubito.conformance.metadata import (
    NOT_FOUND,
    OK,
    are_texts,
    json_answer,
    object_answer,
    read_error,
)
from dubito.conformance.target import TargetServer


@expects(Basis.PROTOCOL)
def server_live(server: TargetServer) -> None:
    """GET /v2/health/live is 200 while the server lives."""
    status = server.address.ask("/v2/health/live").status
    require(status == OK, f"the status is {status}")


@expects(Basis.PROTOCOL)
def server_ready(server: TargetServer) -> None:
    """GET /v2/health/ready is 200 while models can be asked."""
    status = server.address.ask("/v2/health/ready").status
    require(status == OK, f"the status is {status}")


@expects(Basis.CLIENTS)
def health_in_json(server: TargetServer) -> None:
    """Health is told in JSON as well, which the client of KServe reads: live, ready."""
    for name in ("live", "ready"):
        health = object_answer(server.address.ask(f"/v2/health/{name}"))
        require(health.get(name) is True, f"{name} is not true")


@expects(Basis.PROTOCOL)
def server_description(server: TargetServer) -> None:
    """GET /v2 has the server's name, version and extensions."""
    metadata = object_answer(server.address.ask("/v2"))
    for name in ("name", "version"):
        is_text = isinstance(metadata.get(name), str) and metadata[name] != ""
        require(is_text, f"{name} is no text")
    require(are_texts(metadata.get("extensions")), "extensions is no list of texts")


@expects(Basis.CARE)
def trailing_slash(server: TargetServer) -> None:
    """GET /v2/ is answered as GET /v2: both are in published descriptions."""
    plain = json_answer(server.address.ask("/v2"))
    require(json_answer(server.address.ask("/v2/")) == plain, "the answer is another")


@expects(Basis.CARE)
def no_such_path(server: TargetServer) -> None:
    """A path that does not exist is an error of status 404 with a sentence."""
    read_error(server.address.ask("/v2/no-such-path"), NOT_FOUND)


SERVER_CHECKS = (
    server_live,
    server_ready,
    health_in_json,
    server_description,
    trailing_slash,
    no_such_path,
)
"""All of them, in the order of the report."""
