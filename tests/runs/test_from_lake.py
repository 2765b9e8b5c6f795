"""Images that are in the lake get vectors and labels of other models, by the command and without an upload."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixlake.iceberg.lakes import Lake
from pixlake_cli.engine.engine import Engine
from tests.builders import tiny
from tests.builders.model_lakes import MODELS, Row, image, make_lake, make_zip, rows
from tests.project import ROOT

PIXLAKE = Path(sys.executable).with_name("pixlake")
PETS: dict[str, bytes | str] = {
    "pets.csv": "id,Age\n1,3\n",
    "1.png": image(),
    "2.png": image((0, 255, 0)),
    "3.png": image((0, 0, 255)),
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """With three images by one embedder, one of them a record's; and with models that have not seen them."""
    made = make_lake(tmp_path_factory.mktemp("lake"))
    models = tiny.BundleLake(Path(str(made.folder)))
    models.embedder("other")
    graph = tiny.image_graph(np.eye(3, dtype=np.float32))
    models.classifier("kinds", graph, [tiny.image_input()], kind="image_classifier")
    upload = make_zip(tmp_path_factory.mktemp("uploads") / "pets.zip", PETS)
    with Engine(made.uri, made.catalog_uri, MODELS, ROOT) as engine:
        outcome = engine.execute("first", {"upload_uri": f"file://{upload}", "experiment_id": "pets"})
        assert outcome.status == "SUCCEEDED", (outcome.error, outcome.cause)
    yield made
    shutil.rmtree(engine.logs, ignore_errors=True)


def run_again(lake: Lake, *arguments: str) -> tuple[dict[str, Any], str]:
    command = [str(PIXLAKE), "run", "--from-lake", *arguments, "--lake", str(lake.folder), "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    result: dict[str, Any] = json.loads(ended.stdout)
    return result, ended.stderr


def by_model(lake: Lake) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows(lake, "embeddings", "pets"):
        found.setdefault(row["model"].partition("@")[0], []).append(row)
    return found


def test_another_models_rows_stand_beside_the_first_ones_and_a_second_run_changes_nothing(lake: Lake) -> None:
    before = {table: rows(lake, table, "pets") for table in ("embeddings", "records", "predictions")}
    asked = ("--experiment", "pets", "--embedder", "other", "--image-classifier", "kinds")
    result, _ = run_again(lake, *asked)
    assert (result["status"], result["embedded"], result["predicted"], result["records"]) == ("SUCCEEDED", 3, 2, 0)
    found = by_model(lake)
    assert found["tiny"] == before["embeddings"]
    same = ("image_path", "record_id", "sha256", "image_uri", "uploaded_at", "width")
    assert [[row[name] for name in same] for row in found["other"]] == [
        [row[name] for name in same] for row in found["tiny"]
    ]
    predictions = {
        row["image_path"]: (row["label"], row["model"].partition("@")[0]) for row in rows(lake, "predictions")
    }
    assert {path: model for path, (_, model) in predictions.items() if path} == {"2.png": "kinds", "3.png": "kinds"}
    assert rows(lake, "records", "pets") == before["records"]

    after = {table: rows(lake, table, "pets") for table in ("embeddings", "predictions")}
    result, said = run_again(lake, *asked)
    assert (result["embedded"], result["predicted"]) == (0, 0)
    assert "there is nothing to run" in said
    assert {table: rows(lake, table, "pets") for table in after} == after


def test_a_search_asks_one_model(lake: Lake) -> None:
    command = [str(PIXLAKE), "search", "2.png", "--model", "other", "--lake", str(lake.folder), "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    hits = json.loads(ended.stdout)
    assert hits[0]["image_path"] == "2.png"
    assert len(hits) == 3
