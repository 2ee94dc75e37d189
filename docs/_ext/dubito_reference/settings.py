"""The table of settings, from the fields of `app.settings.Settings`."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from app.settings import Settings
from dubito_reference.markdown import code, escape, table

PREFIX = "DUBITO_"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is described to a user."""

    name: str
    default: object
    meaning: str

    @property
    def shown_default(self) -> str:
        """The default as a user would type it; numbers have separators, for the eye."""
        value = self.default
        if value is None or value == "":
            return "–"
        if isinstance(value, bool):
            return str(int(value))
        if isinstance(value, int) and self.name != "port":
            return f"{value:,}"
        return code(str(value).removesuffix(".0"))


def known_settings() -> Iterator[Setting]:
    """Yield every setting, in the order of its class: dataclass fields or Pydantic's."""
    settings: Any = Settings
    if is_dataclass(settings):
        for field in fields(settings):
            yield Setting(field.name, field.default, str(field.metadata["text"]))
    else:
        for name, field in settings.model_fields.items():
            yield Setting(name, field.get_default(call_default_factory=True), field.description)


def render() -> str:
    """The table."""
    rows = (
        [
            code(PREFIX + setting.name.upper()),
            setting.shown_default,
            escape(setting.meaning),
        ]
        for setting in known_settings()
    )
    return table(["variable", "default", "meaning"], rows)
