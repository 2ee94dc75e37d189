"""The page's logic without a browser: each file of `units`, run by Node's own runner."""

import subprocess
from pathlib import Path

import pytest

from tests.programs import program

UNITS = Path(__file__).parent / "units"
FILES = sorted(UNITS.glob("*.test.js"))
LONGEST_SECONDS = 60


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.removesuffix(".test.js"))
def test_a_part_of_the_page(file: Path) -> None:
    """Every test of the file passes."""
    done = subprocess.run(
        [program("node"), "--test", str(file)],
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr


def test_every_file_is_run() -> None:
    """A file beside the others that is called otherwise would never be run."""
    assert FILES
    assert set(FILES) == set(UNITS.iterdir())
