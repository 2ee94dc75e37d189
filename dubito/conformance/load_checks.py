"""Checks of many requests at once: each has the answer to what it asked."""

from concurrent.futures import ThreadPoolExecutor

from dubito.conformance.check import expects
from dubito.conformance.finding import Basis, require
from dubito.conformance.infer_answer import InferAnswer, first_difference
from dubito.conformance.target import TargetServer

THREADS, REQUESTS = 16, 96
"""Clients at once, and their requests in all."""


@expects(Basis.PROTOCOL)
def ids_of_requests_at_once(server: TargetServer) -> None:
    """Each of many requests at once has its own id in its answer."""
    inputs = server.inputs

    def ask(number: int) -> InferAnswer:
        return server.answer(inputs, id=f"request {number}")

    with ThreadPoolExecutor(THREADS) as pool:
        for number, answer in enumerate(pool.map(ask, range(REQUESTS))):
            is_own = answer.id == f"request {number}"
            require(is_own, "an answer has the id of another request")


@expects(Basis.PROTOCOL)
def inputs_of_requests_at_once(server: TargetServer) -> None:
    """Each of many requests at once is answered as if it were alone."""
    alone, names = server.alone, server.repeated.keys()

    def ask(number: int) -> InferAnswer:
        return server.answer(alone[number % len(alone)][0])

    with ThreadPoolExecutor(THREADS) as pool:
        for number, answer in enumerate(pool.map(ask, range(REQUESTS))):
            name = first_difference(answer.outputs, alone[number % len(alone)][1], names)
            require(name is None, f"{name} is another than of the request alone")


LOAD_CHECKS = (ids_of_requests_at_once, inputs_of_requests_at_once)
"""All of them, in the order of the report."""
