"""Markdown that generated pages are made of."""

import re
from collections.abc import Iterable, Sequence

CODE = re.compile(r"(`+[^`]*`+)")
MARKUP = re.compile(r"([\\*_<\[\]{}$])")


def escape(text: str) -> str:
    """Write a plain text as Markdown that shows it; code in backticks stays code."""
    parts = CODE.split(" ".join(text.split()))
    parts[::2] = [MARKUP.sub(r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; cells are Markdown, in which a bar is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def code(text: object) -> str:
    """Write a short text as code."""
    return f"`{text}`"
