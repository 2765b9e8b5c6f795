"""Batches that an execution lost are run again: afterwards the tables are as if nothing had been lost."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pixlake.iceberg.lakes import Lake
from pixlake_cli.engine.engine import Engine
from pixlake_cli.engine.sandbox import Answer, failure
from tests.builders.model_lakes import MODELS, Row, image, make_lake, make_zip, rows

PIXLAKE = Path(sys.executable).with_name("pixlake")
RESULTS = ("embeddings", "predictions", "records", "links", "rejects")
PETS: dict[str, bytes | str] = {
    "pets.csv": "id,Age\n" + "".join(f"{number:02},{number}\n" for number in range(24)),
    **{f"{number:02}.png": image((number * 8, 0, 0)) for number in range(20)},
    "bad.png": b"no image",
}
# what differs between two executions of one upload in two experiments
OWN = {"experiment_id", "image_uri", "processed_at", "uploaded_at"}
LOST = {"embed-000003", "classify-000001"}


class Losing(Engine):
    """Functions whose worker dies with the batches in `lost`, at every attempt."""

    lost: frozenset[str] | set[str] = frozenset()

    def invoke(self, function: str, payload: bytes) -> Answer:
        if json.loads(payload).get("batch", {}).get("batch_id") in self.lost:
            return failure("Runtime.ExitError", "the worker died")
        return super().invoke(function, payload)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return make_lake(tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="module")
def engine(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Losing]:
    upload = make_zip(tmp_path_factory.mktemp("uploads") / "pets.zip", PETS)
    opened = Losing(lake.uri, lake.catalog_uri, {**MODELS, "BatchRows": "1"})
    with opened:
        for name, lost in (("whole", set()), ("lossy", LOST)):
            opened.lost = lost
            outcome = opened.execute(name, {"upload_uri": f"file://{upload}", "experiment_id": name})
            assert outcome.status == "SUCCEEDED", (outcome.error, outcome.cause)
        opened.lost = frozenset()
        yield opened
    shutil.rmtree(opened.logs, ignore_errors=True)


def found(lake: Lake, experiment: str) -> dict[str, list[Row]]:
    """The rows of one experiment, but for what is an execution's own."""
    return {
        table: [{key: value for key, value in row.items() if key not in OWN} for row in rows(lake, table, experiment)]
        for table in RESULTS
    }


def lost_of(lake: Lake, experiment: str) -> list[str]:
    return [row["source"] for row in rows(lake, "rejects", experiment) if row["reason"] == "batch_lost"]


def upload_of(lake: Lake, execution: str) -> str:
    (uri,) = [row["upload_uri"] for row in rows(lake, "executions") if row["execution_id"] == execution]
    return str(uri)


def retry(lake: Lake, execution: str) -> tuple[int, dict[str, Any], str]:
    command = [str(PIXLAKE), "retry", execution, "--lake", str(lake.folder), "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return ended.returncode, json.loads(ended.stdout or "{}"), ended.stderr


def test_a_retry_leaves_the_tables_as_if_nothing_had_been_lost(engine: Losing, lake: Lake) -> None:
    assert len(lost_of(lake, "lossy")) == 2
    assert len(found(lake, "lossy")["embeddings"]) == len(found(lake, "whole")["embeddings"]) - 1

    outcome = engine.execute("again", {"retry": "lossy"})
    assert outcome.status == "SUCCEEDED", (outcome.error, outcome.cause)
    assert (outcome.output["experiment_id"], outcome.output["embedded"], outcome.output["predicted"]) == ("lossy", 1, 1)
    assert found(lake, "lossy") == found(lake, "whole")
    before = {table: rows(lake, table, "lossy") for table in RESULTS}

    code, result, said = retry(lake, "lossy")
    assert (code, result.get("status")) == (0, "SUCCEEDED"), said
    assert {table: rows(lake, table, "lossy") for table in RESULTS} == before
    (retried,) = [row for row in rows(lake, "executions", "lossy") if row["execution_id"] == "again"]
    assert (retried["status"], retried["embedded"], retried["upload_uri"]) == ("SUCCEEDED", 1, upload_of(lake, "lossy"))


def test_a_retry_that_loses_its_batch_again_fails_and_changes_nothing(engine: Losing, lake: Lake) -> None:
    before = found(lake, "lossy")
    engine.lost = {"embed-000000"}
    try:
        outcome = engine.execute("again-and-lost", {"retry": "lossy"})
    finally:
        engine.lost = frozenset()
    assert (outcome.status, outcome.state) == ("FAILED", "Infer")
    (row,) = [row for row in rows(lake, "executions", "lossy") if row["execution_id"] == "again-and-lost"]
    assert row["status"] == "FAILED"
    assert {**found(lake, "lossy"), "rejects": []} == {**before, "rejects": []}


def test_nothing_is_left_to_run_again(engine: Losing) -> None:
    outcome = engine.execute("nothing", {"retry": "whole"})
    assert outcome.status == "SUCCEEDED", (outcome.error, outcome.cause)
    assert (outcome.output["embedded"], outcome.output["predicted"]) == (0, 0)
    assert any("nothing" in warning for warning in outcome.output["warnings"])


def test_an_execution_whose_files_are_gone_says_so(lake: Lake) -> None:
    code, _, said = retry(lake, "long-gone")
    assert code == 2
    assert "long-gone cannot be retried" in said
    assert "put its upload in again" in said
