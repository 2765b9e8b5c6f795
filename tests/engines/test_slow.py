"""The rounds of a batch whose worker runs out of time, on a second interpreter."""

from collections.abc import Iterator

import pytest

from pixlake_cli.engine import pool
from tests.builders.engines import NO_TIME
from tests.builders.model_lakes import MODELS, image, make_lake, make_zip, rows
from tests.engines.stacks import Stack, open_stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    models = make_lake(tmp_path_factory.mktemp("models") / "lake")
    assert models.folder
    plain = pool.environment
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "environment", lambda *given: {**plain(*given), **NO_TIME})
        with open_stack(tmp_path_factory.mktemp("slow"), MODELS, models.folder / "models") as opened:
            yield opened


def test_workers_without_time_leave_no_row_out(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> None:
    names = [f"{number:02}.png" for number in range(5)]
    upload = make_zip(tmp_path_factory.mktemp("upload") / "pets.zip", {name: image() for name in names})
    ended = stack.upload("uploads/pets/pets.zip", upload.read_bytes())
    assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
    assert [row["image_path"] for row in rows(stack.lake, "embeddings")] == names
    assert stack.functions.attempts == {"embed-000000": len(names)}
