"""Inferences with one bundle: from the tensors of a request to those of its response."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from app.inference.options import KEY, REFERENCE, options_of, text_of
from app.inference.outputs import DRAWS, RECORD, WARNINGS, Output, outputs_of, tensor_of
from app.inference.request import InferenceRequest
from app.inference.response import InferenceResponse
from app.inference.rows import TensorReader
from app.serving.caller import Caller
from app.settings import Settings
from app.usecases.idempotency import Record
from app.usecases.predict import Predict
from dubito.answer import AnyAnswer
from dubito.bundles.manifest import Manifest
from dubito.errors import Fault, FieldCode, InvalidInput, Ungradable
from dubito.inputs.faults import MOST_FAULTS
from dubito.inputs.options import MonteCarloOptions, monte_carlo_options

MOST_CHARACTERS = 200
"""Maximum characters of a reference, and of an idempotency key."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request asks for, validated except for its rows."""

    request: InferenceRequest
    outputs: Sequence[Output]
    binary: Sequence[bool]
    """Whether each of the outputs is to be binary data."""
    options: MonteCarloOptions
    reference: str | None
    key: str | None

    @property
    def is_plain(self) -> bool:
        """Whether the deterministic pass alone has all that is asked for."""
        names = {RECORD, WARNINGS}
        return any(one.of_plain for one in self.outputs) and all(
            one.of_plain or one.name in names for one in self.outputs
        )


class Inference:
    """Answers the requests for one bundle."""

    def __init__(self, manifest: Manifest, predict: Predict, settings: Settings) -> None:
        """Build the outputs and options of a bundle, with the service's limits."""
        target, calibration = manifest.target, manifest.calibration
        self.name = manifest.identity.name
        self.version = str(manifest.identity.version)
        self.outputs = outputs_of(target, calibration, manifest.members)
        self._by_name = {output.name: output for output in self.outputs}
        self._usual = [output for output in self.outputs if not output.is_asked]
        self._predict = predict
        self._reader = TensorReader(manifest.signature, settings.max_rows)
        self._options = monte_carlo_options(
            target,
            manifest.passes,
            settings.max_passes,
            calibration,
            settings.deadline_ms,
            manifest.members,
        )

    def wish(self, request: InferenceRequest) -> Wish:
        """Validate the outputs and parameters of a request.

        Raises:
            InvalidInput: an output is unknown or given twice, or a parameter is not valid.
        """
        outputs = self._named(request) if request.outputs else self._usual
        binary = (
            [one.is_binary for one in request.outputs]
            if request.outputs
            else [request.is_binary] * len(outputs)
        )
        draws = {DRAWS: "true"} if any(one.name == DRAWS for one in outputs) else {}
        parameters = request.parameters
        return Wish(
            request,
            outputs,
            binary,
            options_of(self._options, parameters, **draws),
            text_of(parameters, REFERENCE, MOST_CHARACTERS),
            text_of(parameters, KEY, MOST_CHARACTERS),
        )

    async def answer(self, wish: Wish, caller: Caller, record: Record) -> InferenceResponse:
        """Compute what is asked for, and add it to the record of the request.

        Raises:
            InvalidInput: a tensor or value is not valid, or the work is over a limit.
            Unavailable: the queue is full, or the caller's deadline cannot be met.
            DeadlinePassed: the deadline passed after the request was accepted.
            Abandoned: the caller has disconnected.
        """
        try:
            return await self._answered(wish, caller, record)
        except Ungradable as error:
            raise error.within("inputs") from None
        except InvalidInput as error:
            raise InvalidInput([_of_parameters(fault) for fault in error.faults]) from None

    async def _answered(self, wish: Wish, caller: Caller, record: Record) -> InferenceResponse:
        request, options = wish.request, wish.options
        if not wish.is_plain:
            self._predict.admit(max(1, request.inputs[0].shape[0]), options, caller)
        rows = self._reader.read(request.inputs)
        answers: Sequence[AnyAnswer] = ()
        plain: Sequence[AnyAnswer] = ()
        if not wish.is_plain:
            computed = await self._predict.monte_carlo(rows, options, caller, record)
            answers = list(chain.from_iterable(await computed.each(list)))
        if any(output.of_plain for output in wish.outputs):
            checked = await self._predict.plain(rows, caller, record)
            plain = list(chain.from_iterable(await checked.each(list)))
        return InferenceResponse(
            self.name,
            self.version,
            request.id,
            [
                tensor_of(output, plain if output.of_plain or wish.is_plain else answers)
                for output in wish.outputs
            ],
        )

    def _named(self, request: InferenceRequest) -> list[Output]:
        """Return the outputs that a request names."""
        names = [one.name for one in request.outputs]
        faults = [
            Fault(("outputs", name), FieldCode.UNKNOWN, "is not known")
            for name in names
            if name not in self._by_name
        ]
        if not faults and len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            faults = [Fault(("outputs", twice), FieldCode.GIVEN_TWICE, "is given more than once")]
        if faults:
            raise InvalidInput(faults[:MOST_FAULTS])
        return [self._by_name[name] for name in names]


def _of_parameters(fault: Fault) -> Fault:
    """Name the parameter in place of one of a query."""
    if not fault.in_query:
        return fault
    return replace(fault, where=("parameters", *fault.where), in_query=False)
