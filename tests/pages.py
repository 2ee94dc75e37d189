"""Pages of the documentation as tests read them: blocks of code, with the headings above them."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
LANGUAGES = ("sh", "text", "json", "python", "nginx", "yaml")
FENCE = re.compile(r"( *)(`{3,}|~{3,})(\S*)\s*$")
HEADING = re.compile(r"(#+) (.+)$")
MARK = re.compile(r" *<!-- not run: (.+) -->$")


@dataclass(frozen=True, slots=True)
class Block:
    """One block of code on a page."""

    page: str
    """The page's path from the root."""
    headings: tuple[str, ...]
    """Those above it, the page's own title left out."""
    language: str
    text: str
    reason: str | None
    """Why it is not run; None where it is."""
    shown: str | None = None
    """The output that the page shows below it, if it shows any."""

    @property
    def name(self) -> str:
        """What a test calls it."""
        return f"{self.page}: {' '.join(self.text.split()[:3])}"


def blocks(page: str, language: str = "sh") -> list[Block]:
    """The blocks of a page in a language, in order."""
    found = _all_blocks(page)
    followed = zip(found, [*found[1:], None], strict=True)
    return [
        Block(page, block.headings, language, block.text, block.reason, _shown(block, following))
        for block, following in followed
        if block.language == language
    ]


def pages() -> list[str]:
    """Every page that tells somebody to run something: the README, the tutorial, the how-tos."""
    files = [DOCS / "index.md", DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md"))]
    return ["README.md", *(str(file.relative_to(ROOT)) for file in files)]


def _shown(block: Block, following: Block | None) -> str | None:
    if following is None or following.language != "text" or following.headings != block.headings:
        return None
    return following.text


def _all_blocks(page: str) -> list[Block]:
    found: list[Block] = []
    headings: list[str] = []
    reason: str | None = None
    fence, language, lines = "", "", list[str]()
    for line in (ROOT / page).read_text(encoding="utf-8").splitlines():
        opened = FENCE.match(line)
        if fence:
            if opened and opened[2] == fence and not opened[3]:
                text = textwrap.dedent("\n".join(lines)) + "\n"
                found.append(Block(page, tuple(headings), language, text, reason))
                fence, reason = "", None
            else:
                lines.append(line)
        elif opened:
            fence, language, lines = opened[2], opened[3], []
        elif heading := HEADING.match(line):
            depth = len(heading[1])
            headings = [*headings[: depth - 2], heading[2]] if depth > 1 else []
        elif mark := MARK.match(line):
            reason = mark[1]
        elif line.strip():
            reason = None
    assert not fence, f"{page}: a block does not end"
    return found
