"""`pixlake executions`, `status`, `rejects` and `logs` on a lake in a folder."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pixlake import storage
from pixlake.iceberg.catalog import open_catalog
from pixlake.iceberg.executions import Ending, commit_ending
from pixlake.iceberg.lakes import Lake
from pixlake.lake import Work, report_uri
from pixlake.messages import TOTALS, ChildFailure
from pixlake_cli.engine.inputs import Upload
from pixlake_cli.engine.interpreter import Outcome
from pixlake_cli.engine.notes import Keeper
from tests.builders.commands import run
from tests.builders.zoo import UPLOADED, folder_of, put_rows

REJECTS = [
    {"source": "a.png", "stage": "embed", "reason": "truncated", "detail": "cut off"},
    {"source": "b.png", "stage": "embed", "reason": "truncated", "detail": "cut off"},
    {"source": "t.csv:3", "stage": "split", "reason": "empty_id", "detail": "no id"},
]


def ended(lake: Lake, name: str, day: int, status: str = "SUCCEEDED", upload: str = "file:///pets.zip") -> None:
    start = UPLOADED + timedelta(days=day)
    totals = dict.fromkeys(TOTALS, 2)
    commit_ending(
        open_catalog(lake.uri, lake.catalog_uri),
        Ending(name, "zoo", upload, status, start, start + timedelta(seconds=90), totals, {"embedder": "tiny"}),
    )


def asked(*arguments: object) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def lake(own_zoo_lake: Lake) -> Lake:
    """One execution that succeeded with rejects, and a newer one that failed."""
    put_rows(own_zoo_lake, "rejects", REJECTS, "r1")
    refused = {"source": "file:///bad.zip", "stage": "plan", "reason": "not_a_zip", "detail": "no zip"}
    put_rows(own_zoo_lake, "rejects", [refused | {"processed_at": UPLOADED + timedelta(days=1)}], "r2")
    ended(own_zoo_lake, "good", 0)
    ended(own_zoo_lake, "bad", 1, "FAILED", "file:///bad.zip")
    return own_zoo_lake


def test_executions_are_listed_the_newest_first_with_those_that_run(lake: Lake, tmp_path: Path) -> None:
    Keeper(folder_of(lake), "now", Upload("file:///next.zip", "other", "next.zip"), tmp_path)
    found = asked("executions", "--lake", lake.folder)
    assert [(each["execution_id"], each["status"]) for each in found] == [
        ("now", "RUNNING"),
        ("bad", "FAILED"),
        ("good", "SUCCEEDED"),
    ]
    assert (found[0]["finished_at"], found[2]["started_at"], found[2]["embedded"], found[2]["models"]) == (
        None,
        "2026-11-20T09:30:00.000000+00:00",
        2,
        {"embedder": "tiny"},
    )
    assert [each["execution_id"] for each in asked("executions", "--lake", lake.folder, "--experiment", "other")] == [
        "now"
    ]
    lines = run("executions", "--lake", lake.folder).stdout.splitlines()
    (good,) = [line.split() for line in lines if line.startswith(" good ")]
    assert good == ["good", "SUCCEEDED", "2026-11-20", "09:30:00", "UTC", "1", "min", "30", "s", *["2"] * 5]


def test_the_first_execution_of_a_lake_is_known_while_it_runs(tmp_path: Path) -> None:
    assert run("executions", "--lake", tmp_path / "none").exit_code == 1
    Keeper(tmp_path / "lake", "first", Upload("file:///a.zip", "a", "a.zip"), tmp_path)
    (found,) = asked("status", "--lake", tmp_path / "lake")
    assert (found["status"], found["state"], found["failure"]) == ("RUNNING", "Plan", None)


def test_status_of_a_success_has_counts_rejects_and_the_report(lake: Lake) -> None:
    storage.write(report_uri(lake.uri, "good"), b"<html>")
    found = asked("status", "good", "--lake", lake.folder)
    assert (found["status"], found["rejects"], found["failure"], found["done"], found["report"]) == (
        "SUCCEEDED",
        {"truncated": 2, "empty_id": 1},
        None,
        {},
        f"{lake.uri}/reports/good.html",
    )
    assert run("status", "good", "--lake", lake.folder).stdout.splitlines() == [
        "good: SUCCEEDED",
        "Upload:  file:///pets.zip as experiment zoo",
        "Started: 2026-11-20 09:30:00 UTC, took 1 min 30 s",
        "Counts:  2 images, 2 records, 2 embedded, 2 predicted, 2 rejected",
        "Rejects: 2 truncated, 1 empty_id",
        f"Report:  {lake.folder}/reports/good.html",
    ]


def test_status_of_a_failure_without_a_note_tells_its_reject(lake: Lake) -> None:
    found = asked("status", "bad", "--lake", lake.folder)["failure"]
    assert (found["step"], found["error"], found["message"]) == ("plan", "not_a_zip", "no zip")
    assert run("status", "--lake", lake.folder).stdout.startswith("bad: FAILED\n")


def test_status_of_a_failed_map_tells_the_error_of_the_child(lake: Lake, tmp_path: Path) -> None:
    work = Work(lake.uri, "mapped")
    with Keeper(folder_of(lake), "mapped", Upload("file:///m.zip", "zoo", "m.zip"), tmp_path) as keeper:
        note = ChildFailure("Embed", "BadBundle", "tiny: its graph is broken")
        storage.write(work.failure("embed-000003"), msgspec.json.encode(note))
        storage.write(work.shards, b"[{}, {}]")
        storage.write(work.extracted(0), b"")
        keeper.end(Outcome("mapped", "FAILED", error="States.ExceedToleratedFailureThreshold", state="Infer"))
    found = asked("status", "mapped", "--lake", lake.folder)
    assert (found["failure"]["step"], found["failure"]["error"]) == ("Infer", "BadBundle")
    assert (found["children"][0]["child"], found["done"]) == ("embed-000003", {"Extract": [1, 2]})
    said = run("status", "mapped", "--lake", lake.folder).stdout
    assert "Failed:  Infer, BadBundle: tiny: its graph is broken\nDo:      Check the model" in said
    assert "Lost:    embed-000003: Embed, BadBundle" in said


def test_children_that_failed_and_were_redriven_well_are_not_told_of(lake: Lake, tmp_path: Path) -> None:
    work = Work(lake.uri, "redriven")
    with Keeper(folder_of(lake), "redriven", Upload("file:///m.zip", "zoo", "m.zip"), tmp_path) as keeper:
        for child in ("extract-000000", "embed-000001", "classify-000002", "embed-000003"):
            storage.write(work.failure(child), msgspec.json.encode(ChildFailure("A", "ValueError", "as told")))
        storage.write(work.extracted(0), b"")
        storage.write(work.part("embeddings", "embed-000001"), b"")
        storage.write(work.part("predictions", "classify-000002"), b"")
        keeper.end(Outcome("redriven", "SUCCEEDED"))
    found = asked("status", "redriven", "--lake", lake.folder)
    assert [each["child"] for each in found["children"]] == ["embed-000003"]


def test_status_of_what_was_killed_says_so(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(SystemExit), Keeper(folder_of(lake), "cut", Upload("file:///c.zip", "zoo", "c"), tmp_path):
        raise SystemExit
    (found,) = asked("status", "--lake", lake.folder)
    assert (found["status"], found["failure"]["step"], "run the upload again" in found["failure"]["advice"]) == (
        "ABORTED",
        "Plan",
        True,
    )
    assert run("status", "--lake", lake.folder).stdout.splitlines()[-1] == "FAILED before: bad"


def test_a_run_on_this_machine_is_followed_to_its_end(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(folder_of(lake), "now", Upload("file:///next.zip", "other", "next.zip"), tmp_path)
    work = Work(lake.uri, "now")
    storage.write(work.shards, b"[{}, {}]")

    def end() -> None:
        with keeper:
            keeper.end(Outcome("now", "SUCCEEDED"))

    turns = iter([lambda: storage.write(work.extracted(0), b""), end])
    monkeypatch.setattr("pixlake_cli.following.time.sleep", lambda _: next(turns)())
    result = run("status", "--follow", "--lake", lake.folder)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "now: SUCCEEDED")
    assert [line.split(" ", 1)[1] for line in result.stderr.splitlines()] == ["Extract: 0 of 2", "Extract: 1 of 2"]


def test_rejects_are_those_of_all_of_an_experiment_or_of_an_execution(lake: Lake) -> None:
    put_rows(lake, "rejects", [REJECTS[0]], "r3", "other")
    everything = asked("rejects", "--lake", lake.folder)
    assert (len(everything), {row["experiment_id"] for row in everything}) == (5, {"zoo", "other"})
    assert len(asked("rejects", "--experiment", "other", "--lake", lake.folder)) == 1
    of_one = asked("rejects", "--execution", "good", "--lake", lake.folder)
    assert sorted(row["source"] for row in of_one) == ["a.png", "b.png", "t.csv:3"]
    assert list(of_one[0]) == ["source", "stage", "reason", "detail"]
    assert "empty_id" in run("rejects", "--execution", "good", "--lake", lake.folder).stdout
    both = run("rejects", "--execution", "good", "--experiment", "zoo", "--lake", lake.folder)
    assert (both.exit_code, "--experiment or --execution" in both.stderr) == (2, True)


@pytest.mark.parametrize("command", ["status", "rejects", "logs"])
def test_an_execution_that_nobody_knows_is_said(lake: Lake, command: str) -> None:
    named = ["--execution", "nothing"] if command == "rejects" else ["nothing"]
    result = run(command, *named, "--lake", lake.folder)
    assert (result.exit_code, "pixlake executions" in result.stderr) == (1, True)


def test_logs_are_printed_by_time_and_as_they_were_logged(lake: Lake) -> None:
    folder = folder_of(lake) / "work/good/logs"
    folder.mkdir(parents=True)
    later = {"timestamp": "2026-11-20 09:30:05,001+0000", "level": "ERROR", "message": "failed", "error": "BadTable"}
    first = {"timestamp": "2026-11-20 09:30:01,001+0000", "level": "INFO", "message": "done", "seconds": 0.5}
    (folder / "SplitFunction-a.log").write_text(json.dumps(later | {"exception": "Traceback\n  File"}) + "\n")
    (folder / "PlanFunction-b.log").write_text(json.dumps(first) + "\na warning\n")
    assert run("logs", "good", "--lake", lake.folder).stdout.splitlines() == [
        "09:30:01,001 Plan: INFO done seconds=0.5",
        "             Plan: a warning",
        "09:30:05,001 Split: ERROR failed error=BadTable",
        "              Traceback",
        "                File",
    ]
    lines = run("logs", "good", "--lake", lake.folder, "--json").stdout.splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["done", "failed"]
    assert run("logs", "good", "--lake", "s3://bucket").exit_code == 2
