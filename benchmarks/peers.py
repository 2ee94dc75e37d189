"""Compares serving systems with ours: same network and passes, configured as their docs advise.

`make bench ONLY=peers`, with ours as it is by default and without records. About ten minutes, plus
as many in the first run for the peers' environments in `build/servers`. Configurations are in
`benchmarks/servers`.
"""

import json
import statistics
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tensorflow as tf

from benchmarks.load import Load, load
from benchmarks.report import FOLDER, Bar, Report, publish, spread
from benchmarks.services import (
    MODELS,
    NAME,
    NETWORKS,
    Running,
    free_port,
    load_until_warm,
    ours,
    post,
    row,
    running,
)
from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.layers.archive import from_bytes

HERE = Path("benchmarks/servers").resolve()
BUILT = Path("build/servers").resolve()
ROUTE = "/predict/mc?passes=100"
PASSES = 100
CONNECTIONS = (1, 32)
MODES = ("durable", "off")
"""Settings of our records; the first is the default."""
ROUNDS = 5
SECONDS = 3
WARM_SECONDS = 5
"""Duration in seconds of the load before measuring, in which some peers adapt their batching."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Serving system to compare with."""

    title: str
    words: Callable[[Path, int], list[str]]
    """Function that builds its command from its environment's folder of programs and a port."""
    ready: str
    route: str
    body: Callable[[list[float]], Any]
    """Function that builds the request's body for one row."""
    can_pause: bool = True
    """Whether it may be stopped for a while; Triton takes its own function for lost then."""


PEERS = {
    "bentoml": Peer(
        "BentoML",
        lambda programs, port: [f"{programs}/bentoml", "serve", "service:Study", f"--port={port}"],
        "/readyz",
        "/predict",
        lambda values: {"rows": [values]},
    ),
    "litserve": Peer(
        "LitServe",
        lambda programs, port: [f"{programs}/python", "service.py", str(port)],
        "/health",
        "/predict",
        lambda values: {"row": values},
    ),
    "mlserver": Peer(
        "MLServer",
        lambda programs, port: [
            "env",
            f"MLSERVER_HTTP_PORT={port}",
            f"MLSERVER_GRPC_PORT={free_port()}",
            f"{programs}/mlserver",
            "start",
            ".",
        ],
        "/v2/models/study/ready",
        "/v2/models/study/infer",
        lambda values: {
            "inputs": [
                {"name": "rows", "shape": [1, len(values)], "datatype": "FP64", "data": values}
            ]
        },
    ),
    "pytriton": Peer(
        "Triton, by PyTriton",
        lambda programs, port: [
            "env",
            f"LD_LIBRARY_PATH={sysconfig.get_config_var('LIBDIR')}",
            f"{programs}/python",
            "service.py",
            *map(str, (port, free_port(), free_port())),
        ],
        "/v2/models/study/ready",
        "/v2/models/study/infer",
        lambda values: {
            "inputs": [
                {"name": "rows", "shape": [1, len(values)], "datatype": "FP32", "data": values}
            ]
        },
        can_pause=False,
    ),
    "mlflow": Peer(
        "MLflow",
        lambda programs, port: [
            f"{programs}/mlflow",
            "models",
            "serve",
            f"--model-uri={BUILT / 'mlflow-model'}",
            "--env-manager=local",
            f"--port={port}",
            "--workers=1",
        ],
        "/health",
        "/invocations",
        lambda values: {"inputs": [values]},
    ),
    "ray": Peer(
        "Ray Serve",
        lambda programs, port: [f"{programs}/python", "service.py", str(port)],
        "/-/healthz",
        "/",
        lambda values: {"row": values},
    ),
}
ASKED = {"durable": 2.5, "off": 3.4}
"""Least ratio of our requests per second to those of any peer, at 32 connections, by records."""
ASKED_ALONE = 3.0
"""Least ratio of every peer's median latency to ours, at one connection, with durable records."""

Pairs = list[tuple[Load, Load]]
Measured = dict[tuple[str, str, int], Pairs]
"""Our loads and theirs, by peer, our records and connections."""


def main() -> None:
    """Measure all peers, or update the results of those named on the command line."""
    version = NETWORKS["study"]
    export(version, BUILT / "network")
    found = _published() if sys.argv[1:] else {}
    for name in sys.argv[1:] or PEERS:
        install(name)
        with ExitStack() as stack:
            folder = stack.enter_context(TemporaryDirectory(dir=Path.cwd()))
            mine = {
                mode: stack.enter_context(
                    ours(version, "--state", f"{folder}/{mode}", records=mode)
                )
                for mode in MODES
            }
            theirs = stack.enter_context(serving(name))
            found.update(_measured(name, mine, theirs, version))
    publish(_report(found))


def _published() -> Measured:
    """Read the results of the last run."""
    figures = json.loads((FOLDER / "peers.json").read_text(encoding="utf-8"))["figures"]
    found = {}
    for key, sides in figures.items():
        name, mode, connections = key.split(", ")
        loads = [Load(**side) for one in sides for side in one.values()]
        found[name, mode, int(connections)] = list(zip(loads[::2], loads[1::2], strict=True))
    return found


