"""Notes of executions on a laptop: what runs, what was killed, how it ended, what was logged."""

import os
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from pixlake_cli.engine.inputs import Upload
from pixlake_cli.engine.interpreter import Outcome
from pixlake_cli.engine.notes import Keeper, list_logs, read_note, read_notes

UPLOAD = Upload("file:///pets.zip", "pets", "pets.zip")


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "PlanFunction-1.log").write_text("of an earlier execution\n")
    return folder


def keep(lake: Path, logs: Path) -> Keeper:
    return Keeper(lake, "one", UPLOAD, logs)


def test_an_execution_runs_until_its_end_is_noted(tmp_path: Path, logs: Path) -> None:
    with keep(tmp_path, logs) as keeper:
        note = read_note(tmp_path, "one")
        assert note
        assert (note.now, note.upload_uri, note.finished_at) == ("RUNNING", "file:///pets.zip", None)
        keeper.end(Outcome("one", "FAILED", error="BadUpload", cause="empty", state="Plan"))
    note = read_note(tmp_path, "one")
    assert note
    assert (note.now, note.error, note.cause, note.state, note.finished_at is None) == (
        "FAILED",
        "BadUpload",
        "empty",
        "Plan",
        False,
    )
    assert list(read_notes(tmp_path)) == ["one"]


def test_what_was_interrupted_or_killed_is_aborted(tmp_path: Path, logs: Path) -> None:
    with pytest.raises(KeyboardInterrupt), keep(tmp_path, logs):
        raise KeyboardInterrupt
    note = read_note(tmp_path, "one")
    assert note
    assert (note.now, note.status, note.finished_at) == ("ABORTED", "ABORTED", None)
    running = replace(note, status="RUNNING")
    assert running.now == "RUNNING"
    assert replace(running, born=psutil.Process(os.getpid()).create_time() - 60).now == "ABORTED"
    assert replace(running, process=2**30).now == "ABORTED"


def test_logs_are_those_of_the_execution_alone(tmp_path: Path, logs: Path) -> None:
    with keep(tmp_path, logs) as keeper:
        with (logs / "PlanFunction-1.log").open("a") as log:
            log.write("of this one\n")
        (logs / "SplitFunction-1.log").write_text("new\n")
        os.utime(logs / "SplitFunction-1.log", (1, 1))
        (logs / "idle.log").touch()
        assert len(list_logs(tmp_path, "one", read_note(tmp_path, "one"))) == 3
        keeper.end(Outcome("one", "SUCCEEDED"))
    found = list_logs(tmp_path, "one", None)
    assert [(log.name, log.read_text()) for log in found] == [
        ("SplitFunction-1.log", "new\n"),
        ("PlanFunction-1.log", "of this one\n"),
    ]
    assert list_logs(tmp_path, "none", None) == []
