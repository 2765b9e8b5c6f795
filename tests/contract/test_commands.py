"""Commands that read the tables of a stack: on S3, with the stack's own database in Glue."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pyarrow as pa
import pytest
from moto.server import ThreadedMotoServer

from pixlake import storage
from pixlake.iceberg.catalog import commit_rows, load_table, open_catalog
from pixlake.iceberg.executions import Ending, commit_ending
from pixlake.messages import TOTALS
from pixlake.schemas import EMBEDDINGS, REJECTS
from tests.builders.commands import run
from tests.contract.places import LakePlace, s3_lake


@pytest.fixture
def pets_place(moto_server: ThreadedMotoServer, monkeypatch: pytest.MonkeyPatch) -> LakePlace:
    """A lake whose tables are in the database `pets`."""
    made = s3_lake(moto_server, monkeypatch)
    open_catalog(made.uri, "glue://pets")
    return made


@pytest.mark.parametrize("command", ["tables", "maintain"])
@pytest.mark.parametrize("way", ["option", "environment"])
def test_commands_use_the_named_database(
    pets_place: LakePlace, command: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "environment":
        monkeypatch.setenv("PIXLAKE_DATABASE", "pets")
    named = ["--database", "pets"] if way == "option" else []
    done = run(command, "--lake", pets_place.uri, "--json", *named)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)
    assert databases() == ["pets"]


@pytest.mark.parametrize("command", [["tables"], ["maintain"], ["search", "a cat"]])
def test_a_command_refuses_a_database_without_tables_and_creates_none(
    pets_place: LakePlace, command: list[str]
) -> None:
    done = run(*command, "--lake", pets_place.uri)
    assert done.exit_code == 1
    assert "glue://pixlake holds no tables" in done.stderr
    assert databases() == ["pets"]


def test_executions_of_a_stack_and_their_rejects_come_from_its_tables(pets_place: LakePlace) -> None:
    start = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    end, totals = start + timedelta(seconds=9), dict.fromkeys(TOTALS, 0) | {"rejected": 1}
    catalog, upload = open_catalog(pets_place.uri, "glue://pets"), "s3://uploads/uploads/pets/a.zip"
    commit_ending(catalog, Ending("one", "pets", upload, "FAILED", start, end, totals, {}))
    reject = {"experiment_id": "pets", "source": upload, "stage": "plan", "reason": "not_a_zip", "detail": "no zip"}
    rows = [reject | {"uploaded_at": start, "processed_at": start}]
    commit_rows(catalog, "rejects", pa.Table.from_pylist(rows, schema=REJECTS.columns), "1")
    place = ("--lake", pets_place.uri, "--database", "pets", "--json")
    assert [each["status"] for each in json.loads(run("executions", *place).stdout)] == ["FAILED"]
    assert json.loads(run("status", "one", *place).stdout)["failure"]["message"] == "no zip"
    assert [each["reason"] for each in json.loads(run("rejects", "--execution", "one", *place).stdout)] == ["not_a_zip"]


def test_an_image_is_deleted_from_a_stacks_tables_and_its_bucket(pets_place: LakePlace) -> None:
    moment = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    same: dict[str, Any] = {
        "experiment_id": "pets",
        "record_id": None,
        "embedding": [1.0],
        "model": "m@1",
        "width": 1,
        "height": 1,
    }
    same |= {"sha256": "0", "image_uri": "s3://lake/x", "uploaded_at": moment, "processed_at": moment}
    rows = [same | {"image_path": path} for path in ("a b.png", "c.png")]
    catalog = open_catalog(pets_place.uri, "glue://pets")
    commit_rows(catalog, "embeddings", pa.Table.from_pylist(rows, schema=EMBEDDINGS.columns), "1")
    for key in ("0123/a%20b.png", "4567/a%20b.png", "0123/c.png"):
        storage.write(f"{pets_place.uri}/images/pets/{key}", b"an image")
    done = run("delete", "--image", "a b.png", "--lake", pets_place.uri, "--database", "pets", "--yes")
    assert done.exit_code == 0, done.output
    left = load_table(catalog, "embeddings").scan().to_arrow()["image_path"].to_pylist()
    images = [info.uri.rpartition("/images/")[2] for info in storage.list_objects(f"{pets_place.uri}/images")]
    assert (left, images) == (["c.png"], ["pets/0123/c.png"])
    refused = run("delete", "--where", "width = 1", "--lake", pets_place.uri, "--database", "pets")
    assert (refused.exit_code, "a condition is asked of Athena" in refused.stderr) == (2, True)


def databases() -> list[str]:
    return [it["Name"] for it in boto3.client("glue").get_databases()["DatabaseList"]]
