"""Checks of inference in JSON: what a request may have, and what its answer has."""

from collections.abc import Iterator, Sequence

from dubito.conformance.check import expects
from dubito.conformance.finding import Basis, Differs, NotChecked, require
from dubito.conformance.infer_answer import InferAnswer, first_difference, read_infer
from dubito.conformance.metadata import CALLERS, ERRORS, JSON_MEDIA, object_answer, read_error
from dubito.conformance.target import RequestInputs, TargetServer, candidates, encoded_body
from dubito.conformance.tensors import ANY, FilledTensor

MEDIA_TYPES = ("", "application/octet-stream", "application/x-www-form-urlencoded")
"""Media types of JSON that clients send: none, that of aiohttp for bytes, and that of curl."""
ODD_ID = 'Ünïcode \U0001f60a " \\ 7'
CHUNK = 7
"""Bytes of a chunk."""


@expects(Basis.PROTOCOL)
def inference(server: TargetServer) -> None:
    """A request in JSON as the metadata describes it is answered in JSON."""
    if server.found is None:
        _check_first(server)
    answer = server.answer()
    require(answer.model_name == server.model, "model_name is not that of the path")
    require(bool(answer.outputs), "outputs has no tensor")


@expects(Basis.PROTOCOL)
def described_outputs(server: TargetServer) -> None:
    """Outputs have the names, datatypes and shapes of the metadata."""
    described = {tensor.name: tensor for tensor in server.described.outputs}
    if not described:
        raise NotChecked("the metadata has no outputs")
    for name, tensor in server.answer().outputs.items():
        require(name in described, f"{name} is not in the metadata")
        require(tensor.datatype == described[name].datatype, f"{name} has another datatype")
        require(described[name].fits(tensor.shape), f"{name} has another shape")


@expects(Basis.CLIENTS)
def flat_outputs(server: TargetServer) -> None:
    """Elements of an output are one flat list, as the C++ client reads them."""
    answer = server.infer(encoded_body(server.body()))
    read_infer(answer)
    for output in object_answer(answer)["outputs"]:
        is_flat = not any(isinstance(element, list) for element in output.get("data", []))
        require(is_flat, f"{output['name']} is nested")


@expects(Basis.PROTOCOL)
def same_id(server: TargetServer) -> None:
    """The id of a request is that of its answer."""
    for ident in ("7", ODD_ID):
        require(server.answer(id=ident).id == ident, "the id is another")


@expects(Basis.CLIENTS)
def empty_id(server: TargetServer) -> None:
    """An empty id, which the C++ client sends, is as none."""
    server.answer(id="")


@expects(Basis.PROTOCOL)
def named_output(server: TargetServer) -> None:
    """Where a request names outputs, the answer has these and no others."""
    for name in server.answer().outputs:
        names = list(server.answer(outputs=[{"name": name}]).outputs)
        require(names == [name], f"{name} was asked for, and {', '.join(names) or 'none'} came")


@expects(Basis.CARE)
def no_such_output(server: TargetServer) -> None:
    """An output that is not there is an error."""
    read_error(server.infer(encoded_body(server.body(outputs=[{"name": "no-such-output"}]))))


@expects(Basis.CLIENTS)
def no_named_outputs(server: TargetServer) -> None:
    """An empty list of outputs is as none: all are answered."""
    names = server.answer(outputs=[]).outputs.keys()
    require(names == server.answer().outputs.keys(), "the outputs are others")


@expects(Basis.PROTOCOL)
def nested_data(server: TargetServer) -> None:
    """Elements in nested lists are those of a flat one."""
    require_same(server, server.answer(inputs=[tensor.as_nested() for tensor in server.inputs]))


@expects(Basis.CLIENTS)
def name_in_body(server: TargetServer) -> None:
    """A model_name in the body, which the client of KServe sends, changes nothing."""
    name = server.answer(model_name=server.model).model_name
    require(name == server.model, "model_name of the answer is another")


@expects(Basis.PROTOCOL)
def version_of_path(server: TargetServer) -> None:
    """A version in the path answers, and its answer names no other one."""
    version = read_infer(
        server.infer(encoded_body(server.body()), version=server.version)
    ).model_version
    require(version in (None, server.version), "model_version is another")


@expects(Basis.CLIENTS)
def any_media_type(server: TargetServer) -> None:
    """A request without `Content-Type`, or with one that clients send by themselves, is read."""
    for kind in MEDIA_TYPES:
        headers = {"Content-Type": kind} if kind else {}
        body = encoded_body(server.body())
        try:
            read_infer(server.address.ask(server.path("/infer"), body, headers))
        except Differs as error:
            raise Differs(f"with {kind or 'no Content-Type'} {error}") from error


