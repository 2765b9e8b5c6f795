from functools import partial
from pathlib import Path

import pytest

from pixlake.zips import deliveries
from tests.builders.executions import Execution, TableLake
from tests.builders.reports import MakeExecution, ReportedExecution, build_execution
from tests.builders.uploads import Bench


@pytest.fixture(params=["at once", "in the background"])
def bench(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A lake in a folder, where images are written at once; and in the background too, as they are on S3."""
    if request.param == "in the background":
        monkeypatch.setattr(deliveries, "_stays_here", lambda _content: False)
    return Bench(f"file://{tmp_path}")


@pytest.fixture
def table_lake(tmp_path: Path) -> TableLake:
    """A lake with tables, empty yet."""
    return TableLake(tmp_path)


@pytest.fixture
def execution(table_lake: TableLake) -> Execution:
    """What the steps before Compact leave to it."""
    return Execution(table_lake)


@pytest.fixture
def make_execution(tmp_path: Path) -> MakeExecution:
    """`build_execution` in a lake of its own."""
    return partial(build_execution, tmp_path)


@pytest.fixture
def reported(make_execution: MakeExecution) -> ReportedExecution:
    """What all steps leave to Report."""
    return make_execution()
