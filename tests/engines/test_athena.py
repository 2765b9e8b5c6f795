"""The branch on which Athena merges, by a nested execution of the engine's own, with DuckDB in Athena's place."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pixlake import storage
from pixlake.parts.handover import MERGED
from tests.builders.model_lakes import MODELS, image, make_lake, make_zip, rows
from tests.deployment.athenas import MORE, Queries
from tests.doubles.athena import Athena, open_athena
from tests.engines.stacks import Stack, open_stack

ONCE = ["CREATE", "MERGE", "ALTER", "OPTIMIZE", "VACUUM"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    models = make_lake(tmp_path_factory.mktemp("models") / "lake")
    assert models.folder
    parameters = {**MODELS, "CompactionEngine": "athena"}
    with open_stack(tmp_path_factory.mktemp("athena"), parameters, models.folder / "models") as opened:
        yield opened


@pytest.fixture
def athena() -> Iterator[Athena]:
    with open_athena() as opened:
        yield opened


def asked(stack: Stack, athena: Athena, folder: Path, refusals: dict[str, list[str]]) -> Queries:
    """Athena for the stack: the lake's parts are copied into a folder, where DuckDB reads them."""

    def run(sql: str) -> None:
        if sql.startswith("MERGE"):
            for found in storage.list_objects(f"{stack.lake.uri}/work/"):
                copy = folder / found.uri.removeprefix(f"{stack.lake.uri}/")
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(storage.read(found.uri))
        athena.run(sql.replace(stack.lake.uri, f"file://{folder}"))

    stack.athena = Queries(run, refusals=refusals)
    return stack.athena


def test_an_upload_becomes_rows_on_athena(stack: Stack, athena: Athena, tmp_path: Path) -> None:
    refusals = {
        'MERGE INTO "records"': ["ICEBERG_COMMIT_ERROR: Failed to commit the transaction during write"],
        "OPTIMIZE records": [MORE.format("OPTIMIZE")] * 2,
    }
    queries = asked(stack, athena, tmp_path / "copy", refusals)
    members: dict[str, Any] = {"pets.csv": "id,Age\n01,3\n02,5\n", "a/01.png": image(), "a/bad.png": b"none"}
    ended = stack.upload("uploads/pets/pets.zip", make_zip(tmp_path / "pets.zip", members).read_bytes())
    assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
    counts = {"links": 1, "embeddings": 1, "predictions": 2, "records": 2, "rejects": 1}
    assert {name: len(athena.rows(name)) for name in MERGED} == counts
    (row,) = rows(stack.lake, "executions", "pets")
    assert (row["status"], row["embedded"], row["predicted"], row["records"]) == ("SUCCEEDED", 1, 2, 2)
    verbs = ["CREATE", "MERGE", "CREATE", "MERGE", "ALTER", *["OPTIMIZE"] * 3, "VACUUM"]
    # the table of parts is that of the links, too; and records are merged a second time, to agree with them
    assert queries.verbs("records") == ["CREATE", *verbs, *ONCE]
    assert {it["QueryExecutionContext"]["Database"] for it in queries.asked} == {"pixlake"}


def test_a_query_that_is_denied_fails_the_execution(stack: Stack, athena: Athena, tmp_path: Path) -> None:
    reason = "PERMISSION_DENIED: not this table"
    queries = asked(stack, athena, tmp_path / "copy", {'MERGE INTO "records"': [reason] * 9})
    upload = make_zip(tmp_path / "pets.zip", {"pets.csv": "id\n01\n"})
    ended = stack.upload("uploads/denied/pets.zip", upload.read_bytes())
    assert ended["status"] == "FAILED"
    assert reason in ended["cause"]
    # not once more; MiniStack alone goes on with the other tables
    denied = [it["QueryString"] for it in queries.asked if it["QueryString"].startswith('MERGE INTO "records"')]
    assert len(denied) == 1
    event, answer = stack.heard(ended["executionArn"])
    assert json.loads(answer.payload)["status"] == event["detail"]["status"] == "FAILED"
    (row,) = rows(stack.lake, "executions", "denied")
    assert row["status"] == "FAILED"
