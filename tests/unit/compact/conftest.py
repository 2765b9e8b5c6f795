from pathlib import Path

import pytest

from tests.unit.compact.executions import Execution, Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


@pytest.fixture
def execution(lake: Lake) -> Execution:
    return Execution(lake)
