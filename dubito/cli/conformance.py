"""Check a server of the Open Inference Protocol, version 2, from outside."""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dubito.cli.training_flags import positive
from dubito.conformance.check import ConformanceFinding
from dubito.conformance.conformance import examine
from dubito.conformance.finding import CheckOutcome
from dubito.conformance.inference_checks import inference
from dubito.conformance.target import TargetServer, given_request, served_model
from dubito.conformance.web import web_address
from dubito.errors import UsageError
from dubito.printable import printable

SECONDS = 30
"""Seconds for which an answer is waited, if no other number is given."""
MARKS = {CheckOutcome.MET: "ok", CheckOutcome.DIFFERS: "DIFFERS", CheckOutcome.NOT_CHECKED: "-"}
WIDTH = max(map(len, MARKS.values()))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name the server and its model."""
    parser.add_argument(
        "url", metavar="URL", help="address of the server, such as http://127.0.0.1:8000"
    )
    parser.add_argument("--model", metavar="NAME", help="model (default: the first that is ready)")
    parser.add_argument(
        "--request",
        type=Path,
        metavar="FILE",
        help="JSON of an inference request that the model answers (default: one is made of the "
        "model's metadata)",
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="parameter of each request, such as a seed; may be given several times",
    )
    parser.add_argument(
        "--timeout",
        type=positive,
        default=SECONDS,
        metavar="SECONDS",
        help="longest wait for an answer (%(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Print what each check finds.

    The exit code is 1 if the server differs anywhere, or no inference could be checked.
    """
    if rest:
        raise UsageError(f"conformance does not know {rest[0]}")
    address = web_address(arguments.url, arguments.timeout)
    given, parameters = None, _parameters(arguments.parameter)
    if arguments.request is not None:
        given, own = given_request(_request(arguments.request))
        parameters = {**own, **parameters}
    address.ask("/v2")
    server = TargetServer(
        address,
        arguments.model or served_model(address),
        parameters,
        given,
    )
    if arguments.json:
        findings = list(examine(server))
        print(json.dumps([_record(finding) for finding in findings], indent=1))
    else:
        findings = list(_printed(examine(server)))
        print(_counted(findings))
    return int(any(map(_is_wrong, findings)))


def _is_wrong(finding: ConformanceFinding) -> bool:
    """Whether a finding makes the whole no success."""
    if finding.check is inference:
        return finding.outcome is not CheckOutcome.MET
    return finding.outcome is CheckOutcome.DIFFERS


def _printed(findings: Iterable[ConformanceFinding]) -> Iterator[ConformanceFinding]:
    """Print findings as they come, and pass them on."""
    for finding in findings:
        check, mark = finding.check, MARKS[finding.outcome]
        print(f"{mark:{WIDTH}}  {check.name}: {check.expectation}", flush=True)
        if finding.detail:
            basis = f"{check.basis}: " if finding.outcome is CheckOutcome.DIFFERS else ""
            print(f"{'':{WIDTH}}    {basis}{printable(finding.detail)}", flush=True)
        yield finding


def _counted(findings: Sequence[ConformanceFinding]) -> str:
    counts = Counter(finding.outcome for finding in findings)
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in CheckOutcome)


def _record(finding: ConformanceFinding) -> Mapping[str, str]:
    """Return a finding for JSON."""
    return {
        "check": finding.check.name,
        "basis": finding.check.basis,
        "expectation": finding.check.expectation,
        "outcome": finding.outcome,
        "detail": finding.detail,
    }


def _request(path: Path) -> object:
    try:
        found: object = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON") from error
    return found


def _parameters(given: Sequence[str]) -> Mapping[str, Any]:
    """Read NAME=VALUE; a value is what it is in JSON, else a text."""
    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not name or not equals:
            raise UsageError("--parameter must be NAME=VALUE")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
