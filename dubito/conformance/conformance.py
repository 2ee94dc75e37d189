"""All checks, and what they find."""

from collections.abc import Iterator

from dubito.conformance.binary_checks import BINARY_CHECKS
from dubito.conformance.check import ConformanceCheck, ConformanceFinding
from dubito.conformance.extension_checks import EXTENSION_CHECKS
from dubito.conformance.finding import CheckOutcome, Differs, NotChecked
from dubito.conformance.inference_checks import INFERENCE_CHECKS
from dubito.conformance.load_checks import LOAD_CHECKS
from dubito.conformance.model_checks import MODEL_CHECKS
from dubito.conformance.refusal_checks import REFUSAL_CHECKS
from dubito.conformance.server_checks import SERVER_CHECKS
from dubito.conformance.target import TargetServer
from dubito.conformance.web import NoAnswer

CONFORMANCE_CHECKS: tuple[ConformanceCheck, ...] = (
    *SERVER_CHECKS,
    *MODEL_CHECKS,
    *INFERENCE_CHECKS,
    *REFUSAL_CHECKS,
    *BINARY_CHECKS,
    *EXTENSION_CHECKS,
    *LOAD_CHECKS,
)
"""All checks, in the order of the report."""


def examine(server: TargetServer) -> Iterator[ConformanceFinding]:
    """Yield what each check finds, one after the other."""
    for check in CONFORMANCE_CHECKS:
        yield run_check(check, server)


def run_check(check: ConformanceCheck, server: TargetServer) -> ConformanceFinding:
    """Return what one check finds; a request without an answer is a difference."""
    try:
        check.run(server)
    except NotChecked as why:
        return ConformanceFinding(check, CheckOutcome.NOT_CHECKED, str(why))
    except (Differs, NoAnswer) as how:
        return ConformanceFinding(check, CheckOutcome.DIFFERS, str(how))
    return ConformanceFinding(check, CheckOutcome.MET, "")
