"""Settings of the service: one frozen object, read from `DUBITO_*` variables and from flags."""

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
from dubito.bundles.model_reference import SharedReference, parse_references, parse_shares

PREFIX = "DUBITO_"
MODELS = Path("models")
STATE = Path("var")

MOST = 10**12
"""Largest value of every setting that has no narrower limit."""

CandidateRole = Literal["canary", "shadow"]
CANDIDATES: Mapping[CandidateRole, float | None] = {"canary": None, "shadow": 1.0}
"""Share of a candidate for which none is set, by role; None if one must be."""

Count = Annotated[int, Field(ge=1, le=MOST)]
Seconds = Annotated[float, Field(ge=0.01, le=MOST)]


class Settings(BaseSettings):
    """The settings of a service.

    Constructing it from Python values reads no variables: `read_settings` does.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        allow_inf_nan=False,
        # A database address contains a password, and a text may be given to the wrong variable.
        hide_input_in_errors=True,
    )

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="TCP port to listen on, 0 for any free one")
    grpc_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="TCP port of the Open Inference Protocol over gRPC, 0 for any free one; "
        "default: none",
    )
    workers: int = Field(
        1, ge=1, le=64, description="number of worker processes, each with the bundles"
    )
    models: Path = Field(MODELS, description="folder that contains the bundles")
    model: str = Field(
        "loan-grade",
        description="bundles to serve, separated by commas, each NAME, NAME/VERSION or "
        "NAME/VERSION#sha256:…; addresses without a name are those of the first",
    )
    version: int | None = Field(
        None, ge=1, le=MOST, description="version of a single bundle; default: the highest"
    )
    digest: str | None = Field(
        None, description="only digest that a single bundle may have, sha256:…"
    )
    strict_start: bool = Field(
        default=True,
        description="false serves the other bundles if one of several cannot be served",
    )
    canary: str | None = Field(
        None,
        description="versions that answer a share of the requests, NAME/VERSION@SHARE, separated "
        "by commas",
    )
    shadow: str | None = Field(
        None,
        description="versions that compute what was answered, to be compared, NAME/VERSION or "
        "NAME/VERSION@SHARE, separated by commas",
    )
    watch: bool = Field(
        default=False,
        description="true looks at the folder of bundles every 2 s, and serves what was published",
    )
    backend: Literal["auto", "native", "numpy", "tensorflow"] = Field(
        "auto",
        description="what computes the network: native, numpy, tensorflow, or auto, the first of "
        "these that runs all its layers",
    )
    max_passes: Count = Field(10_000, description="maximum passes of a request")
    max_rows: Count = Field(1_000, description="maximum rows of a request")
    max_work: Count = Field(1_000_000, description="maximum rows × passes of a request")
    max_queue: Count = Field(
        4_000_000, description="maximum rows × passes queued in a worker; beyond it 503"
    )
    max_body_bytes: Count = Field(1 << 20, description="maximum size of a request body, in bytes")
    deadline_ms: int = Field(
        30_000,
        ge=1,
        le=600_000,
        description="deadline of a request that names none, in milliseconds",
    )
    state: Path = Field(
        STATE, description="folder of the service's own files, the only one it writes to"
    )
    records: Literal["durable", "relaxed", "off"] = Field(
        "durable",
        description="when answers are recorded: durable (before they are sent), relaxed (soon "
        "after) or off",
    )
    records_url: str | None = Field(
        None,
        repr=False,
        description="database of the records as a SQLAlchemy URL; default: a SQLite file in "
        "the state folder",
    )
    records_exposed: bool = Field(
        default=False, description="true serves records on addresses other than loopback too"
    )
    allowed_hosts: str = Field(
        "localhost,127.0.0.1,[::1]",
        description="host names, separated by commas, under which records are served and, on "
        "loopback, browsers may request predictions",
    )
    cors_origins: str | None = Field(
        None,
        description="origins of other sites whose pages may send requests, separated by "
        "commas: https://desk.example",
    )
    records_key_file: Path | None = Field(
        None,
        description="file of the key that chains the records; default: one in the state folder",
    )
    retention_days: int = Field(
        0, ge=0, le=36_500, description="days after which personal data is erased, 0 for never"
    )
    log_requests: bool = Field(
        default=False,
        description="true logs every request, false only refused and failed ones",
    )
    body_seconds: Seconds = Field(
        10.0, description="time within which a request body must arrive, in seconds"
    )
    max_header_bytes: int = Field(
        32_768,
        ge=256,
        le=MOST,
        description="maximum size of a request head, in bytes; beyond it 431",
    )
    max_headers: int = Field(
        100, ge=10, le=MOST, description="maximum number of request headers; beyond it 431"
    )
    max_url_bytes: int = Field(
        8_192, ge=64, le=MOST, description="maximum length of a URL, in bytes; beyond it 414"
    )
    header_seconds: Seconds = Field(
        20.0, description="time within which a request head must arrive, in seconds"
    )
    keep_alive_seconds: Seconds = Field(
        75.0,
        description="time a connection may be idle between requests, in seconds",
    )
    unread_seconds: Seconds = Field(
        30.0,
        description="time a client may go without reading any of its response, in seconds",
    )
    max_unread_bytes: Count = Field(
        1 << 26,
        description="maximum bytes of responses that clients have not read, of all clients "
        "together",
    )
    max_connections: Count = Field(
        4_096,
        description="maximum open connections of each worker; beyond it the longest idle one "
        "is closed",
    )
    engine_seconds: float = Field(
        5.0,
        ge=1,
        le=3_600,
        description="time without a sign of life from the engine after which requests are "
        "refused, in seconds",
    )
    drain_seconds: float = Field(
        0.5,
        ge=0,
        le=600,
        description="time after SIGTERM during which requests are still accepted though not "
        "ready, in seconds",
    )

    @property
    def threads(self) -> int:
        """Threads for a worker's arithmetic: its share of the cores that the process may use."""
        return max(1, cores() // self.workers)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library hands it over
        init_settings: PydanticBaseSettingsSource,
        *_: Any,
        **__: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read only the constructor's arguments: programs and tests depend on no environment."""
        return (init_settings,)

    @field_validator("*", mode="before")
    @classmethod
    def _from_text(cls, value: Any, info: ValidationInfo) -> Any:
        """Parse numbers as Python does: Pydantic would accept 8000.0 as an integer."""
        if not isinstance(value, str):
            return value
        text = value.strip()
        if not text:
            raise ValueError("nothing is given")
        kind = _kind(cls.model_fields[str(info.field_name)])
        return _number(kind, text) if kind in (int, float) else text

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.max_queue < self.max_work:
            raise ValueError("DUBITO_MAX_QUEUE must be at least DUBITO_MAX_WORK")
        self._check_model()
        for role in CANDIDATES:
            self._check_candidates(role)
        if self.workers > 1 and self.grpc_port == 0:
            raise ValueError("DUBITO_GRPC_PORT must not be 0 with several workers, which share it")
        return self

    def _check_model(self) -> None:
        """Check that version and digest are given once for a bundle."""
        try:
            references = parse_references(self.model)
        except ValueError as error:
            raise ValueError(f"DUBITO_MODEL {error}") from None
        for name, value in (("version", self.version), ("digest", self.digest)):
            if value is None:
                continue
            if len(references) > 1 or getattr(references[0], name) is not None:
                raise ValueError(
                    f"{setting_variable(name)} cannot be set if DUBITO_MODEL lists several bundles "
                    f"or has a {name} itself"
                )

    def _check_candidates(self, role: CandidateRole) -> None:
        """Check that candidates are versions of models."""
        variable = setting_variable(role)
        try:
            found = self._candidates(role)
        except ValueError as error:
            raise ValueError(f"{variable} {error}") from None
        models = {one.name for one in parse_references(self.model)}
        if not models.issuperset(one.reference.name for one in found):
            raise ValueError(f"{variable} must list versions of bundles that DUBITO_MODEL lists")

    def _candidates(self, role: CandidateRole) -> tuple[SharedReference, ...]:
        text: str | None = getattr(self, role)
        return () if text is None else parse_shares(text, CANDIDATES[role])

    def for_each_candidate(self, role: CandidateRole) -> Iterator[tuple["Settings", float]]:
        """Yield these settings for each candidate of a role alone, and its share."""
        for one, share in self._candidates(role):
            only = {"model": one.name, "version": one.version, "digest": one.digest}
            yield self.model_copy(update=only), share

    def for_each_model(self) -> tuple["Settings", ...]:
        """Return these settings for each model alone, in the order of `DUBITO_MODEL`."""
        return tuple(
            self.model_copy(
                update={
                    "model": one.name,
                    "version": one.version or self.version,
                    "digest": one.digest or self.digest,
                }
            )
            for one in parse_references(self.model)
        )


class Row(NamedTuple):
    """A line of the documentation's table of settings."""

    variable: str
    default: str
    """Default value as Markdown."""
    meaning: str
    """Description with its unit."""


def setting_variable(name: str) -> str:
    """Return the name of a setting's environment variable."""
    return PREFIX + name.upper()


def read_settings(environment: Mapping[str, str], flags: Mapping[str, str | None]) -> Settings:
    """Read settings from environment variables and flags; a flag takes precedence.

    Raises:
        SettingsError: a text is not of the setting's type, or a value is out of range.
    """
    source = EnvSettingsSource(Settings)
    # pydantic-settings ignores the case of names; variables of this service are upper case only.
    source.env_vars = {name.lower(): environment[name] for name in environment if name.isupper()}
    given = {name: text for name, text in flags.items() if text is not None}
    try:
        return Settings(**{**source(), **given})
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from error


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Names of variables that begin with the prefix and are no setting, such as misspelt ones."""
    known = set(map(setting_variable, Settings.model_fields))
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def default_of(name: str) -> str:
    """Format the default of a setting as a variable or flag gives it; empty if it has none."""
    default = Settings.model_fields[name].default
    if default is None:
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def reference() -> Iterator[Row]:
    """Yield every setting as a line of the documentation's table."""
    for name, field in Settings.model_fields.items():
        yield Row(setting_variable(name), _shown(field.default), str(field.description))


def reference_table() -> str:
    """Write the table of all settings as Markdown, as the README contains it."""
    lines = [f"| `{row.variable}` | {row.default} | {row.meaning} |\n" for row in reference()]
    return "| variable | default | meaning |\n|---|---|---|\n" + "".join(lines)


def _shown(default: object) -> str:
    """Format a default for the table; numbers are grouped from 10,000 on, so a port is not."""
    if default is None:
        return "–"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, int | float):
        return f"{default:,}" if default >= 10_000 else f"{default:g}"
    return f"`{default}`"


