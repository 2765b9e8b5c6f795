from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from tests.contract.places import LakePlace, check_versions, folder_lake, s3_lake
from tests.doubles.aws import parse_services_once

parse_services_once()


@pytest.fixture(scope="session")
def moto_server() -> Iterator[ThreadedMotoServer]:
    """S3 and Glue on loopback. Its Glue checks the version that an update names."""
    undo = check_versions()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server
    server.stop()
    undo()


@pytest.fixture(params=["folder", "s3"])
def lake_place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LakePlace:
    """An empty lake of each kind."""
    if request.param == "folder":
        return folder_lake(tmp_path)
    return s3_lake(request.getfixturevalue("moto_server"), monkeypatch)
