from pathlib import Path

import pytest

from tests.unit.inference.tiny import BundleLake


@pytest.fixture
def bundle_lake(tmp_path: Path) -> BundleLake:
    return BundleLake(tmp_path)
