"""The main job on a second interpreter, from an object put into the bucket to rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pixlake_cli.engine.events import status_change
from tests.builders.model_lakes import image, make_zip, rows
from tests.engines.stacks import Stack, open_stack
from tests.project import ROOT

COUNTS = ("embedded", "predicted", "records", "rejected")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with open_stack(tmp_path_factory.mktemp("ingest"), {}, ROOT / "bundles") as opened:
        yield opened


def test_the_sample_put_into_the_bucket_becomes_rows(stack: Stack) -> None:
    ended = stack.upload("uploads/emoji/emoji.zip", (ROOT / "samples/emoji.zip").read_bytes())
    assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
    (row,) = rows(stack.lake, "executions", "emoji")
    assert (row["execution_id"], row["status"]) == (ended["name"], "SUCCEEDED")
    assert [row[name] for name in COUNTS] == [642, 608, 608, 8]
    tables = ("embeddings", "predictions", "records", "rejects")
    assert [len(rows(stack.lake, table, "emoji")) for table in tables] == [642, 608, 608, 8]
    assert stack.told == []


@pytest.mark.parametrize("name", ['1+1 "cheese" a%20b\\.zip', "Ünï 日本 🐈.ZIP"])
def test_any_name_of_an_upload_is_read(stack: Stack, tmp_path: Path, name: str) -> None:
    data = make_zip(tmp_path / "pets.zip", {"pets.csv": "id\n1\n"}).read_bytes()
    ended = stack.upload(f"uploads/named/{name}", data)
    assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
    uploads = [row["upload_uri"] for row in rows(stack.lake, "executions", "named")]
    assert f"s3://uploads/uploads/named/{name}" in uploads


def test_uploads_at_once_lose_no_row(stack: Stack, tmp_path: Path) -> None:
    """MiniStack's Glue refuses an update of a table that names a stale version, as moto's does not."""

    def table(number: int) -> bytes:
        lines = "".join(f"{number}-{row},{row}\n" for row in range(5))
        return make_zip(tmp_path / f"{number}.zip", {"pets.csv": f"id,Age\n{lines}"}).read_bytes()

    ends = stack.upload_all({f"uploads/crowd/{number}.zip": table(number) for number in range(6)})
    assert [ended["status"] for ended in ends] == ["SUCCEEDED"] * 6, [ended.get("cause") for ended in ends]
    wanted = [f"{number}-{row}" for number in range(6) for row in range(5)]
    assert [row["record_id"] for row in rows(stack.lake, "records", "crowd")] == wanted
    assert len(rows(stack.lake, "executions", "crowd")) == 6


def test_a_key_forges_no_input(stack: Stack, tmp_path: Path) -> None:
    secret = make_zip(tmp_path / "secret.zip", {"secret.csv": "id\n1\n"}).read_bytes()
    assert stack.upload("uploads/theirs/secret.zip", secret)["status"] == "SUCCEEDED"
    theirs = "s3://uploads/uploads/theirs/secret.zip"
    forged = stack.upload(f'uploads/mine/x","upload_uri":"{theirs}","experiment_id":"mine","z":".zip', b"")
    assert (forged["status"], forged["error"]) == ("FAILED", "BadRequest")
    assert rows(stack.lake, "records", "mine") == []


def test_a_refused_upload_is_recorded_by_the_event_of_its_end(stack: Stack, tmp_path: Path) -> None:
    members: dict[str, Any] = {"../evil.png": image()}
    ended = stack.upload("uploads/evil/evil.zip", make_zip(tmp_path / "evil.zip", members).read_bytes())
    assert (ended["status"], ended["error"]) == ("FAILED", "BadUpload")
    event, answer = stack.heard(ended["executionArn"])
    assert not answer.failed, answer.payload
    assert (event["detail"]["status"], event["detail"]["name"]) == ("FAILED", ended["name"])
    # the laptop's engine tells of the same execution in the same words
    laptops = status_change({**ended, "output": None})
    assert {**event["detail"], **laptops["detail"]} == event["detail"]
    same = ("source", "detail-type", "account", "region", "resources")
    assert [event[name] for name in same] == [laptops[name] for name in same]
    (row,) = rows(stack.lake, "executions", "evil")
    assert (row["execution_id"], row["status"]) == (ended["name"], "FAILED")
    (reject,) = rows(stack.lake, "rejects", "evil")
    assert reject["source"] == "s3://uploads/uploads/evil/evil.zip"
    assert "../evil.png" in reject["detail"]
