"""Checks of what a server says of a model, and of models and versions that it does not have."""

from typing import Any

from dubito.conformance.check import expects
from dubito.conformance.finding import Basis, NotChecked, require
from dubito.conformance.metadata import (
    JSON_MEDIA,
    NOT_FOUND,
    OK,
    described_model,
    object_answer,
    read_error,
)
from dubito.conformance.target import TargetServer, encoded_body
from dubito.conformance.tensors import DescribedTensor

NO_MODEL, NO_VERSION = "/v2/models/no-such-model", "987654321"


@expects(Basis.PROTOCOL)
def model_description(server: TargetServer) -> None:
    """A model's metadata has its name, platform, inputs and outputs."""
    described = described_model(server.address.ask(server.path()))
    require(described.name == server.model, "name is not that of the path")
    require(bool(described.inputs), "inputs has no tensor, so that no client knows what to send")
    require(bool(described.outputs), "outputs has no tensor, so that no client knows what comes")


@expects(Basis.PROTOCOL)
def version_metadata(server: TargetServer) -> None:
    """The metadata of a version has the model's inputs and outputs, and names the version."""
    described = described_model(server.address.ask(server.path(version=server.version)))
    require(server.version in described.versions, "versions does not name it")
    whole = server.described
    is_same = (described.inputs, described.outputs) == (whole.inputs, whole.outputs)
    require(is_same, "its inputs or outputs are others")


@expects(Basis.PROTOCOL)
def model_ready(server: TargetServer) -> None:
    """GET …/ready of a model is 200 while it can be asked."""
    status = server.address.ask(server.path("/ready")).status
    require(status == OK, f"the status is {status}")


@expects(Basis.PROTOCOL)
def version_ready(server: TargetServer) -> None:
    """GET …/ready of a version is 200 while it can be asked."""
    status = server.address.ask(server.path("/ready", server.version)).status
    require(status == OK, f"the status is {status}")


@expects(Basis.CARE)
def no_such_model(server: TargetServer) -> None:
    """The metadata and readiness of a model that is not there are an error of status 404."""
    for end in ("", "/ready"):
        read_error(server.address.ask(f"{NO_MODEL}{end}"), NOT_FOUND)


@expects(Basis.CARE)
def infer_no_such_model(server: TargetServer) -> None:
    """An inference by a model that is not there is an error of status 404."""
    body, headers = encoded_body(server.body()), {"Content-Type": JSON_MEDIA}
    read_error(server.address.ask(f"{NO_MODEL}/infer", body, headers), NOT_FOUND)


@expects(Basis.CARE)
def no_such_version(server: TargetServer) -> None:
    """The metadata of a version that is not there is an error of status 404."""
    _require_versions(server)
    read_error(server.address.ask(server.path(version=NO_VERSION)), NOT_FOUND)


@expects(Basis.CARE)
def infer_no_such_version(server: TargetServer) -> None:
    """An inference by a version that is not there is an error of status 404."""
    _require_versions(server)
    read_error(server.infer(encoded_body(server.body()), version=NO_VERSION), NOT_FOUND)


@expects(Basis.EXTENSION)
def model_configuration(server: TargetServer) -> None:
    """A model's configuration has the members that perf_analyzer reads, and its tensors' names."""
    server.require_extension("model_configuration")
    configuration = object_answer(server.address.ask(server.path("/config")))
    require(configuration.get("name") == server.model, "name is not that of the path")
    size = configuration.get("max_batch_size")
    require(isinstance(size, int) and size >= 0, "max_batch_size is no number")
    _check_configured(configuration.get("input"), "input", server.described.inputs)
    _check_configured(configuration.get("output"), "output", server.described.outputs)


def _check_configured(tensors: Any, member: str, described: tuple[DescribedTensor, ...]) -> None:
    """Compare a list of the configuration with the metadata."""
    is_list = isinstance(tensors, list) and all(isinstance(tensor, dict) for tensor in tensors)
    require(is_list, f"{member} is no list of objects")
    names = [tensor.name for tensor in described]
    for tensor in tensors:
        require(tensor.get("name") in names, f"{member} has a tensor that metadata has not")
        kind = tensor.get("data_type")
        require(str(kind).startswith("TYPE_"), f"{member}.data_type is none of Triton's")
        require(kind != "TYPE_BYTES", f"{member}.data_type is TYPE_BYTES, not TYPE_STRING")


def _require_versions(server: TargetServer) -> None:
    if not server.described.versions:
        raise NotChecked("the model's metadata names no version")


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
