from pathlib import Path

import pytest

from tests.unit.compact.executions import Execution, TableLake


@pytest.fixture
def table_lake(tmp_path: Path) -> TableLake:
    return TableLake(tmp_path)


@pytest.fixture
def execution(table_lake: TableLake) -> Execution:
    return Execution(table_lake)