@expects(Basis.EXTENSION)
def known_parameters(server: TargetServer) -> None:
    """The parameters priority and timeout, which tritonclient knows, are taken."""
    server.require_extension("parameters")
    server.answer(parameters={"priority": 1, "timeout": 60_000_000, **server.parameters})


@expects(Basis.PROTOCOL)
def chunked_body(server: TargetServer) -> None:
    """A body in chunks is read, as in HTTP/1.1 it must be."""
    read_infer(server.infer(_chunks(encoded_body(server.body()))))


@expects(Basis.PROTOCOL)
def kept_connection(server: TargetServer) -> None:
    """A connection answers one request after another, also after an error, or says that it ends."""
    good, headers = encoded_body(server.body(id="kept")), {"Content-Type": JSON_MEDIA}
    with server.address.connected() as connection:
        for body in (good, b"{", good, good):
            answer = connection.ask(server.path("/infer"), body, headers)
            if body is good:
                require(read_infer(answer).id == "kept", "an answer is that of another request")
            if connection.has_ended:
                return


@expects(Basis.PROTOCOL)
def rows_of_a_batch(server: TargetServer) -> None:
    """Rows of one request are answered as each alone, in their order."""
    alone = server.alone[: _most_rows(server)]
    if len(alone) == 1:
        raise NotChecked("the model takes one row in a request")
    stacked = _stacked([inputs for inputs, _ in alone])
    whole = server.infer(encoded_body(server.body(stacked)))
    is_told = bool(server.configuration)
    if whole.status in ERRORS and not is_told:
        raise NotChecked("a request of several rows is an error, and no configuration allows it")
    together = read_infer(whole).outputs
    for name in server.repeated:
        require(name in together, f"{name} is missing")
        rows = list(together[name].rows())
        if len(rows) != len(alone) and not is_told:
            raise NotChecked(f"the first axis of {name} is not that of rows")
        require(len(rows) == len(alone), f"{name} has {len(rows)} rows of {len(alone)}")
        for row, (_, outputs) in enumerate(alone):
            is_same = rows[row].is_same(outputs[name])
            require(is_same, f"{name} of row {row} is another than that of the row alone")


@expects(Basis.CARE)
def no_get(server: TargetServer) -> None:
    """GET …/infer is an error."""
    read_error(server.address.ask(server.path("/infer")))


def require_same(server: TargetServer, answer: InferAnswer) -> None:
    """Require the outputs that the request has in plain JSON."""
    name = first_difference(server.repeated, answer.outputs, server.repeated)
    require(name is None, f"{name} is another than of the request in plain JSON")


def _check_first(server: TargetServer) -> None:
    """Say why no made inputs are answered; values that a model refuses are its own affair."""
    first = server.infer(encoded_body(server.body(next(candidates(server.described.inputs)))))
    if first.status in CALLERS:
        raise NotChecked(f"the model takes no simple values, such as: {read_error(first)}")
    read_infer(first)


def _most_rows(server: TargetServer) -> int:
    """Return the most rows of a request.

    Raises:
        NotChecked: the first axis of some tensor is not that of rows.
    """
    described = (*server.described.inputs, *server.described.outputs)
    is_batched = all(tensor.shape[:1] == (ANY,) for tensor in described)
    if not is_batched or any(tensor.shape[:1] != (1,) for tensor in server.inputs):
        raise NotChecked("the first axis is not that of rows")
    size = server.configuration.get("max_batch_size")
    return max(1, size) if isinstance(size, int) else len(server.alone)


def _chunks(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), CHUNK):
        yield body[start : start + CHUNK]


def _stacked(rows: Sequence[RequestInputs]) -> RequestInputs:
    """Return inputs that have the rows of several, one behind the other."""
    return tuple(
        FilledTensor(
            parts[0].name,
            parts[0].datatype,
            (len(parts), *parts[0].shape[1:]),
            tuple(element for part in parts for element in part.elements),
            parts[0].parameters,
        )
        for parts in zip(*rows, strict=True)
    )


INFERENCE_CHECKS = (
    inference,
    described_outputs,
    flat_outputs,
    same_id,
    empty_id,
    named_output,
    no_such_output,
    no_named_outputs,
    nested_data,
    name_in_body,
    version_of_path,
    any_media_type,
    known_parameters,
    chunked_body,
    kept_connection,
    rows_of_a_batch,
    no_get,
)
"""All of them, in the order of the report."""
