"""Checks of the extensions `model_repository` and `statistics`, as far as they only read."""

from typing import Any

from dubito.conformance.check import expects
from dubito.conformance.described import good_json
from dubito.conformance.examined import ExaminedServer, encoded_body
from dubito.conformance.finding import Basis, Differs, require

STATES = frozenset({"READY", "UNAVAILABLE", "LOADING", "UNLOADING", "UNKNOWN"})
TIMES = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")
"""Members of the statistics that have a count and nanoseconds."""
INDEX = "/v2/repository/index"


@expects(Basis.EXTENSION)
def repository_index(server: ExaminedServer) -> None:
    """The index of the repository is a list of models with their states, the model among them."""
    server.require_extension("model_repository")
    index = _index(server, b"")
    require(server.model in [one["name"] for one in index], "the model is not in the index")


@expects(Basis.EXTENSION)
def ready_index(server: ExaminedServer) -> None:
    """The index of what is ready has no model in another state."""
    server.require_extension("model_repository")
    index = _index(server, encoded_body({"ready": True}))
    is_ready = all(one.get("state") == "READY" for one in index)
    require(is_ready, "a model in another state than READY is in the index")
    require(server.model in [one["name"] for one in index], "the model is not in the index")


@expects(Basis.EXTENSION)
def model_statistics(server: ExaminedServer) -> None:
    """A model's statistics have the members that perf_analyzer reads."""
    server.require_extension("statistics")
    _statistics(server)


@expects(Basis.EXTENSION)
def counted_requests(server: ExaminedServer) -> None:
    """The statistics count answered and failed requests and rows."""
    server.require_extension("statistics")
    before = _statistics(server)
    server.answer()
    server.infer(encoded_body(server.body(inputs=[])))
    after = _statistics(server)
    require(after["inference_count"] > before["inference_count"], "inference_count stands still")
    for name in ("success", "fail"):
        then, now = (one["inference_stats"][name]["count"] for one in (before, after))
        require(now > then, f"the count of {name} stands still")


@expects(Basis.EXTENSION)
def statistics_of_all(server: ExaminedServer) -> None:
    """The statistics of all models have the model's."""
    server.require_extension("statistics")
    told = good_json(server.address.ask("/v2/models/stats"))
    names = [one.get("name") for one in _models(told)]
    require(server.model in names, "the model is not among them")


def _index(server: ExaminedServer, body: bytes) -> list[dict[str, Any]]:
    told = good_json(server.address.ask(INDEX, body))
    if not isinstance(told, list):
        raise Differs("the index is no list")
    for one in told:
        is_model = isinstance(one, dict) and isinstance(one.get("name"), str)
        require(is_model, "a model of the index has no name")
        require(one.get("state", "READY") in STATES, "a state is none of the protocol's")
    return told


def _statistics(server: ExaminedServer) -> dict[str, Any]:
    told = good_json(server.address.ask(server.path("/stats")))
    found = next((one for one in _models(told) if one.get("name") == server.model), None)
    if found is None:
        raise Differs("the model is not among the statistics")
    require(isinstance(found.get("version"), str), "version is no text")
    for name in ("inference_count", "execution_count", "last_inference"):
        require(_is_count(found.get(name)), f"{name} is no number")
    times = found.get("inference_stats")
    if not isinstance(times, dict):
        raise Differs("inference_stats is no object")
    for name in TIMES:
        one = times.get(name)
        is_time = isinstance(one, dict) and _is_count(one.get("count")) and _is_count(one.get("ns"))
        require(is_time, f"inference_stats.{name} has no count and ns")
    return found


def _models(told: Any) -> list[dict[str, Any]]:
    models = told.get("model_stats") if isinstance(told, dict) else None
    if not isinstance(models, list) or not all(isinstance(one, dict) for one in models):
        raise Differs("model_stats is no list of objects")
    return models


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


EXTENSION_CHECKS = (
    repository_index,
    ready_index,
    model_statistics,
    counted_requests,
    statistics_of_all,
)
"""All of them, in the order of the report."""
