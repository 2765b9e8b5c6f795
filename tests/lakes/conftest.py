from collections.abc import Iterator
from operator import methodcaller
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import pytest

from pixlake.iceberg import commit
from pixlake.iceberg.catalog import open_catalog
from pixlake.iceberg.lakes import Lake
from pixlake.sql import limited
from pixlake.sql.limited import Limits, Plan, write_plan
from pixlake.sql.worker import Request, answer
from tests.builders.executions import TableLake
from tests.builders.histories import Tables
from tests.builders.zoo import fill
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
    """Queries are answered here, for a process of its own takes a second; tests/attacks have one."""
    spill = tmp_path_factory.mktemp("spill")

    def write_rows(
        lake: Lake, sql: str, writer: str, target: IO[bytes], limits: Limits, plan: Plan | None = None
    ) -> None:
        with TemporaryDirectory(dir=spill) as folder:
            planned = "" if plan is None else write_plan(plan, Path(folder))
            where = str(lake.folder or lake.uri)
            answer(Request(sql, where, writer, limits.memory, folder, 1 << 30, planned), target)

    monkeypatch.setattr(limited, "write_rows", write_rows)


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
