"""Inferences with one bundle: from the tensors of a request to those of its response."""

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

from msgspec import Struct

from app.inference.options import KEY, REFERENCE, options_of, text_of
from app.inference.outputs import DRAWS, RECORD, WARNINGS, Output, outputs_of, tensor_of
from app.inference.request import InferenceRequest, Parameters
from app.inference.response import InferenceResponse
from app.inference.rows import TensorReader
from app.serving.caller import Caller
from app.serving.predictor import ROWS_IN_TURN
from app.settings import Settings
from app.usecases.idempotency import MOST_CHARACTERS, Record
from app.usecases.predict import Predict
from dubito.answer import AnyAnswer
from dubito.bundles.manifest import Manifest
from dubito.errors import Fault, FieldCode, InvalidInput, Ungradable
from dubito.inputs.faults import MOST_FAULTS
from dubito.inputs.options import MonteCarloOptions, monte_carlo_options

REMEMBERED, MOST_KNOWN = 1024, 12
"""Number of requests' options that are remembered, and the most parameters of such a request."""
LARGEST_KNOWN = 2**64
"""Largest whole number of a parameter that is remembered."""


@dataclass(frozen=True)
class OutputSelection:
    """The outputs that a request asks for."""

    outputs: Sequence[Output]

    @cached_property
    def has_plain(self) -> bool:
        """Whether one is taken from the deterministic answer."""
        return any(one.of_plain for one in self.outputs)

    @cached_property
    def has_passes(self) -> bool:
        """Whether one is taken from the passes; what both answers have, from those too."""
        names = {RECORD, WARNINGS}
        return not self.has_plain or any(
            not one.of_plain and one.name not in names for one in self.outputs
        )

    @cached_property
    def has_draws(self) -> bool:
        """Whether every pass is asked for."""
        return any(one.name == DRAWS for one in self.outputs)


class ValidatedRequest(Struct, frozen=True):
    """What a request asks for, validated except for its rows."""

    request: InferenceRequest
    selection: OutputSelection
    binary: Sequence[bool]
    """Whether each of the outputs is to be binary data."""
    options: MonteCarloOptions
    reference: str | None
    key: str | None


class Inference:
    """Answers the requests for one bundle."""

    def __init__(self, manifest: Manifest, predict: Predict, settings: Settings) -> None:
        """Build the outputs and options of a bundle, with the service's limits."""
        target, calibration = manifest.target, manifest.calibration
        self.name = manifest.identity.name
        self.version = str(manifest.identity.version)
        self.outputs = outputs_of(target, calibration, manifest.members)
        self._by_name = {output.name: output for output in self.outputs}
        self._usual = OutputSelection([output for output in self.outputs if not output.is_asked])
        self._known: dict[Hashable, MonteCarloOptions] = {}
        """Options of the parameters of earlier requests."""
        self._predict = predict
        self.users = predict.users
        self._reader = TensorReader(manifest.signature, settings.max_rows)
        self.expect = self._reader.expect
        self._options = monte_carlo_options(
            target,
            manifest.passes,
            settings.max_passes,
            calibration,
            settings.deadline_ms,
            manifest.members,
        )

    def validate(self, request: InferenceRequest) -> ValidatedRequest:
        """Validate the outputs and parameters of a request.

        Raises:
            InvalidInput: an output is unknown or given twice, or a parameter is not valid.
        """
        selection, count = self._usual, len(self._usual.outputs)
        if request.outputs:
            selection = OutputSelection(self._named(request))
            binary = [one.is_binary for one in request.outputs]
        else:
            binary = [request.is_binary] * count
        parameters = request.parameters
        return ValidatedRequest(
            request,
            selection,
            binary,
            self._validated(parameters, has_draws=selection.has_draws),
            text_of(parameters, REFERENCE, MOST_CHARACTERS),
            text_of(parameters, KEY, MOST_CHARACTERS),
        )

    def _validated(self, parameters: Parameters, *, has_draws: bool) -> MonteCarloOptions:
        """Validate parameters; those of before are known, as most clients send the same again."""
        known: Hashable = None
        if len(parameters) <= MOST_KNOWN:
            # 1, 1.0 and true are equal.
            items = [(name, type(one), one) for name, one in parameters.items()]
            known = (has_draws, *items) if all(map(_is_short, parameters.values())) else None
        if known is not None and (found := self._known.get(known)) is not None:
            return found
        if DRAWS in parameters:
            message = "is no parameter: name the output of this name"
            raise InvalidInput([Fault(("parameters", DRAWS), FieldCode.UNKNOWN, message)])
        draws = {DRAWS: "true"} if has_draws else {}
        options: MonteCarloOptions = options_of(self._options, parameters, **draws)
        if known is not None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[known] = options
        return options

    async def answer(
        self, validated: ValidatedRequest, caller: Caller, record: Record
    ) -> InferenceResponse:
        """Compute what is asked for, and add it to the record of the request.

        Raises:
            InvalidInput: a tensor or value is not valid, or the work is over a limit.
            Unavailable: the queue is full, or the caller's deadline cannot be met.
            DeadlinePassed: the deadline passed after the request was accepted.
            Abandoned: the caller has disconnected.
        """
        try:
            return await self._answered(validated, caller, record)
        except Ungradable as error:
            raise error.within("inputs") from None
        except InvalidInput as error:
            raise InvalidInput([_of_parameters(fault) for fault in error.faults]) from None

    async def _answered(
        self, validated: ValidatedRequest, caller: Caller, record: Record
    ) -> InferenceResponse:
        request, options, selection = validated.request, validated.options, validated.selection
        if selection.has_passes:
            self._predict.admit(max(1, request.inputs[0].shape[0]), options, caller)
        rows = self._reader.read(request.inputs)
        answers: Sequence[AnyAnswer] = ()
        plain: Sequence[AnyAnswer] = ()
        if selection.has_passes:
            computed = await self._predict.monte_carlo(rows, options, caller, record)
            answers = _joined(await computed.each(list))
        if selection.has_plain:
            checked = await self._predict.plain(rows, caller, record)
            plain = _joined(await checked.each(list))
        tensors = []
        for one in selection.outputs:
            if len(rows) > ROWS_IN_TURN:
                # Other requests go between.
                await asyncio.sleep(0)
            of_plain = one.of_plain or not selection.has_passes
            tensors.append(tensor_of(one, plain if of_plain else answers))
        return InferenceResponse(self.name, self.version, tensors, request.id)

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


def _is_short(value: object) -> bool:
    """Whether a parameter may be remembered: a text may be long, and a number have many digits."""
    return isinstance(value, float) or (isinstance(value, int) and abs(value) <= LARGEST_KNOWN)


def _joined(parts: Sequence[Sequence[AnyAnswer]]) -> Sequence[AnyAnswer]:
    return parts[0] if len(parts) == 1 else list(chain.from_iterable(parts))


def _of_parameters(fault: Fault) -> Fault:
    """Name the parameter in place of one of a query."""
    if not fault.in_query:
        return fault
    return replace(fault, where=("parameters", *fault.where), in_query=False)
