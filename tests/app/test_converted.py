"""Foreign networks from the file to an answer: what is served is Keras' own dropout, switched on.

The oracle is the plain model called with `training=True`, a mask for each row of a batch.
"""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest

from dubito.types import Floats
from tests.claims import sample
from tests.converted import NETWORKS, Foreign
from tests.service import command_here, serving

ASKED = 5
"""Rows that are asked about."""
LEAST_STD = 0.03
FARTHEST = 4.5
"""Standard errors that two means may differ by."""


@pytest.fixture(scope="module", params=sample(NETWORKS, ("structured", "attention")))
def foreign(request: pytest.FixtureRequest) -> Foreign:
    return NETWORKS[request.param]()


@pytest.fixture(scope="module")
def bundle(foreign: Foreign, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the bundle that the command makes of the saved network."""
    folder = tmp_path_factory.mktemp("converted")
    foreign.model.save(folder / "own.keras")
    (folder / "own.json").write_text(json.dumps(foreign.description))
    done = command_here(
        *("convert", str(folder / "own.keras"), "--features", str(folder / "own.json")),
        *("--classes", ",".join(foreign.classes), "--data", str(written(foreign, folder))),
        *("--out", str(folder / "models"), "--json", *foreign.flags),
    )
    assert done.returncode == 0, done.stderr.decode()
    return Path(json.loads(done.stdout)["bundle"])


def written(foreign: Foreign, folder: Path) -> Path:
    """The rows in a file, as the command takes them."""
    if foreign.is_of_tensors:
        (name,) = foreign.rows[0]
        np.savez(folder / "own.npz", **{name: foreign.given(foreign.rows)})
        return folder / "own.npz"
    with (folder / "own.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(foreign.rows[0]))
        writer.writeheader()
        writer.writerows(foreign.rows)
    return folder / "own.csv"


def asked(
    url: str, rows: list[dict[str, Any]], classes: tuple[str, ...], passes: int
) -> Iterator[Floats]:
    """The means and the deviations `(N, C)` of an answer."""
    body = json.dumps({"instances": rows}).encode()
    headers = {"Content-Type": "application/json"}
    request = Request(f"{url}/predict/mc?passes={passes}&seed=9", data=body, headers=headers)
    with urlopen(request, timeout=60) as reply:
        found = json.loads(reply.read())["predictions"]
    for name in ("mean", "std"):
        yield np.array([[each[name][one] for one in classes] for each in found])


def drawn(foreign: Foreign, rows: list[dict[str, Any]], passes: int) -> Floats:
    """Keras' own passes `(T, N, C)` with its dropout on."""
    given = foreign.given([row for row in rows for _ in range(passes)])
    found = foreign.probabilities(foreign.model(given, training=True))
    return np.swapaxes(found.reshape(len(rows), passes, -1), 0, 1)


@pytest.mark.claim("converted networks", test=300, proof=1_000)
def test_what_is_served_is_keras_dropout_switched_on(
    foreign: Foreign, bundle: Path, count: int, record_property: Callable[[str, object], None]
) -> None:
    """Means over the passes differ by chance alone, and so do the deviations."""
    rows = foreign.rows[:ASKED]
    with serving(str(bundle)) as service:
        mean, std = asked(service.url, rows, foreign.classes, count)
    theirs = drawn(foreign, rows, count)
    error = np.sqrt((theirs.var(axis=0) + std**2) / count) + 1e-6 / FARTHEST
    scores = np.abs(theirs.mean(axis=0) - mean) / error
    assert std.max() > 0.01
    assert scores.max() <= FARTHEST
    # Of outputs that hardly vary, a few passes make the deviation.
    varied = std > LEAST_STD
    apart = np.abs(theirs.std(axis=0) - std) / error_of_std(theirs)
    assert varied.any()
    assert apart[varied].max() <= FARTHEST
    record_property("figure", f"worst z-scores {scores.max():.1f} and {apart[varied].max():.1f}")


def error_of_std(draws: Floats) -> Floats:
    """The standard error `(N, C)` of the difference of two deviations over as many passes."""
    squares = np.square(draws - draws.mean(axis=0))
    error: Floats = squares.std(axis=0) / np.sqrt(len(draws)) / (2 * draws.std(axis=0))
    return error * np.sqrt(2)
