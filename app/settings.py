"""The settings: one frozen object, from `DUBITO_*` variables and flags of the same names."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from app.errors import SettingsError
from app.quota import cores

PREFIX = "DUBITO_"
MODELS = Path("models")
STATE = Path("var")

MOST = 10**12
"""Of what has no narrower limit."""

Count = Annotated[int, Field(ge=1, le=MOST)]
Seconds = Annotated[float, Field(ge=0.01, le=MOST)]


class Settings(BaseSettings):
    """What a service is told from outside.

    Made from Python values it reads no variables: `read_settings` does.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        allow_inf_nan=False,
        # The address of a database holds a password, and a text may be in the wrong variable.
        hide_input_in_errors=True,
    )

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="TCP port to listen on, 0 for any free one")
    workers: int = Field(1, ge=1, le=64, description="processes that serve, each with the bundle")
    models: Path = Field(MODELS, description="folder of the bundles")
    model: str = Field("loan-grade", description="name of the bundle to serve")
    version: int | None = Field(
        None, ge=1, le=MOST, description="version to serve, else the highest"
    )
    digest: str | None = Field(None, description="the only digest that may be served, sha256:…")
    max_passes: Count = Field(10_000, description="most passes of a request")
    max_rows: Count = Field(1_000, description="most rows of a request")
    max_work: Count = Field(1_000_000, description="most rows × passes of a request")
    max_queue: Count = Field(
        4_000_000, description="most rows × passes waiting in a worker; beyond it 503"
    )
    max_body_bytes: Count = Field(1 << 20, description="largest body, in bytes")
    deadline_ms: int = Field(
        30_000,
        ge=1,
        le=600_000,
        description="time for an answer that names none, in milliseconds",
    )
    state: Path = Field(
        STATE, description="folder of what the service remembers, the only one it writes"
    )
    records: Literal["durable", "relaxed", "off"] = Field(
        "durable",
        description="whether answers are recorded: durable (before they leave), relaxed (soon "
        "after) or off",
    )
    records_url: str | None = Field(
        None,
        repr=False,
        description="database of the records, as SQLAlchemy writes it, else a SQLite file in the "
        "state",
    )
    records_exposed: bool = Field(
        default=False, description="true shows records on addresses other than loopback too"
    )
    allowed_hosts: str = Field(
        "localhost,127.0.0.1,[::1]",
        description="names under which records may be asked for, and on loopback browsers may "
        "grade, separated by commas",
    )
    cors_origins: str | None = Field(
        None,
        description="other sites whose pages may ask, separated by commas: https://desk.example",
    )
    records_key_file: Path | None = Field(
        None, description="file of the key that chains the records, else one in the state"
    )
    retention_days: int = Field(
        0, ge=0, le=36_500, description="days after which what is personal is erased, 0 for never"
    )
    log_requests: bool = Field(
        default=False,
        description="true logs every request, false only what was refused or failed",
    )
    body_seconds: Seconds = Field(10.0, description="time for a body to arrive, in seconds")
    max_header_bytes: int = Field(
        32_768, ge=256, le=MOST, description="largest head of a request, in bytes; beyond it 431"
    )
    max_headers: int = Field(
        100, ge=10, le=MOST, description="most headers of a request; beyond them 431"
    )
    max_url_bytes: int = Field(
        8_192, ge=64, le=MOST, description="longest URL, in bytes; beyond it 414"
    )
    header_seconds: Seconds = Field(
        20.0, description="time for the head of a request to arrive, in seconds"
    )
    keep_alive_seconds: Seconds = Field(
        75.0,
        description="time for which a connection may be idle between requests, in seconds",
    )
    unread_seconds: Seconds = Field(
        30.0,
        description="time for which a client may take nothing of its answer, in seconds",
    )
    max_unread_bytes: Count = Field(
        1 << 26,
        description="most bytes of answers that clients leave unread, of all together",
    )
    max_connections: Count = Field(
        4_096,
        description="most open connections of each worker; the longest idle is closed for one more",
    )
    engine_seconds: float = Field(
        5.0,
        ge=1,
        le=3_600,
        description="time without a sign of life of the engine after which nothing is graded, in "
        "seconds",
    )
    drain_seconds: float = Field(
        0.5,
        ge=0,
        le=600,
        description="after SIGTERM, time for taking requests though not ready, in seconds",
    )

    @property
    def threads(self) -> int:
        """Threads for a worker's arithmetic: its share of the cores that the service may use."""
        return max(1, cores() // self.workers)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library hands it over
        init_settings: PydanticBaseSettingsSource,
        *_: Any,
        **__: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what is given, so that a value in a program or a test depends on nothing else."""
        return (init_settings,)

    @field_validator("*", mode="before")
    @classmethod
    def _from_text(cls, value: Any, info: ValidationInfo) -> Any:
        """Read numbers as Python does: Pydantic would take 8000.0 for a whole one."""
        if not isinstance(value, str):
            return value
        text = value.strip()
        if not text:
            raise ValueError("nothing is given")
        kind = _kind(cls.model_fields[str(info.field_name)])
        return _number(kind, text) if kind in (int, float) else text

    @model_validator(mode="after")
    def _holds_the_largest_request(self) -> Self:
        if self.max_queue < self.max_work:
            raise ValueError("DUBITO_MAX_QUEUE must be at least DUBITO_MAX_WORK")
        return self


class Row(NamedTuple):
    """A setting as documentation tells it."""

    variable: str
    default: str
    """As Markdown."""
    meaning: str
    """With its unit."""


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def read_settings(environment: Mapping[str, str], flags: Mapping[str, str | None]) -> Settings:
    """Settings from the environment; flags that are given win.

    Raises:
        SettingsError: a text that is not of the setting's kind, or a value out of range.
    """
    source = EnvSettingsSource(Settings)
    # The library looks for names without regard to case; ours are in capitals.
    source.env_vars = {name.lower(): environment[name] for name in environment if name.isupper()}
    given = {name: text for name, text in flags.items() if text is not None}
    try:
        return Settings(**{**source(), **given})
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from error


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and are none, such as a misspelt one."""
    known = set(map(variable, Settings.model_fields))
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def default_of(name: str) -> str:
    """The default of a setting, as it is written in a variable or a flag; empty if it has none."""
    default = Settings.model_fields[name].default
    if default is None:
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def reference() -> Iterator[Row]:
    """Every setting as documentation tells it."""
    for name, field in Settings.model_fields.items():
        yield Row(variable(name), _shown(field.default), str(field.description))


def reference_table() -> str:
    """The table of all settings in Markdown, as the README has it."""
    lines = [f"| `{row.variable}` | {row.default} | {row.meaning} |\n" for row in reference()]
    return "| variable | default | meaning |\n|---|---|---|\n" + "".join(lines)


def _shown(default: object) -> str:
    """A default in a table; numbers from 10,000 on are grouped, so that a port is not."""
    if default is None:
        return "–"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, int | float):
        return f"{default:,}" if default >= 10_000 else f"{default:g}"
    return f"`{default}`"


