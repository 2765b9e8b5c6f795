"""Commands that read the tables of a stack: on S3, with the stack's own database in Glue."""

import json

import boto3
import pytest
from moto.server import ThreadedMotoServer

from pixlake.iceberg.catalog import open_catalog
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


def databases() -> list[str]:
    return [it["Name"] for it in boto3.client("glue").get_databases()["DatabaseList"]]
