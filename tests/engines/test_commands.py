"""What a person types, on the stack that CloudFormation makes of the template: from a folder to rows, and to none."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from pixlake import storage
from pixlake.schemas import TABLES
from pixlake_cli import following, sending
from pixlake_cli.multipart import part_size
from tests.builders.commands import run, run_json
from tests.builders.model_lakes import MODELS, image, make_lake, make_zip, rows
from tests.deployment.deployments import NAME
from tests.engines.stacks import UPLOADS, Stack, open_stack

BATCHES = 40


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    models = make_lake(tmp_path_factory.mktemp("models") / "lake")
    assert models.folder
    parameters = {**MODELS, "BatchRows": "1"}
    with (
        open_stack(tmp_path_factory.mktemp("commands"), parameters, models.folder / "models") as opened,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(following.follow, "__defaults__", (0.1,))
        patch.setattr(sending, "_WAIT_SECONDS", 0.1)
        yield opened


def on_stack(*arguments: object) -> Result:
    return run(*arguments, "--stack", NAME)


def asked(*arguments: object) -> Any:
    return run_json(*arguments, "--stack", NAME)


def test_a_folder_becomes_rows_and_its_summary_is_theirs(stack: Stack, tmp_path: Path) -> None:
    folder = tmp_path / "pets"
    folder.mkdir()
    (folder / "pets.csv").write_text("id,Age\n1,3\n2,5\n")
    (folder / "1.png").write_bytes(image())
    (folder / "bad.png").write_bytes(b"no image")
    # what is no image makes the zip one of several parts
    (folder / "notes.pdf").write_bytes(random.Random(0).randbytes(20 << 20))
    result = on_stack("upload", folder, "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["uri"], found["parts"]) == (f"s3://{UPLOADS}/uploads/pets/pets.zip", 3)
    assert found["size"] > 2 * part_size(found["size"])
    told = found["execution"]
    (row,) = rows(stack.lake, "executions", "pets")
    counts = {"images": 2, "records": 2, "embedded": 1, "predicted": 2, "rejected": 2}
    assert {name: told[name] for name in counts} == {name: row[name] for name in counts} == counts
    assert (told["status"], told["execution_id"], told["report"]) == (
        "SUCCEEDED",
        row["execution_id"],
        f"{stack.lake.uri}/reports/{row['execution_id']}.html",
    )
    sizes = {name: len(rows(stack.lake, name, "pets")) for name in ("embeddings", "predictions", "records", "rejects")}
    assert sizes == {"embeddings": 1, "predictions": 2, "records": 2, "rejects": 2}
    again = asked("upload", folder)
    assert (again["there_already"], again["execution"]["execution_id"]) == (True, told["execution_id"])


def lose(stack: Stack, folder: Path, experiment: str, batches: int) -> str:
    """Upload a table of as many batches as there are rows, of which so many are lost; the execution's name."""
    lines = "".join(f"{number},{number}\n" for number in range(BATCHES))
    upload = make_zip(folder / f"{experiment}.zip", {"pets.csv": f"id,Age\n{lines}"})
    stack.functions.fail([["ValueError"]] * batches)
    found = json.loads(on_stack("upload", upload, "--json").stdout)
    return str(found["execution"]["execution_id"])


def test_lost_batches_are_told_listed_and_retried(stack: Stack, tmp_path: Path) -> None:
    name = lose(stack, tmp_path, "lost", 2)
    told = asked("status", name)
    assert (told["status"], told["rejected"], len(told["children"])) == ("SUCCEEDED", 2, 2)
    assert {each["error"] for each in told["children"]} == {"ValueError"}
    (listed,) = asked("executions", "--experiment", "lost")
    assert (listed["execution_id"], listed["rejected"]) == (name, 2)
    lost = rows(stack.lake, "rejects", "lost")
    for chosen in (("--execution", name), ("--experiment", "lost")):
        found = asked("rejects", *chosen)
        assert {(each["source"], each["reason"]) for each in found} == {(each["source"], "batch_lost") for each in lost}
    retried = asked("retry", name)
    assert (retried["status"], retried["predicted"]) == ("SUCCEEDED", 2)
    assert len(rows(stack.lake, "predictions", "lost")) == BATCHES
    assert asked("rejects", "--experiment", "lost") == []
    assert [each["execution_id"] for each in asked("executions", "--experiment", "lost")] == [
        retried["execution_id"],
        name,
    ]


