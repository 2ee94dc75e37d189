"""A bundle that was checked by the command is the one that its service opens."""

import asyncio
import shutil
from pathlib import Path

from app.bundle_loader import open_in_thread
from app.checked_bundle import CheckedBundle
from app.settings import Settings
from dubito.bundles.validation.inspection import inspect
from dubito.types import Identity
from tests.service import ROOT


def opened(settings: Settings, checked: CheckedBundle) -> Identity:
    async def use() -> Identity:
        async with open_in_thread(settings, checked) as bundle:
            return bundle.manifest.identity

    return asyncio.run(use())


def test_what_was_checked_is_opened_without_its_files(tmp_path: Path) -> None:
    """Whatever has taken their place meanwhile: the bytes are those that passed the checks."""
    folder = tmp_path / "loan-grade" / "1"
    shutil.copytree(ROOT / "models" / "loan-grade" / "1", folder)
    checked = inspect(folder)
    for file in folder.iterdir():
        file.write_bytes(b"")
    settings = Settings(models=tmp_path, version=1)
    assert checked.manifest.identity == opened(settings, CheckedBundle(checked))


def test_it_is_kept_for_one_opening() -> None:
    """A later one reads the files again; nobody keeps a network's bytes as long as it serves."""
    checked = CheckedBundle(inspect(ROOT / "models" / "loan-grade" / "1"))
    assert checked.take() is not None
    assert checked.take() is None
    assert opened(Settings(models=ROOT / "models", version=1), checked).version == 1
