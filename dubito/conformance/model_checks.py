"""Checks of what a server says of a model, and of models and versions that it does not have."""

from typing import Any

from dubito.conformance.check import expects
from dubito.conformance.described import NOT_FOUND, OK, described_model, good_json, refusal
from dubito.conformance.examined import ExaminedServer, encoded_body
from dubito.conformance.finding import Basis, require
from dubito.conformance.tensors import DescribedTensor

NOWHERE = "/v2/models/no-such-model"
NO_VERSION = "987654321"


@expects(Basis.PROTOCOL)
def model_description(server: ExaminedServer) -> None:
    """A model's metadata has its name, platform, inputs and outputs."""
    told = described_model(server.address.ask(server.path()))
    require(told.name == server.model, "name is not that of the path")
    require(bool(told.inputs), "inputs has no tensor, so that no client knows what to send")
    require(bool(told.outputs), "outputs has no tensor, so that no client knows what to expect")


@expects(Basis.PROTOCOL)
def version_metadata(server: ExaminedServer) -> None:
    """The metadata of a version has the same inputs and outputs, and names the version."""
    told = described_model(server.address.ask(server.path(version=server.version)))
    require(server.version in told.versions, "versions does not name it")
    same = (told.inputs, told.outputs) == (server.described.inputs, server.described.outputs)
    require(same, "its inputs or outputs are others")


@expects(Basis.PROTOCOL)
def model_ready(server: ExaminedServer) -> None:
    """GET …/ready of a model is 200 while it can be asked."""
    status = server.address.ask(server.path("/ready")).status
    require(status == OK, f"the status is {status}")


@expects(Basis.PROTOCOL)
def version_ready(server: ExaminedServer) -> None:
    """GET …/ready of a version is 200 while it can be asked."""
    status = server.address.ask(server.path("/ready", server.version)).status
    require(status == OK, f"the status is {status}")


@expects(Basis.PROTOCOL)
def no_such_model(server: ExaminedServer) -> None:
    """The metadata and readiness of a model that is not there are refused with 404."""
    for end in ("", "/ready"):
        answer = server.address.ask(f"{NOWHERE}{end}")
        refusal(answer)
        require(answer.status == NOT_FOUND, f"the status is {answer.status}")


@expects(Basis.PROTOCOL)
def infer_no_such_model(server: ExaminedServer) -> None:
    """An inference by a model that is not there is refused with 404."""
    answer = server.address.ask(f"{NOWHERE}/infer", encoded_body(server.body()))
    refusal(answer)
    require(answer.status == NOT_FOUND, f"the status is {answer.status}")


@expects(Basis.PROTOCOL)
def no_such_version(server: ExaminedServer) -> None:
    """The metadata of a version that is not there is refused with 404."""
    answer = server.address.ask(server.path(version=NO_VERSION))
    refusal(answer)
    require(answer.status == NOT_FOUND, f"the status is {answer.status}")


@expects(Basis.PROTOCOL)
def infer_no_such_version(server: ExaminedServer) -> None:
    """An inference by a version that is not there is refused with 404."""
    answer = server.infer(encoded_body(server.body()), version=NO_VERSION)
    refusal(answer)
    require(answer.status == NOT_FOUND, f"the status is {answer.status}")


@expects(Basis.EXTENSION)
def model_configuration(server: ExaminedServer) -> None:
    """A model's configuration has the members that perf_analyzer reads, and its tensors' names."""
    server.require_extension("model_configuration")
    told = good_json(server.address.ask(server.path("/config")))
    require(isinstance(told, dict), "the configuration is no object")
    require(told.get("name") == server.model, "name is not that of the path")
    size = told.get("max_batch_size")
    require(isinstance(size, int) and size >= 0, "max_batch_size is no number")
    for member, tensors in (
        ("input", server.described.inputs),
        ("output", server.described.outputs),
    ):
        _configured(told.get(member), member, tensors)


def _configured(told: Any, member: str, tensors: tuple[DescribedTensor, ...]) -> None:
    is_list = isinstance(told, list) and all(isinstance(one, dict) for one in told)
    require(is_list, f"{member} is no list of objects")
    names = {one.get("name") for one in told}
    require({one.name for one in tensors} >= names, f"{member} has a tensor that metadata has not")
    for one in told:
        kind = one.get("data_type")
        require(str(kind).startswith("TYPE_"), f"{member}.data_type is none of Triton's")
        require(kind != "TYPE_BYTES", f"{member}.data_type is TYPE_BYTES, not TYPE_STRING")


MODEL_CHECKS = (
    model_description,
    version_metadata,
    model_ready,
    version_ready,
    no_such_model,
    infer_no_such_model,
    no_such_version,
    infer_no_such_version,
    model_configuration,
)
"""All of them, in the order of the report."""
