"""Names in a manifest: of features, categories, classes, rules and metrics."""

import unicodedata
from collections.abc import Iterator, Mapping

LONGEST_NAME = 1_000
"""Most characters of a name, an alias, a title, a unit or a reason."""


def name_faults(names: Mapping[str, str]) -> Iterator[str]:
    """Yield names that are invalid or given twice, compared in Unicode's form NFC."""
    seen: dict[str, str] = {}
    for way, name in names.items():
        if not is_name(name):
            yield f"{way} is not a name of 1 to {LONGEST_NAME} letters without blanks around it"
        before = seen.setdefault(unicodedata.normalize("NFC", name), way)
        if before != way:
            yield f"{way} is the same name as {before}"


def is_name(text: str) -> bool:
    """Return whether a text is a name: not empty, not too long, without blanks around it."""
    return 0 < len(text) <= LONGEST_NAME and text == text.strip()