def _kind(field: FieldInfo) -> Any:
    """What a setting is where it is not None: a type, or the words that it may be."""
    annotation: Any = field.annotation
    return get_args(annotation)[0] if isinstance(annotation, UnionType) else annotation


def _number(kind: type[int] | type[float], text: str) -> int | float:
    try:
        return kind(text)
    except ValueError:
        # Python's sentence holds the text.
        raise ValueError("not a number") from None


def _sentence(error: ValidationError) -> str:
    """The first fault: it names its variable, and holds nothing of what was given."""
    first = error.errors(include_input=False, include_url=False)[0]
    if not first["loc"]:
        return str(first["ctx"]["error"])
    name = str(first["loc"][0])
    return f"{variable(name)} must {_must(Settings.model_fields[name])}"


def _must(field: FieldInfo) -> str:
    """What a setting's value must be, as the end of a sentence."""
    kind = _kind(field)
    if kind is bool:
        return "be true or false"
    if kind in (int, float):
        least = next(one.ge for one in field.metadata if hasattr(one, "ge"))
        most = next(one.le for one in field.metadata if hasattr(one, "le"))
        return f"be a {'whole ' if kind is int else ''}number from {least} to {most}"
    return f"be one of {', '.join(get_args(kind))}" if get_args(kind) else "not be empty"
