"""Settings: from variables and flags, each with its range, each error naming its variable."""

import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.errors import SettingsError
from app.settings import Settings, read_settings, reference, setting_variable, unknown_variables

GOOD: dict[str, tuple[str, Any]] = {
    "host": ("127.0.0.2", "127.0.0.2"),
    "port": ("0", 0),
    "workers": ("2", 2),
    "strict_start": ("0", False),
    "watch": ("1", True),
    "models": ("some/where", Path("some/where")),
    "model": ("loan-grade", "loan-grade"),
    "canary": ("loan-grade/4@0.1", "loan-grade/4@0.1"),
    "shadow": ("loan-grade/4", "loan-grade/4"),
    "version": ("3", 3),
    "retention_days": ("30", 30),
    "grpc_port": ("8001", 8_001),
    "cors_origins": ("https://desk.example", "https://desk.example"),
    "digest": ("sha256:00", "sha256:00"),
    "max_passes": ("7", 7),
    "max_rows": (" 8 ", 8),
    "max_work": ("9", 9),
    "max_queue": ("2000000", 2_000_000),
    "max_body_bytes": ("10", 10),
    "deadline_ms": ("250", 250),
    "state": ("some/state", Path("some/state")),
    "records": ("relaxed", "relaxed"),
    "records_url": ("postgresql://x/y", "postgresql://x/y"),
    "records_exposed": ("1", True),
    "allowed_hosts": ("grades.example", "grades.example"),
    "records_key_file": ("some/key", Path("some/key")),
    "log_requests": ("yes", True),
    "body_seconds": ("0.5", 0.5),
    "max_header_bytes": ("4096", 4_096),
    "max_headers": ("50", 50),
    "max_url_bytes": ("512", 512),
    "backend": ("numpy", "numpy"),
    "header_seconds": ("3.5", 3.5),
    "keep_alive_seconds": ("60", 60.0),
    "unread_seconds": ("4.5", 4.5),
    "max_unread_bytes": ("1000", 1_000),
    "max_connections": ("20", 20),
    "engine_seconds": ("1.5", 1.5),
    "drain_seconds": ("2.5", 2.5),
}
OTHER = {
    **dict.fromkeys(GOOD, "11"),
    "port": "11",
    "log_requests": "0",
    "max_queue": "3000000",
    "max_header_bytes": "8192",
    "max_url_bytes": "1024",
    "records": "off",
    "backend": "tensorflow",
    "records_exposed": "0",
    "strict_start": "1",
    "watch": "0",
    "canary": "loan-grade/3@1",
    "shadow": "loan-grade/3",
}


WRITTEN_TRUE = ["1", "true", "True", "YES", "on", " t ", "y"]
WRITTEN_FALSE = ["0", "false", "No", "OFF", "f", " n"]


def read(environment: dict[str, str] | None = None, /, **flags: Any) -> Settings:
    return read_settings(environment or {}, flags)


def test_every_setting_is_tried() -> None:
    """The tables above know every setting."""
    assert set(GOOD) == set(Settings.model_fields)


def test_the_defaults_are_the_design_pages() -> None:
    """Without variables and flags: loopback, the shipped bundle's highest version, the limits."""
    found = read()
    assert ("127.0.0.1", 8000) == (found.host, found.port)
    assert (Path("models"), "loan-grade") == (found.models, found.model)
    assert (None, None) == (found.version, found.digest)
    assert (10_000, 1_000, 1_000_000) == (found.max_passes, found.max_rows, found.max_work)
    assert (1 << 20, 10) == (found.max_body_bytes, found.body_seconds)


@pytest.mark.parametrize("name", GOOD)
def test_a_variable_sets(name: str) -> None:
    """Every setting has its variable."""
    text, value = GOOD[name]
    assert value == getattr(read({f"DUBITO_{name.upper()}": text}), name)


@pytest.mark.parametrize("name", GOOD)
def test_a_flag_wins(name: str) -> None:
    """Every setting has its flag, which wins over the variable."""
    text, value = GOOD[name]
    assert value == getattr(read({setting_variable(name): OTHER[name]}, **{name: text}), name)
    assert value == getattr(read({setting_variable(name): text}, **{name: None}), name)


BAD = {
    "port": ["-1", "65536", "8000.0", "http", "", " ", "0x50", "1e3", "nan", "٣x"],
    "version": ["0", "-1", "1.0", "latest", ""],
    "max_passes": ["0", "-5", "many", "1e4", "9" * 30, "9" * 5000],
    "max_rows": ["0", "-1", "1.5"],
    "max_work": ["0", "x"],
    "max_queue": ["0", "x"],
    "max_body_bytes": ["0", "1MiB"],
    "body_seconds": ["0", "-1", "nan", "inf", "-inf", "1s", "1e400", "0.001"],
    "records": ["of", "", "durable,off"],
    "records_exposed": ["2", "-1", "maybe", ""],
    "log_requests": ["2", "all", ""],
    "host": ["", "  "],
    "models": [""],
    "model": ["", "a,", "a/0", "a/1/2", "a/x", "/1", "#sha256:00", "a#00", "a,b/1,a/2", "{a}"],
    "digest": [""],
}


LISTED = {
    "a": [("a", None, None)],
    "a/3": [("a", 3, None)],
    "a#sha256:0a": [("a", None, "sha256:0a")],
    " a/12#sha256:0a , 대출 ,b/1": [("a", 12, "sha256:0a"), ("대출", None, None), ("b", 1, None)],
}


@pytest.mark.parametrize("text", LISTED)
def test_each_model_has_settings_of_its_own(text: str) -> None:
    """Name, version and digest as they are listed, and everything else as of the service."""
    whole = read(model=text, max_rows="7")
    each = whole.for_each_model()
    assert LISTED[text] == [(one.model, one.version, one.digest) for one in each]
    for one in each:
        own = {"model": text.strip(), "version": None, "digest": None}
        assert whole == one.model_copy(update=own)