def export(version: int, folder: Path) -> None:
    """Write a bundle's network with its passes, mean and standard deviation as one function."""
    module, model = (
        tf.Module(),
        from_bytes(inspect(find_version(MODELS, NAME, version)).networks[0]),
    )
    module.variables_of_network = [variable.value for variable in model.variables]
    # The module must track the seed generators' states, which are not among a model's variables.
    generators = (getattr(layer, "seed_generator", None) for layer in model.layers)
    module.states = [one.state.value for one in generators if one is not None]

    @tf.function(input_signature=[tf.TensorSpec((None, 9), tf.float32)])
    def run(rows: Any) -> Any:
        draws = model(tf.repeat(rows, PASSES, axis=0))
        draws = tf.reshape(draws, (-1, PASSES, draws.shape[-1]))
        return tf.reduce_mean(draws, 1), tf.math.reduce_std(draws, 1)

    module.run = run
    tf.saved_model.save(module, str(folder))


def install(name: str) -> None:
    """Create a peer's environment."""
    install_into(BUILT / name, HERE / name / "requirements.txt")


def install_into(folder: Path, requirements: Path) -> None:
    """Create an environment, unless it exists with exactly these versions."""
    wanted, stamp = requirements.read_text(encoding="utf-8"), folder / "installed.txt"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    pip = [str(folder / "bin" / "pip"), "install", "--quiet"]
    subprocess.run([*pip, "-r", str(requirements)], check=True)
    stamp.write_text(wanted, encoding="utf-8")


@contextmanager
def serving(name: str) -> Iterator[Running]:
    """Run a peer for the duration of a block, from when it is ready."""
    peer, port, programs = PEERS[name], free_port(), BUILT / name / "bin"
    told = {
        "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": f"{HERE}:{HERE / name}",
        "PEERS_NETWORK": str(BUILT / "network"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    folder = HERE / name
    if name == "mlflow" and not (BUILT / "mlflow-model").exists():
        words = [str(programs / "python"), "service.py", str(BUILT / "mlflow-model")]
        subprocess.run(words, cwd=folder, env=told, check=True)
    with running(peer.words(programs, port), port, peer.ready, told, folder) as found:
        yield found


def _measured(name: str, mine: dict[str, Running], theirs: Running, version: int) -> Measured:
    peer, body = PEERS[name], row(version)
    other = json.dumps(peer.body([float(value) for value in json.loads(body).values()]))
    url = theirs.url + peer.route
    print(name, post(url, other).decode()[:200], flush=True)
    for service in mine.values():
        load_until_warm(service.url, body)
    found: Measured = {}
    for connections in CONNECTIONS:
        load(url, other, connections, WARM_SECONDS)
        for _ in range(ROUNDS):
            with theirs.paused() if peer.can_pause else nullcontext():
                own = {
                    mode: load(service.url + ROUTE, body, connections, SECONDS)
                    for mode, service in mine.items()
                }
            load_of_theirs = load(url, other, connections, SECONDS)
            for mode, one in own.items():
                found.setdefault((name, mode, connections), []).append((one, load_of_theirs))
        for mode in MODES:
            one, two = found[name, mode, connections][-1]
            print(name, mode, connections, f"{one.rate:,.0f} {two.rate:,.0f}", flush=True)
    return found


def _report(found: Measured) -> Report:
    rows, bars = [], []
    for (name, mode, connections), pairs in found.items():
        peer = PEERS[name]
        rates = [one.rate / two.rate for one, two in pairs]
        delays = [two.p50 / one.p50 for one, two in pairs]
        alone, is_usual = connections == 1, mode == MODES[0]
        rows.append(
            (
                peer.title,
                mode,
                str(connections),
                f"{statistics.median(two.rate for _, two in pairs):,.0f}",
                f"{statistics.median(two.p50 for _, two in pairs) * 1e3:,.2f}",
                f"{statistics.median(one.rate for one, _ in pairs):,.0f}",
                f"{statistics.median(one.p50 for one, _ in pairs) * 1e3:,.2f}",
                spread(rates, 1) + ("" if alone else f" ≥ {ASKED[mode]:g}"),
                spread(delays, 1) + (f" ≥ {ASKED_ALONE:g}" if alone and is_usual else ""),
            )
        )
        if not alone:
            bars.append(Bar(f"{peer.title}, {mode}", statistics.median(rates), ASKED[mode]))
    return Report(
        name="peers",
        title="Beside other serving systems",
        how="The study's network, 100 passes for one row in each request. The peers run one tiled "
        "`tf.function` with mean and standard deviation in the graph, batch up to 64 requests "
        "where they can, and are set up as their documentation advises "
        "([configurations](../benchmarks/servers)); everyone has one worker. wrk, "
        f"{ROUNDS} rounds of {SECONDS} s, ours and theirs in turn, the peer paused while "
        "ours is measured, but for Triton, which would end; after ≥ stands what is asked.",
        head=(
            "peer",
            "our records",
            "connections",
            "theirs / s",
            "theirs p50 ms",
            "ours / s",
            "ours p50 ms",
            "requests a second, ours / theirs",
            "p50, theirs / ours",
        ),
        rows=tuple(rows),
        figures={
            f"{name}, {mode}, {connections}": [
                {side: {"rate": one.rate, "p50": one.p50, "p99": one.p99}}
                for pair in pairs
                for side, one in zip(("ours", "theirs"), pair, strict=True)
            ]
            for (name, mode, connections), pairs in found.items()
        },
        axis="requests a second at 32 connections, ours / theirs",
        bars=tuple(bars),
    )


if __name__ == "__main__":
    main()