def _kind(field: FieldInfo) -> Any:
    """Return the type of a setting apart from None, or the `Literal` of its allowed words."""
    annotation: Any = field.annotation
    return get_args(annotation)[0] if isinstance(annotation, UnionType) else annotation


def _number(kind: type[int] | type[float], text: str) -> int | float:
    try:
        return kind(text)
    except ValueError:
        # Python's message would repeat the text.
        raise ValueError("not a number") from None


def _sentence(error: ValidationError) -> str:
    """Turn the first validation error into a sentence that names the variable but not its value."""
    first = error.errors(include_input=False, include_url=False)[0]
    if not first["loc"]:
        return str(first["ctx"]["error"])
    name = str(first["loc"][0])
    return f"{setting_variable(name)} must {_must(Settings.model_fields[name])}"


def _must(field: FieldInfo) -> str:
    """Phrase the requirement on a setting's value, as the end of a sentence."""
    kind = _kind(field)
    if kind is bool:
        return "be true or false"
    if kind in (int, float):
        least = next(one.ge for one in field.metadata if hasattr(one, "ge"))
        most = next(one.le for one in field.metadata if hasattr(one, "le"))
        return f"be a {'whole ' if kind is int else ''}number from {least} to {most}"
    return f"be one of {', '.join(get_args(kind))}" if get_args(kind) else "not be empty"
