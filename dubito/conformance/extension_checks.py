"""Checks of the extensions `model_repository` and `statistics`, as far as they only read."""

import time
from typing import Any

from dubito.conformance.check import expects
from dubito.conformance.finding import Basis, Differs, require
from dubito.conformance.metadata import JSON_MEDIA, json_answer, object_answer
from dubito.conformance.target import TargetServer, encoded_body

STATES = frozenset({"READY", "UNAVAILABLE", "LOADING", "UNLOADING", "UNKNOWN"})
TIMES = (
    *("success", "fail", "queue", "compute_input", "compute_infer", "compute_output"),
    *("cache_hit", "cache_miss"),
)
"""Members of the statistics that have a count and nanoseconds."""
COUNTS = ("inference_count", "execution_count", "last_inference")
INDEX = "/v2/repository/index"
COUNT_SECONDS, PAUSE_SECONDS = 2.0, 0.1
"""Seconds until an answered request is counted, and between two looks."""


@expects(Basis.EXTENSION)
def repository_index(server: TargetServer) -> None:
    """The index of the repository is a list of models with their states, the model among them."""
    server.require_extension("model_repository")
    names = [model["name"] for model in _index(server, b"")]
    require(server.model in names, "the model is not in the index")


@expects(Basis.EXTENSION)
def ready_index(server: TargetServer) -> None:
    """The index of what is ready has no model in another state."""
    server.require_extension("model_repository")
    index = _index(server, encoded_body({"ready": True}))
    is_ready = all(model.get("state") == "READY" for model in index)
    require(is_ready, "a model in another state than READY is in the index")
    names = [model["name"] for model in index]
    require(server.model in names, "the model is not in the index")


@expects(Basis.EXTENSION)
def model_statistics(server: TargetServer) -> None:
    """A model's statistics have the members that perf_analyzer reads."""
    server.require_extension("statistics")
    _statistics(server)


@expects(Basis.EXTENSION)
def counted_requests(server: TargetServer) -> None:
    """The statistics count answered requests and rows."""
    server.require_extension("statistics")
    before = _statistics(server)
    server.answer()
    end = time.monotonic() + COUNT_SECONDS
    while (wrong := _not_counted(before, _statistics(server))) and time.monotonic() < end:
        time.sleep(PAUSE_SECONDS)
    require(not wrong, f"{wrong} stands still")


@expects(Basis.EXTENSION)
def statistics_of_all(server: TargetServer) -> None:
    """The statistics of all models have the model's."""
    server.require_extension("statistics")
    models = _models(object_answer(server.address.ask("/v2/models/stats")))
    names = [model.get("name") for model in models]
    require(server.model in names, "the model is not among them")


def _index(server: TargetServer, body: bytes) -> list[dict[str, Any]]:
    index = json_answer(server.address.ask(INDEX, body, {"Content-Type": JSON_MEDIA}))
    if not isinstance(index, list):
        raise Differs("the index is no list")
    for model in index:
        if not isinstance(model, dict) or not isinstance(model.get("name"), str):
            raise Differs("a model of the index has no name")
        state = model.get("state", "READY")
        is_known = isinstance(state, str) and state in STATES
        require(is_known, "a state is none of the protocol's")
    return index


def _statistics(server: TargetServer) -> dict[str, Any]:
    """Return the statistics of the version that answers."""
    models = [
        model
        for model in _models(object_answer(server.address.ask(server.path("/stats"))))
        if model.get("name") == server.model
    ]
    for model in models:
        require(isinstance(model.get("version"), str), "version is no text")
    if len(models) > 1:
        models = [model for model in models if model["version"] == server.version]
    if not models:
        raise Differs("the model is not among the statistics")
    for name in COUNTS:
        require(_is_count(models[0].get(name)), f"{name} is no number")
    times = models[0].get("inference_stats")
    if not isinstance(times, dict):
        raise Differs("inference_stats is no object")
    for name in TIMES:
        one = times.get(name)
        is_time = isinstance(one, dict) and _is_count(one.get("count")) and _is_count(one.get("ns"))
        require(is_time, f"inference_stats.{name} has no count and ns")
    return models[0]


def _not_counted(before: dict[str, Any], after: dict[str, Any]) -> str | None:
    """Return the first count that does not grow."""
    if after["inference_count"] <= before["inference_count"]:
        return "inference_count"
    then, now = (model["inference_stats"]["success"]["count"] for model in (before, after))
    return "the count of success" if now <= then else None


def _models(statistics: dict[str, Any]) -> list[dict[str, Any]]:
    models = statistics.get("model_stats")
    if not isinstance(models, list) or not all(isinstance(model, dict) for model in models):
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
