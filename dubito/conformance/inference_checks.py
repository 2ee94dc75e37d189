"""Checks of inference in JSON: what a request may have, and what its answer has."""

from collections.abc import Iterator

from dubito.conformance.check import expects
from dubito.conformance.described import good_json, refusal
from dubito.conformance.examined import ExaminedServer, candidates, encoded_body
from dubito.conformance.finding import Basis, Differs, NotChecked, require
from dubito.conformance.inferred import InferAnswer, differing, read_infer
from dubito.conformance.tensors import FilledTensor

PLAIN_TYPES = ("", "application/octet-stream", "application/x-www-form-urlencoded")
"""Media types of JSON that clients send: none, that of aiohttp for bytes, and that of curl."""
ODD_ID = 'Ünïcode \U0001f60a " \\ 7'
CHUNK = 7
"""Bytes of a chunk."""


@expects(Basis.PROTOCOL)
def inference(server: ExaminedServer) -> None:
    """A request in JSON as the metadata describes it is answered in JSON."""
    if server.found is None:
        read_infer(
            server.infer(encoded_body(server.body(next(candidates(server.described.inputs)))))
        )
        raise Differs("no request as the metadata describes it is answered: give one")
    answer = server.answer()
    require(answer.model_name == server.model, "model_name is not that of the path")
    require(bool(answer.outputs), "outputs has no tensor")


@expects(Basis.PROTOCOL)
def described_outputs(server: ExaminedServer) -> None:
    """Outputs have the names, datatypes and shapes of the metadata."""
    told = {one.name: one for one in server.described.outputs}
    if not told:
        raise NotChecked("the metadata has no outputs")
    for name, one in server.answer().outputs.items():
        require(name in told, f"{name} is not in the metadata")
        require(one.datatype == told[name].datatype, f"{name} has another datatype")
        require(told[name].fits(one.shape), f"{name} has another shape")


@expects(Basis.CLIENTS)
def flat_outputs(server: ExaminedServer) -> None:
    """Elements of an output are one flat list, as the C++ client reads them."""
    told = good_json(server.infer(encoded_body(server.body())))
    read_infer(server.infer(encoded_body(server.body())))
    for one in told["outputs"]:
        is_flat = not any(isinstance(element, list) for element in one["data"])
        require(is_flat, f"{one['name']} is nested")


@expects(Basis.PROTOCOL)
def same_id(server: ExaminedServer) -> None:
    """The id of a request is that of its answer."""
    for ident in ("7", ODD_ID):
        require(server.answer(id=ident).id == ident, "the id is another")


@expects(Basis.CLIENTS)
def empty_id(server: ExaminedServer) -> None:
    """An empty id, which the C++ client sends, is as none."""
    server.answer(id="")


@expects(Basis.PROTOCOL)
def named_output(server: ExaminedServer) -> None:
    """Where a request names outputs, the answer has these and no others."""
    for name in server.answer().outputs:
        found = list(server.answer(outputs=[{"name": name}]).outputs)
        require(found == [name], f"{name} was asked for, and {', '.join(found) or 'none'} answered")


@expects(Basis.PROTOCOL)
def no_such_output(server: ExaminedServer) -> None:
    """An output that is not there is refused."""
    refusal(server.infer(encoded_body(server.body(outputs=[{"name": "no-such-output"}]))))


@expects(Basis.CLIENTS)
def no_named_outputs(server: ExaminedServer) -> None:
    """An empty list of outputs is as none: all are answered."""
    found, wanted = server.answer(outputs=[]).outputs, server.answer().outputs
    require(set(found) == set(wanted), "the outputs are others")


@expects(Basis.PROTOCOL)
def nested_data(server: ExaminedServer) -> None:
    """Elements in nested lists are those of a flat one."""
    nested = [one.as_nested() for one in server.inputs]
    _same(server, server.answer(inputs=nested))


@expects(Basis.CLIENTS)
def name_in_body(server: ExaminedServer) -> None:
    """A model_name in the body, which the client of KServe sends, changes nothing."""
    require(server.answer(model_name=server.model).model_name == server.model, "it is another")


@expects(Basis.PROTOCOL)
def version_of_path(server: ExaminedServer) -> None:
    """A version in the path answers, and its answer names it."""
    body = encoded_body(server.body())
    told = read_infer(server.infer(body, version=server.version)).model_version
    require(told in (None, server.version), "model_version is another")


@expects(Basis.CLIENTS)
def any_media_type(server: ExaminedServer) -> None:
    """A request without `Content-Type`, or with one that clients send by themselves, is read."""
    for kind in PLAIN_TYPES:
        headers = {"Content-Type": kind} if kind else {}
        body = encoded_body(server.body())
        read_infer(server.address.ask(server.path("/infer"), body, headers))


@expects(Basis.EXTENSION)
def known_parameters(server: ExaminedServer) -> None:
    """The parameters priority and timeout, which tritonclient knows, are taken."""
    server.require_extension("parameters")
    sent = {"priority": 1, "timeout": 60_000_000, **server.parameters}
    server.answer(parameters=sent)


@expects(Basis.PROTOCOL)
def chunked_body(server: ExaminedServer) -> None:
    """A body in chunks is read, as in HTTP/1.1 it must be."""
    read_infer(server.infer(_chunks(encoded_body(server.body()))))


@expects(Basis.PROTOCOL)
def kept_connection(server: ExaminedServer) -> None:
    """A connection answers one request after another, also after a refusal."""
    good = encoded_body(server.body(id="kept"))
    with server.address.connected() as connection:
        for body in (good, b"{", good, good):
            answer = connection.ask(server.path("/infer"), body)
            if body is good:
                require(read_infer(answer).id == "kept", "an answer is that of another request")
            if answer.headers.get("connection", "").lower() == "close":
                return


@expects(Basis.PROTOCOL)
def rows_of_a_batch(server: ExaminedServer) -> None:
    """Rows of one request are answered as each alone, in their order."""
    if not server.is_batched or any(one.shape[:1] != (1,) for one in server.inputs):
        raise NotChecked("the first axis is not that of rows")
    alone = [server.answer(inputs).outputs for inputs in server.others]
    names = [name for name in server.repeated if all(name in one for one in alone)]
    together = server.answer(_stacked(server.others)).outputs
    rows = {name: list(together[name].rows()) for name in names if name in together}
    for row, told in enumerate(alone):
        for name, found in rows.items():
            require(len(found) == len(alone), f"{name} has {len(found)} rows of {len(alone)}")
            is_same = differing({name: found[row]}, told, [name]) is None
            require(is_same, f"{name} of row {row} is another than that of the row alone")


@expects(Basis.PROTOCOL)
def no_get(server: ExaminedServer) -> None:
    """GET …/infer is no inference."""
    refusal(server.address.ask(server.path("/infer")))


def _same(server: ExaminedServer, answer: InferAnswer) -> None:
    name = differing(server.repeated, answer.outputs, server.repeated)
    require(name is None, f"{name} is another than in plain JSON")


def _chunks(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), CHUNK):
        yield body[start : start + CHUNK]


def _stacked(rows: tuple[tuple[FilledTensor, ...], ...]) -> tuple[FilledTensor, ...]:
    """Return inputs that have the rows of several, one behind the other."""
    return tuple(
        FilledTensor(
            parts[0].name,
            parts[0].datatype,
            (len(parts), *parts[0].shape[1:]),
            tuple(element for part in parts for element in part.elements),
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
