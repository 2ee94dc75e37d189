"""The page that says where a change goes: its files are there, and a change touches few of them."""

import re

from tests.networks import ROOT
from tests.pages import DOCS

MOST_FILES = 5
LEAST_CHANGES = 20


def test_a_change_touches_few_files_that_are_there() -> None:
    """At most five each; new ones are marked, and lie in a folder that is there."""
    page = (DOCS / "explanation" / "changes.md").read_text()
    rows = [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= LEAST_CHANGES
    for change, text in rows:
        named = re.findall(r"`([^`]+)`", text)
        assert 0 < len(named) <= MOST_FILES, change
        for path in named:
            if path.startswith("+DOMAIN/"):
                continue
            found = ROOT / path.removeprefix("+")
            assert found.parent.is_dir() if path.startswith("+") else found.is_file(), path
