"""Workers whose time runs out: the rest of a batch is another round of its child, and every row is there."""

import shutil
from pathlib import Path

import pytest

from pixlake_cli.engine import pool
from pixlake_cli.engine.engine import Engine
from pixlake_cli.engine.sandbox import Answer
from tests.builders.engines import NO_TIME
from tests.builders.model_lakes import MODELS, image, make_lake, make_zip, rows

PETS: dict[str, bytes | str] = {
    "pets.csv": "id,Age\n01,3\n02,5\n03,7\n",
    **{f"{number:02}.png": image((number * 8, 0, 0)) for number in range(5)},
    "03-bad.png": b"no image",
}


class Counting(Engine):
    """Counts how often each function is invoked."""

    counts: dict[str, int]

    def invoke(self, function: str, payload: bytes) -> Answer:
        self.counts[function] = self.counts.get(function, 0) + 1
        return super().invoke(function, payload)


def test_workers_without_time_leave_no_row_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = pool.environment
    monkeypatch.setattr(pool, "environment", lambda *given: {**plain(*given), **NO_TIME})
    lake = make_lake(tmp_path / "lake")
    upload = make_zip(tmp_path / "pets.zip", PETS)
    engine = Counting(lake.uri, lake.catalog_uri, MODELS)
    engine.counts = {}
    with engine:
        outcome = engine.execute("slow", {"upload_uri": f"file://{upload}", "experiment_id": "pets"})
    shutil.rmtree(engine.logs, ignore_errors=True)
    assert outcome.status == "SUCCEEDED", (outcome.error, outcome.cause)
    assert [row["image_path"] for row in rows(lake, "embeddings")] == [f"{number:02}.png" for number in range(5)]
    assert [row["record_id"] for row in rows(lake, "predictions")] == ["01", "02", "03"]
    assert [(row["source"], row["stage"]) for row in rows(lake, "rejects")] == [("03-bad.png", "embed")]
    assert engine.counts["EmbedFunction"] == 6