def test_version_and_digest_are_of_a_single_bundle() -> None:
    """Given for the one that is named without them."""
    (one,) = read(model="a", version="3", digest="sha256:0a").for_each_model()
    assert ("a", 3, "sha256:0a") == (one.model, one.version, one.digest)
    (one,) = read(model="a#sha256:0a", version="3").for_each_model()
    assert ("a", 3, "sha256:0a") == (one.model, one.version, one.digest)


@pytest.mark.parametrize("text", ["a,b", "a/2#sha256:0b"])
@pytest.mark.parametrize(("name", "value"), [("version", "3"), ("digest", "sha256:0a")])
def test_version_and_digest_say_nothing_of_several(text: str, name: str, value: str) -> None:
    """Nor of one that has its own."""
    with pytest.raises(
        SettingsError, match=f"^{setting_variable(name)} cannot be set if DUBITO_MODEL"
    ):
        read(model=text, **{name: value})


@pytest.mark.parametrize(("name", "text"), [(name, text) for name in BAD for text in BAD[name]])
@pytest.mark.parametrize("flag", [False, True])
def test_what_cannot_be_is_refused(name: str, text: str, *, flag: bool) -> None:
    """Another kind or out of range: one sentence that names the variable and not the value."""
    with pytest.raises(SettingsError) as refused:
        read(**{name: text}) if flag else read({setting_variable(name): text})
    assert setting_variable(name) in str(refused.value)
    assert len(str(refused.value)) < 120


def test_a_queue_holds_the_largest_request() -> None:
    """What one request may ask for has a place in an empty queue."""
    with pytest.raises(SettingsError, match="DUBITO_MAX_QUEUE"):
        read({"DUBITO_MAX_WORK": "5000000"})
    assert 5_000_000 == read(max_work="5000000", max_queue="5000000").max_work


def test_misspelt_variables_are_found() -> None:
    """Variables with the prefix that are no settings, in order."""
    environment = {"DUBITO_PROT": "1", "DUBITO_PORT": "1", "PATH": "", "DUBITO_": "x", "DUBITO": ""}
    assert ["DUBITO_", "DUBITO_PROT"] == unknown_variables(environment)


def test_settings_do_not_change() -> None:
    """The object is frozen."""
    with pytest.raises(ValidationError, match="frozen"):
        read().port = 1  # type: ignore[misc]


def test_a_program_sets_without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings made from values read no environment: not the process' own, nor in another one."""
    monkeypatch.setenv("DUBITO_PORT", "1")
    assert (8000, 8000) == (Settings().port, read().port)
    assert 1 == read({"DUBITO_PORT": "1"}).port


def test_names_are_in_capitals() -> None:
    """As they always were: a variable of another spelling sets nothing."""
    assert 8000 == read({"dubito_port": "1", "Dubito_Port": "2"}).port


@pytest.mark.parametrize(("texts", "expected"), [(WRITTEN_TRUE, True), (WRITTEN_FALSE, False)])
def test_a_boolean_is_written_as_people_do(texts: list[str], *, expected: bool) -> None:
    """In any case of letters, with spaces around it, as a variable or a flag."""
    for text in texts:
        assert expected is read({"DUBITO_LOG_REQUESTS": text}).log_requests
        assert expected is read(records_exposed=text).records_exposed


DATABASE = "postgresql://kim:hunter2@db.example/records"
WITH_DATABASE: list[dict[str, str]] = [
    {"DUBITO_RECORDS_URL": DATABASE, "DUBITO_MAX_QUEUE": "1"},
    {"DUBITO_RECORDS_URL": DATABASE, "DUBITO_PORT": "x"},
    *(
        {setting_variable(name): DATABASE}
        for name in BAD
        if name not in {"host", "models", "model", "digest"}
    ),
]


@pytest.mark.parametrize("environment", WITH_DATABASE, ids=lambda given: " ".join(given))
def test_a_password_is_not_shown(environment: dict[str, str]) -> None:
    """Not in the sentence, nor in the traceback of a server that is not ours."""
    with pytest.raises(SettingsError) as refused:
        read(environment)
    assert "DUBITO_" in str(refused.value)
    assert "hunter2" not in "".join(traceback.format_exception(refused.value))


def test_settings_show_no_password() -> None:
    """Shown as an object, they leave out the address of the database; it is there."""
    found = read({"DUBITO_RECORDS_URL": DATABASE})
    assert DATABASE == found.records_url
    assert "hunter2" not in repr(found) + str(found)


def test_other_processes_have_the_same() -> None:
    """Sent to a process of the service, they are equal, and still hold its database."""
    found = read({name: GOOD[name[7:].lower()][0] for name in map(setting_variable, GOOD)})
    assert found == pickle.loads(pickle.dumps(found))  # noqa: S301 - made here


def test_every_setting_says_what_it_is() -> None:
    """Variable, default and meaning, with its unit where the name has one."""
    rows = {row.variable: row for row in reference()}
    assert list(map(setting_variable, Settings.model_fields)) == list(rows)
    assert ("8000", "4,000,000", "0.5", "false", "–", "`loan-grade`") == tuple(
        rows[setting_variable(name)].default
        for name in ("port", "max_queue", "drain_seconds", "log_requests", "digest", "model")
    )
    for row in rows.values():
        assert len(row.meaning) > 10
        for end, unit in (("BYTES", "bytes"), ("SECONDS", "seconds"), ("_MS", "milliseconds")):
            assert (
                not row.variable.endswith(end) or unit in row.meaning or "bytes of" in row.meaning
            )
