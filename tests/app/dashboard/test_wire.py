"""The types of the service's JSON in the page's code, beside what the service documents."""

import re
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from tests.service import ROOT, Service

TYPES = ROOT / "app/dashboard/types"
INTERFACE = re.compile(
    r"^export interface (\w+)(?: extends \w+)? \{\n(.*?)^\}", re.MULTILINE | re.DOTALL
)
MEMBER = re.compile(r"^  (\w+)\??: (.*);$", re.MULTILINE)
OWN = {"Answer", "Warning", "Documentation"}
"""What the document has no one name for."""


@pytest.fixture(scope="module")
def documented(service: Service) -> Any:
    """The schemas of the document, by name."""
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        return client.get("/openapi.json").json()["components"]["schemas"]


def nullable(schema: dict[str, Any]) -> bool:
    return {"type": "null"} in schema.get("anyOf", [])


def test_every_member_is_documented(documented: Any) -> None:
    """A name that the service does not send, or null where the page expects none, is found."""
    check_types("wire.d.ts", documented, 31, ("between_members",))


def check_types(file: str, documented: Any, least: int, absent: Sequence[str] = ()) -> None:
    """Every member of a file's interfaces, of which there are enough, is in the document.

    Those that are `absent` are in none.
    """
    found = INTERFACE.findall((TYPES / file).read_text(encoding="utf-8"))
    assert len(found) >= least
    for name, body in found:
        if name in OWN:
            continue
        members = documented[name]["properties"]
        for member, kind in MEMBER.findall(body):
            assert (member in members) is (member not in absent), f"{name}.{member}"
            if member not in absent and nullable(members[member]):
                assert "null" in kind, f"{name}.{member} may be null"
