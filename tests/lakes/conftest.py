from collections.abc import Iterator
from operator import methodcaller
from pathlib import Path

import pytest

from pixlake.iceberg import commit
from pixlake.iceberg.catalog import open_catalog
from pixlake.iceberg.lakes import Lake
from tests.builders.executions import TableLake
from tests.builders.histories import Tables
from tests.builders.zoo import fill
from tests.doubles.queries import answer_here
from tests.doubles.tables import MemoryCatalog


@pytest.fixture(scope="session")
def zoo_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """For reading only. Its folder's name holds what a glob, a URI or SQL would take for its own."""
    return fill(Lake.at(str(tmp_path_factory.mktemp("a lake's [#1]*%20?"))))


@pytest.fixture
def own_zoo_lake(tmp_path: Path) -> Lake:
    """The same, for one test to change."""
    return fill(Lake.at(str(tmp_path / "lake")))


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    answer_here(monkeypatch, tmp_path_factory.mktemp("spill"))


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MemoryCatalog]:
    lake = TableLake(tmp_path_factory.mktemp("lake"))
    with pytest.MonkeyPatch.context() as patch:
        # tables in memory have transactions of their own
        patch.setattr(commit, "begin", methodcaller("transaction"))
        yield MemoryCatalog(open_catalog(lake.uri, lake.catalog_uri))


@pytest.fixture
def tables(catalog: MemoryCatalog) -> Tables:
    return Tables(catalog)
