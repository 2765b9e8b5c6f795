"""The app over a lake."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pixlake.api.app import make_app
from pixlake.iceberg.lakes import Lake
from tests.builders.galleries import ADDRESS, fill


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """For reading only."""
    return fill(Lake.at(str(tmp_path_factory.mktemp("gallery"))))


@pytest.fixture
def own_gallery(tmp_path: Path) -> Lake:
    """The same, for one test to change."""
    return fill(Lake.at(str(tmp_path / "lake")))


@pytest.fixture(scope="session")
def client(gallery: Lake) -> Iterator[TestClient]:
    with TestClient(make_app(gallery), ADDRESS, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def red(gallery: Lake) -> bytes:
    assert gallery.folder
    return (gallery.folder / "images" / "of" / "red.png").read_bytes()
