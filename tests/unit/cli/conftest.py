from pathlib import Path

import pytest

from pixlake.iceberg.lakes import Lake
from tests.builders.zoo import fill


@pytest.fixture(scope="session")
def zoo_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """For reading only. Its folder's name holds what a glob, a URI or SQL would take for its own."""
    return fill(Lake.at(str(tmp_path_factory.mktemp("a lake's [#1]*%20?"))))


@pytest.fixture
def own_zoo_lake(tmp_path: Path) -> Lake:
    """The same, for one test to change."""
    return fill(Lake.at(str(tmp_path / "lake")))
