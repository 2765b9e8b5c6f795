"""Commands that read the tables of a stack: on S3, with the stack's own database in Glue."""

import json
from datetime import UTC, datetime, timedelta

import boto3
import pyarrow as pa
import pytest
from moto.server import ThreadedMotoServer

from pixlake.iceberg.catalog import commit_rows, open_catalog
from pixlake.iceberg.executions import Ending, commit_ending
from pixlake.messages import TOTALS
from pixlake.schemas import REJECTS
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


def databases() -> list[str]:
    return [it["Name"] for it in boto3.client("glue").get_databases()["DatabaseList"]]
