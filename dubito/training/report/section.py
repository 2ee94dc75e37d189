"""A section of the page: how to read a picture, the picture, and its figures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from dubito.training.report.plot import Picture


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under one heading."""

    title: str
    text: str
    picture: Picture | None = None
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    """Cells; the first of each row names it."""

    def html(self) -> str:
        """The section, every text of it escaped."""
        picture = "" if self.picture is None else self.picture.html()
        table = _table(self.head, self.rows) if self.rows else ""
        return (
            f"<section><h2>{escape(self.title)}</h2><p>{escape(self.text)}</p>{picture}{table}"
            "</section>"
        )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    named = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for first, *cells in rows
    )
    return f"<div><table><thead><tr>{named}</tr></thead><tbody>{body}</tbody></table></div>"
