"""The settings: one frozen object, from `DUBITO_*` variables and flags of the same names."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from app.errors import SettingsError
from app.quota import cores

PREFIX = "DUBITO_"
MODELS = Path("models")
STATE = Path("var")


def setting(
    default: Any,
    text: str,
    *,
    least: float = 1,
    most: float = 10**12,
    choices: tuple[str, ...] = (),
) -> Any:
    """A setting with its meaning, unit and allowed range or words."""
    known = {"text": text, "least": least, "most": most, "choices": choices}
    return field(default=default, metadata=known)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a service is told from outside."""

    host: str = setting("127.0.0.1", "address to listen on")
    port: int = setting(8000, "TCP port to listen on, 0 for any free one", least=0, most=65535)
    workers: int = setting(1, "processes that serve, each with the bundle", most=64)
    models: Path = setting(MODELS, "folder of the bundles")
    model: str = setting("loan-grade", "name of the bundle to serve")
    version: int | None = setting(None, "version to serve, else the highest")
    digest: str | None = setting(None, "the only digest that may be served, sha256:…")
    max_passes: int = setting(10_000, "most passes of a request")
    max_rows: int = setting(1_000, "most rows of a request")
    max_work: int = setting(1_000_000, "most rows × passes of a request")
    max_queue: int = setting(4_000_000, "most rows × passes waiting in a worker; beyond it 503")
    max_body_bytes: int = setting(1 << 20, "largest body, in bytes")
    deadline_ms: int = setting(
        30_000, "time for an answer that names none, in milliseconds", most=600_000
    )
    state: Path = setting(STATE, "folder of what the service remembers, the only one it writes")
    records: str = setting(
        "durable",
        "whether answers are recorded: durable (before they leave), relaxed (soon after) or off",
        choices=("durable", "relaxed", "off"),
    )
    records_url: str | None = setting(
        None, "database of the records, as SQLAlchemy writes it, else a SQLite file in the state"
    )
    records_exposed: int = setting(
        0, "1 shows records on addresses other than loopback too", least=0, most=1
    )
    allowed_hosts: str = setting(
        "localhost,127.0.0.1,[::1]",
        "names under which records may be asked for, and on loopback browsers may grade, "
        "separated by commas",
    )
    cors_origins: str | None = setting(
        None, "other sites whose pages may ask, separated by commas: https://desk.example"
    )
    records_key_file: Path | None = setting(
        None, "file of the key that chains the records, else one in the state"
    )
    retention_days: int = setting(
        0, "days after which what is personal is erased, 0 for never", least=0, most=36_500
    )
    log_requests: int = setting(
        0, "1 logs every request, 0 only what was refused or failed", least=0, most=1
    )
    body_seconds: float = setting(10.0, "time for a body to arrive, in seconds", least=0.01)
    max_header_bytes: int = setting(32_768, "largest head of a request, in bytes", least=256)
    max_headers: int = setting(100, "most headers of a request", least=10)
    max_url_bytes: int = setting(8_192, "longest URL, in bytes", least=64)
    header_seconds: float = setting(
        20.0, "time for the head of a request to arrive, in seconds", least=0.01
    )
    keep_alive_seconds: float = setting(
        75.0, "time for which a connection may be idle between requests, in seconds", least=0.01
    )
    unread_seconds: float = setting(
        30.0, "time for which a client may take nothing of its answer, in seconds", least=0.01
    )
    max_unread_bytes: int = setting(
        1 << 26, "most bytes of answers that clients leave unread, of all together"
    )
    max_connections: int = setting(4_096, "most open connections, of each worker")
    engine_seconds: float = setting(
        5.0,
        "time without a sign of life of the engine after which nothing is graded, in seconds",
        least=1,
        most=3_600,
    )
    drain_seconds: float = setting(
        0.5,
        "after SIGTERM, time for taking requests though not ready, in seconds",
        least=0,
        most=600,
    )

    @property
    def threads(self) -> int:
        """Threads for a worker's arithmetic: its share of the cores that the service may use."""
        return max(1, cores() // self.workers)

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            SettingsError: names the setting.
        """
        for known in fields(self):
            value = getattr(self, known.name)
            least, most = known.metadata["least"], known.metadata["most"]
            choices = known.metadata["choices"]
            if choices and value not in choices:
                raise SettingsError(f"{variable(known.name)} must be one of {', '.join(choices)}")
            if isinstance(value, int | float) and not least <= value <= most:
                raise SettingsError(f"{variable(known.name)} must be from {least} to {most}")
        if self.max_queue < self.max_work:
            raise SettingsError("DUBITO_MAX_QUEUE must be at least DUBITO_MAX_WORK")


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def read_settings(environment: Mapping[str, str], flags: Mapping[str, str | None]) -> Settings:
    """Settings from the environment; flags that are given win.

    Raises:
        SettingsError: a text that is not of the setting's kind, or a value out of range.
    """
    given: dict[str, Any] = {}
    for known in fields(Settings):
        flag = flags.get(known.name)
        text = environment.get(variable(known.name)) if flag is None else flag
        if text is not None:
            given[known.name] = _parsed(known.name, known.type, text)
    return Settings(**given)


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and are none, such as a misspelt one."""
    known = {variable(known.name) for known in fields(Settings)}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def _parsed(name: str, kind: Any, text: str) -> Any:
    text = text.strip()
    if kind in (int, int | None):
        return _number(name, int, text, "a whole number")
    if kind is float:
        return _number(name, float, text, "a number")
    if not text:
        raise SettingsError(f"{variable(name)} must not be empty")
    return Path(text) if kind in (Path, Path | None) else text


def _number(name: str, kind: type[int] | type[float], text: str, described: str) -> int | float:
    try:
        return kind(text)
    except ValueError as error:
        raise SettingsError(f"{variable(name)} must be {described}") from error
