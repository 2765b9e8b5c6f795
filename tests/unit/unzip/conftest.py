from pathlib import Path

import pytest

from tests.unit.unzip.uploads import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(f"file://{tmp_path}")
