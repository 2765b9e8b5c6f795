from pathlib import Path

import pytest

from pixlake.zips import deliveries
from tests.builders.uploads import Bench


@pytest.fixture(params=["at once", "in the background"])
def bench(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A lake in a folder, where images are written at once; and in the background too, as they are on S3."""
    if request.param == "in the background":
        monkeypatch.setattr(deliveries, "_stays_here", lambda _content: False)
    return Bench(f"file://{tmp_path}")
