"""Sphinx extension: fills pages of the reference from the code that they describe.

A page says `<!-- generated: settings -->` where the text goes; the build puts it there before it
reads the page, so headings and links are those of any other page.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dubito_reference import commands, docstrings, library, openapi, settings

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

PARTS: dict[str, Callable[[], str]] = {
    "commands": commands.render,
    "operations": openapi.render_operations,
    "schemas": openapi.render_schemas,
    "settings": settings.render,
    "public": library.render_public,
    "layers": library.render_layers,
    "modules": library.render_modules,
    "usecases": library.render_usecases,
}
MARK = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)
LINK = re.compile(r"\[([^\]]+)\]\((\.\.?/[^)#]+)\)")


def fill(app: "Sphinx", page: str, source: list[str]) -> None:
    """Replace the marks of a page by what the code says today."""
    folder = (Path(app.srcdir) / page).parent

    def shown(link: re.Match[str]) -> str:
        # A repository shows folders; the site has no page for one.
        return link[1] if (folder / link[2]).is_dir() else link[0]

    text = MARK.sub(lambda mark: PARTS[mark[1]](), source[0])
    source[0] = LINK.sub(shown, text)


def setup(app: "Sphinx") -> "ExtensionMetadata":
    """Register the extension with Sphinx."""
    app.connect("source-read", fill)
    docstrings.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
