"""Other processors: the kernel's bits on ARM, which an emulator runs."""

import ctypes
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dubito.engine.backends.native.library import (
    KERNEL,
    LANES,
    KernelNetwork,
    KernelOperation,
    KernelSlot,
    Library,
    compiled,
)
from dubito.engine.backends.native.lowering import lowered
from dubito.engine.backends.native.network import LoweredNetwork
from dubito.engine.compiler.flattening import flatten
from dubito.engine.compiler.lowering import program_of
from dubito.loans.formulas.lattice import Lattice
from dubito.loans.formulas.scoring import CONSTANTS, kernel_features
from tests.dubito.engine.conftest import FLAGS, HERE, NATIVE
from tests.dubito.loans.lender import NORTH
from tests.networks import ROOT, network, rows

EMULATOR = "qemu-aarch64"
FORMULAS = ROOT / "dubito" / "loans" / "formulas"
PASSES = 33
KEPT, CLASSES = 32, 7


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kernel with a reader of cases, for ARM."""
    return built(tmp_path_factory.mktemp("arm"), "cases", NATIVE)


@pytest.fixture(scope="module")
def describer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The loans' kernel with a reader of loans, for ARM."""
    return built(tmp_path_factory.mktemp("arm"), "hypotheses", FORMULAS)


def built(folder: Path, name: str, sources: Path) -> Path:
    """A program for ARM from a file beside this one, and a folder of what it includes."""
    target = ["-target", "aarch64-linux-musl", "-static", "-O3"]
    flags = [*(flag for flag in FLAGS if flag not in ("-shared", "-fPIC")), *target, f"-I{sources}"]
    command = [sys.executable, "-m", "ziglang", "cc", *flags, str(HERE / f"{name}.c")]
    subprocess.run([*command, "-o", str(folder / name), "-lm"], check=True)
    return folder / name


def block(content: bytes) -> bytes:
    return struct.pack("<Q", len(content)) + content


class Written:
    """A lowered network as the program reads it: pointers are offsets into one block."""

    def __init__(self, one: LoweredNetwork) -> None:
        self._constants = bytearray()
        self._places: dict[int, int] = {}
        for values in one.owned:
            if isinstance(values, np.ndarray):
                self._places[values.ctypes.data] = len(self._constants) + 1
                self._constants += values.tobytes().ljust(-(-values.nbytes // 64) * 64, b"\0")
        net = one.network
        operations = _copied(KernelOperation, net.operation, net.operations)
        for operation in operations:
            for name in ("first", "second", "index"):
                setattr(operation, name, self._places.get(getattr(operation, name) or 0, 0))
        slots = [
            bytes(_copied(KernelSlot, address, count))
            for address, count in ((net.input, net.inputs), (net.last, net.lasting))
        ]
        repeats = ctypes.string_at(net.repeat, 4 * net.repeats)
        parts = [bytes(self._constants), bytes(KernelNetwork.from_buffer_copy(net))]
        self.content = b"".join(map(block, [*parts, bytes(operations), *slots, repeats]))


def _copied(kind: Any, address: int, count: int) -> Any:
    return (kind * count).from_buffer_copy(ctypes.string_at(address, ctypes.sizeof(kind) * count))


@pytest.mark.parametrize("name", ["study", "selu", "gaussian", "branches", "wide", "5"])
@pytest.mark.claim("native on ARM", test=0, proof=10_000)
def test_arm_gives_the_same_bits(name: str, count: int, program: Path, tmp_path: Path) -> None:
    """Cases of one row to nine: draws and statistics, to the last bit."""
    made = program_of(flatten(network(name)))
    assert made is not None
    one = lowered(made)
    assert one is not None
    library, random, features = Library(compiled(KERNEL)), np.random.default_rng(3), rows(500)
    sizes, given, wanted = [], bytearray(), bytearray()
    left = count
    while left > 0:
        some = min(left, int(random.integers(1, 10)))
        chosen = features[random.integers(0, len(features), some)]
        seeds = random.integers(0, 3, some).astype(np.uint64)
        inputs = one.inputs(library, chosen)
        draws, found = library.passes(one.network, inputs, seeds.tolist(), 0, PASSES)
        padded = -(-PASSES // LANES) * LANES
        wanted += np.ascontiguousarray(draws.base).tobytes() + found.tobytes()
        sizes += [some, 0, PASSES, padded]
        given += b"".join(block(np.ascontiguousarray(values).tobytes()) for values in inputs)
        given += block(seeds.tobytes())
        left -= some
    cases = struct.pack(f"<{len(sizes) + 1}q", len(sizes) // 4, *sizes)
    path = tmp_path / "cases"
    path.write_bytes(block(cases) + Written(one).content + given)
    ran = subprocess.run([EMULATOR, str(program), str(path)], capture_output=True, check=True)
    assert bytes(wanted) == ran.stdout


@pytest.mark.claim("native hypotheses on ARM", test=0, proof=10_000)
def test_arm_describes_the_same_hypotheses(count: int, describer: Path, tmp_path: Path) -> None:
    """And loan features, of loans with money of all sizes, to the last bit."""
    scoring = Lattice(CLASSES, KEPT, NORTH.book()).native_in()
    random, features = np.random.default_rng(9), rows(500)
    loans = features[random.integers(0, len(features), count)]
    loans[:, [0, 5, 6]] *= np.exp(random.normal(0, 1, (count, 3)))
    constants = [scoring.constants[name] for name in CONSTANTS]
    sizes = np.array([len(constants[0]), count, KEPT, CLASSES], dtype=np.float64)
    path = tmp_path / "loans"
    path.write_bytes(b"".join(values.tobytes() for values in (sizes, *constants, loans)))
    ran = subprocess.run([EMULATOR, str(describer), str(path)], capture_output=True, check=True)
    wanted = scoring.described(loans, CLASSES).tobytes() + kernel_features(loans).tobytes()
    assert wanted == ran.stdout