def test_what_failed_is_told_by_its_children_and_exits_with_1(stack: Stack, tmp_path: Path) -> None:
    name = lose(stack, tmp_path, "failing", 3)
    told = asked("status", name)
    assert (told["status"], told["failure"]["step"], told["failure"]["error"]) == ("FAILED", "Infer", "ValueError")
    assert told["done"]["Infer"][1] == BATCHES
    assert on_stack("status", name, "--follow").exit_code == 1
    result = on_stack("retry", name)
    assert (result.exit_code, "--redrive" in result.stderr) == (2, True)


def test_logs_are_those_of_all_functions_of_the_execution(stack: Stack, tmp_path: Path) -> None:
    upload = make_zip(tmp_path / "logged.zip", {"pets.csv": "id,Age\n1,2\n", "1.png": image()})
    found = asked("upload", upload)
    stack.put_logs()
    result = on_stack("logs", found["execution"]["execution_id"])
    assert result.exit_code == 0, result.stderr
    functions = {line.split()[1].rstrip(":") for line in result.stdout.splitlines()}
    assert functions == {"Plan", "Extract", "Split", "Embed", "Classify", "Compact", "Report"}


def test_a_status_is_followed_while_it_runs(stack: Stack, tmp_path: Path) -> None:
    lines = "".join(f"{number},{number}\n" for number in range(BATCHES))
    upload = make_zip(tmp_path / "followed.zip", {"pets.csv": f"id,Age\n{lines}"})
    assert "execution" not in asked("upload", upload, "--no-wait")
    result = on_stack("status", "--follow")
    assert result.exit_code == 0, result.stderr
    assert "Counts:  0 images, 40 records, 0 embedded, 40 predicted, 0 rejected" in result.stdout
    assert len(rows(stack.lake, "predictions", "followed")) == BATCHES


def test_an_upload_that_is_complete_and_has_settings_is_run_so(stack: Stack, tmp_path: Path) -> None:
    upload = make_zip(tmp_path / "set.zip", {"pets.csv": "id,key,Age\n1,a,3\n2,b,5\n", "1.png": image()})
    assert asked("upload", upload, "--experiment", "set", "--set", "id_column=key")["execution"]["embedded"] == 1
    assert [row["record_id"] for row in rows(stack.lake, "records", "set")] == ["a", "b"]
    shorter = make_zip(tmp_path / "shorter.zip", {"pets.csv": "id,key,Age\n1,a,3\n"})
    told = asked("upload", shorter, "--experiment", "set", "--complete")
    assert told["execution"]["status"] == "SUCCEEDED"
    assert [row["record_id"] for row in rows(stack.lake, "records", "set")] == ["a"]
    assert rows(stack.lake, "embeddings", "set") == []


def test_an_experiment_is_deleted_from_the_bucket(stack: Stack, tmp_path: Path) -> None:
    upload = make_zip(tmp_path / "gone.zip", {"pets.csv": "id,Age\n1,3\n", "1.png": image(), "bad.png": b"none"})
    assert on_stack("upload", upload).exit_code == 0
    place = ("--experiment", "gone", "--lake", stack.lake.uri)
    dry = run("delete", *place)
    assert (dry.exit_code, "Nothing is deleted" in dry.stdout) == (0, True), dry.stderr
    done = run("delete", *place, "--yes")
    assert done.exit_code == 0, done.stderr
    for table in TABLES:
        assert rows(stack.lake, table, "gone") == []
    assert list(storage.list_objects(f"{stack.lake.uri}/images/gone/")) == []
