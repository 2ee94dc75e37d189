"""A Dockerfile without Docker: its steps in folders, its service in namespaces of the kernel.

The base image is this machine's system, and what `pip install --requirement` brings is what is
installed here already. Everything else is as the Dockerfile says: files, modes, user, variables,
process 1, a network of its own, a root file system that may be read-only.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.service import STOP_SECONDS, children, until

SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "etc", "sys", "dev")
PACKAGES = "packages"
"""Folder of the image that shows what is installed here."""
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a container has its own
NAMESPACES = ("unshare", "--mount", "--pid", "--net", "--fork", "--kill-child")
LOOPBACK_UP = (
    "import fcntl, socket, struct;"
    "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh', b'lo', 0x41))"
)
"""Sets the flags of the new network's only interface: up, running."""


class Instruction(NamedTuple):
    """A line of a Dockerfile."""

    keyword: str
    argument: str


def parse(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile in order, continued lines joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    split = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [Instruction(keyword.upper(), argument.strip()) for keyword, argument in split]


@dataclass(slots=True)
class Image:
    """A stage: its files, and what a process in it is given."""

    root: Path
    variables: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/bin:/bin"})
    folder: str = "/"
    user: str = "0:0"
    entry: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    def path(self, inside: str) -> Path:
        """Where a path of the image is on this machine."""
        return self.root / (Path(self.folder) / inside).relative_to("/")


def build(text: str, context: Path, folder: Path) -> Image:
    """Take all steps of a Dockerfile; the image of its last stage."""
    stages: dict[str, Image] = {}
    for keyword, argument in parse(text):
        if keyword == "FROM":
            name = argument.partition(" AS ")[2]
            image = stages[name] = Image(_base(folder / (name or "last")))
        elif keyword == "COPY":
            _copy(image, argument.split(), context, stages)
        elif keyword == "RUN":
            _run(image, argument)
        else:
            _describe(image, keyword, argument)
    return image


def _base(root: Path) -> Path:
    """A root file system: folders that show this machine's system, and one for temporary files."""
    root.mkdir()
    for name in SYSTEM:
        host = Path("/") / name
        if host.is_symlink():
            (root / name).symlink_to(host.readlink())
        elif host.is_dir():
            (root / name).mkdir()
    for name in (PACKAGES, "proc", "tmp"):
        (root / name).mkdir()
    (root / sys.base_prefix.lstrip("/")).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    return root


def _copy(image: Image, words: list[str], context: Path, stages: Mapping[str, Image]) -> None:
    stage = stages[words.pop(0).partition("=")[2]] if words[0].startswith("--from=") else None
    *sources, target = words
    for source in sources:
        origin, place = stage.path(source) if stage else context / source, image.path(target)
        if origin.is_file() and target.endswith("/"):
            place /= origin.name
        place.parent.mkdir(parents=True, exist_ok=True)
        keep = ["--archive"] if stage else ["--recursive", "--no-target-directory"]
        # As in the checkout of somebody whose files are nobody else's.
        subprocess.run(["cp", *keep, str(origin), str(place)], check=True, umask=0o077)


def _run(image: Image, command: str) -> None:
    if "--requirement" in command:
        python = command.split()[0].removesuffix("pip") + "python"
        site = "import sysconfig; print(sysconfig.get_path('purelib'))"
        found = f"import sys; sys.path.insert(1, '/{PACKAGES}')"
        command = f'echo "{found}" >"$({python} -c "{site}")/packages.pth"'
    # The base image's Python is called python, which Debian's is not.
    command = f'python() {{ {Path(sys.executable).resolve()} "$@"; }}; {command}'
    words = isolated(image, ["sh", "-euc", command], user="0:0", hidden=_compilers())
    done = subprocess.run(words, capture_output=True, check=False)
    assert 0 == done.returncode, f"{command}: {done.stderr!r}"


def _compilers() -> list[Path]:
    """This machine's C compilers, which the base image does not have."""
    named = (shutil.which(name) for name in ("cc", "gcc", "clang"))
    return sorted({Path(path).resolve() for path in named if path is not None})


def _describe(image: Image, keyword: str, argument: str) -> None:
    match keyword:
        case "WORKDIR":
            image.folder = argument
            image.path(".").mkdir(parents=True, exist_ok=True)
        case "ENV":
            pairs = (pair.split("=", 1) for pair in argument.split())
            path = image.variables["PATH"]
            image.variables |= {name: text.replace("$PATH", path) for name, text in pairs}
        case "USER":
            image.user = argument
        case "ENTRYPOINT":
            image.entry = json.loads(argument)
        case "CMD":
            image.command = json.loads(argument)
        case "HEALTHCHECK":
            image.health = json.loads(argument.partition(" CMD ")[2])
        case "VOLUME" | "EXPOSE":
            """Of these there is nothing to do here."""
        case _:
            raise NotImplementedError(keyword)


def isolated(
    image: Image,
    words: Sequence[str],
    *,
    user: str,
    volumes: Mapping[str, Path] | None = None,
    variables: Mapping[str, str] | None = None,
    read_only: bool = False,
    hidden: Sequence[Path] = (),
) -> list[str]:
    """The command that runs another one as process 1 of a container, without some programs."""
    steps = [*_mounts(image, volumes or {}), [sys.executable, "-c", LOOPBACK_UP]]
    steps += [["mount", "--bind", "/dev/null", f"{image.root}{path}"] for path in hidden]
    if read_only:
        steps.append(["mount", "-o", "remount,bind,ro", str(image.root)])
    given = [f"{name}={text}" for name, text in {**image.variables, **(variables or {})}.items()]
    # No USER, LOGNAME or HOME, but what Docker sets for a user without an entry.
    inside = ["env", "--ignore-environment", f"--chdir={image.folder}", "HOME=/", *given, *words]
    steps.append(["exec", "chroot", f"--userspec={user}", "--groups=", str(image.root), *inside])
    return [*NAMESPACES, "sh", "-euc", "\n".join(map(shlex.join, steps))]


def _mounts(image: Image, volumes: Mapping[str, Path]) -> Iterator[list[str]]:
    """Mounts that make a container of an image's folder; only the volumes and /dev are written."""
    root = str(image.root)
    real = [name for name in SYSTEM if not (image.root / name).is_symlink()]
    shown = {name: Path("/") / name for name in real if (image.root / name).is_dir()}
    shown |= {sys.base_prefix[1:]: Path(sys.base_prefix), PACKAGES: _packages()}
    yield ["mount", "--bind", root, root]
    for name, host in shown.items():
        yield ["mount", "--rbind", str(host), f"{root}/{name}"]
        if name != "dev":
            yield ["mount", "-o", "remount,bind,ro", f"{root}/{name}"]
    yield ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", f"{root}{SHARED_MEMORY}"]
    yield ["mount", "-t", "proc", "proc", f"{root}/proc"]
    for path, host in volumes.items():
        yield ["mount", "--bind", str(host), root + path]


def _packages() -> Path:
    return Path(sysconfig.get_path("purelib"))


@dataclass(frozen=True, slots=True)
class Container:
    """A process 1 that runs, and what it was given."""

    process: subprocess.Popen[bytes]
    image: Image
    user: str
    variables: Mapping[str, str]
    log: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as `docker exec` does."""
        (first,) = children(self.process.pid)
        user, _, group = self.user.partition(":")
        variables = {**self.image.variables, **self.variables}
        given = [f"{name}={text}" for name, text in variables.items()]
        spaces = ["--mount", "--pid", "--net", "--root", f"--setuid={user}", f"--setgid={group}"]
        inside = ["env", "--ignore-environment", f"--chdir={self.image.folder}", *given, *words]
        return subprocess.run(
            ["nsenter", f"--target={first}", *spaces, *inside],
            capture_output=True,
            text=True,
            check=False,
        )

    def is_healthy(self) -> bool:
        """Whether process 1 is there, and the image's health check ends well."""
        return bool(children(self.process.pid)) and 0 == self.run(*self.image.health).returncode

    def stop(self) -> int:
        """Ask process 1 to end, as `docker stop` does; its exit code."""
        (first,) = children(self.process.pid)
        os.kill(first, signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)


@contextmanager
def started(
    image: Image,
    volumes: Mapping[str, Path],
    log: Path,
    *,
    user: str,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Container]:
    """The image's own command with a read-only root, for a block, from when it is healthy."""
    words = isolated(
        image,
        [*image.entry, *image.command],
        user=user,
        volumes=volumes,
        variables=variables,
        read_only=True,
    )
    with log.open("wb") as output, subprocess.Popen(words, stdout=output, stderr=output) as process:
        container = Container(process, image, user, variables or {}, log)
        try:
            until(lambda: process.poll() is not None or container.is_healthy())
            assert process.poll() is None, log.read_text()
            yield container
        finally:
            # It ignores SIGTERM while process 1 is there, and takes everything along when killed.
            process.kill()
