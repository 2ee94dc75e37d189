"""The service in this process, behind Starlette's test client, and the engine it should equal."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from dubito.bundle import Bundle, load
from dubito.bundles.repository import find_version
from tests.calibrated import publish
from tests.dubito.inputs.bodies import LOAN
from tests.service import ROOT

SETTINGS = Settings(models=ROOT / "models", records="off")
Answer = httpx2.Response


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    with TestClient(
        create_app(SETTINGS), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        yield client


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    """The served bundle, loaded a second time."""
    return load(find_version(SETTINGS.models, SETTINGS.model))


@pytest.fixture
def loan() -> dict[str, float | None]:
    """The design page's loan."""
    return dict(LOAN)


@pytest.fixture(scope="session")
def calibrated_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a calibrated bundle."""
    return publish(tmp_path_factory.mktemp("models")).parent.parent


@pytest.fixture(scope="session")
def calibrated_bundle(calibrated_models: Path) -> Bundle:
    return load(find_version(calibrated_models, "loan-grade"))


@pytest.fixture(scope="session")
def calibrated(calibrated_models: Path) -> Iterator[TestClient]:
    """A service of the calibrated bundle."""
    settings = Settings(models=calibrated_models, records="off")
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        yield client


@pytest.fixture(scope="session")
def promising(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service of a bundle that promises something of single cases too."""
    models = publish(tmp_path_factory.mktemp("promising"), of_cases=True).parent.parent
    settings = Settings(models=models, records="off")
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        yield client


@pytest.fixture(scope="session")
def uncalibrated() -> Iterator[TestClient]:
    """A service of a bundle without a calibration."""
    settings = Settings(models=ROOT / "models", version=2, records="off")
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        yield client
