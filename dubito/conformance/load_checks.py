"""Checks of many requests at once: each has the answer to what it asked."""

from concurrent.futures import ThreadPoolExecutor

from dubito.conformance.check import expects
from dubito.conformance.examined import ExaminedServer, encoded_body
from dubito.conformance.finding import Basis, NotChecked, require
from dubito.conformance.inferred import InferAnswer, differing, read_infer

THREADS, REQUESTS = 16, 96
"""Clients at once, and their requests in all."""


@expects(Basis.PROTOCOL)
def ids_of_requests_at_once(server: ExaminedServer) -> None:
    """Each of many requests at once has its own id in its answer."""
    server.answer()

    def ask(at: int) -> InferAnswer:
        return read_infer(server.infer(encoded_body(server.body(id=f"request {at}"))))

    with ThreadPoolExecutor(THREADS) as pool:
        for at, answer in enumerate(pool.map(ask, range(REQUESTS))):
            require(answer.id == f"request {at}", "an answer has the id of another request")


@expects(Basis.PROTOCOL)
def inputs_of_requests_at_once(server: ExaminedServer) -> None:
    """Each of many requests at once is answered as if it were alone."""
    if len(server.others) == 1:
        raise NotChecked("only one request is known that the model answers")
    names = list(server.repeated)
    alone = [server.answer(inputs).outputs for inputs in server.others]

    def ask(at: int) -> InferAnswer:
        return server.answer(server.others[at % len(alone)])

    with ThreadPoolExecutor(THREADS) as pool:
        for at, answer in enumerate(pool.map(ask, range(REQUESTS))):
            name = differing(answer.outputs, alone[at % len(alone)], names)
            require(name is None, f"{name} is another than of the request alone")


LOAD_CHECKS = (ids_of_requests_at_once, inputs_of_requests_at_once)
"""All of them, in the order of the report."""
