"""What a run says while it goes on and when it has ended."""

import json
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pixlake_cli.engine.display import shown
from pixlake_cli.engine.interpreter import Outcome
from pixlake_cli.engine.progress import Progress
from pixlake_cli.engine.sandbox import Answer, failure
from pixlake_cli.engine.summary import Ended

STATES = {
    "PlanFunction": "Plan",
    "ExtractFunction": "Extract",
    "SplitFunction": "Split",
    "EmbedFunction": "Infer",
    "ClassifyFunction": "Infer",
    "CompactFunction": "Compact",
    "ReportFunction": "Report",
}
ANSWERS: list[tuple[str, dict[str, Any]]] = [
    ("Plan", {"images": 5, "tables": 1, "shards": {"count": 2}}),
    ("Extract", {"shard": 0, "extracted": 3}),
    ("Extract", {"shard": 1, "extracted": 2}),
    ("Split", {"records": 4, "orphans": 1, "batches": {"count": 2}}),
    ("Embed", {"rows": 5}),
    ("Classify", {"rows": 4}),
    ("Compact", {"embedded": 5, "predicted": 4, "rejected": 0}),
    ("Report", {"report_uri": "file:///lake/reports/e.html"}),
]


def play(progress: Progress) -> None:
    for name, content in ANSWERS:
        progress.invoked(f"{name}Function")
        progress.answered(f"{name}Function", Answer(json.dumps(content).encode()))


def test_progress_counts_what_the_answers_say() -> None:
    progress = Progress(STATES, lambda _: None)
    play(progress)
    found = {step.name: (step.done, step.total, step.detail) for step in progress.steps.values()}
    assert found == {
        "Plan": (1, 1, "5 images, 1 table, 2 shards"),
        "Extract": (2, 2, "5 images"),
        "Split": (1, 1, "4 records, 1 orphan, 2 batches"),
        "Infer": (2, 2, "9 rows"),
        "Compact": (1, 1, "5 embedded, 4 predicted, 0 rejected"),
        "Report": (1, 1, ""),
    }
    assert progress.report_uri == "file:///lake/reports/e.html"


def test_a_failed_attempt_does_not_count_and_is_remembered() -> None:
    progress = Progress(STATES, lambda _: None)
    progress.invoked("PlanFunction")
    progress.answered("PlanFunction", failure("StorageError", "slow down"))
    assert progress.steps["Plan"].done == 0
    assert progress.failures["Plan"]["errorMessage"] == "slow down"


@pytest.mark.parametrize("payload", [b"null", b"[]", b"no json", b'{"shards": 3, "batches": null}'])
def test_an_answer_of_another_shape_is_ignored_by_progress(payload: bytes) -> None:
    progress = Progress(STATES, lambda _: None)
    for function in STATES:
        progress.invoked(function)
        progress.answered(function, Answer(payload))
    assert progress.steps["Report"].done == 1


def test_without_a_terminal_progress_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with shown() as show:
        play(Progress(STATES, show))
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split()[0] for line in err.splitlines()] == ["Plan", "Extract", "Split", "Infer", "Compact", "Report"]


def ended(outcome: Outcome, lake: Path, *, played: bool = True) -> Ended:
    progress = Progress(STATES, lambda _: None)
    if played:
        play(progress)
    return Ended(outcome, progress, "pets", lake, 3.2)


def test_the_query_can_be_pasted_into_a_shell(tmp_path: Path) -> None:
    good = ended(Outcome("e", "SUCCEEDED", {"records": 1}), tmp_path / "my lake?")
    words = shlex.split(good.summary().splitlines()[-1])
    assert words == ["Query:", "pixlake", "query", *words[3:4], "--lake", f"{tmp_path}/my lake?"]


def test_the_summary_of_a_run_that_succeeded(tmp_path: Path) -> None:
    output = {"images": 5, "records": 4, "embedded": 5, "predicted": 4, "rejected": 0}
    good = ended(Outcome("e", "SUCCEEDED", output, timings={"Plan": 0.25}), tmp_path)
    assert good.summary().splitlines() == [
        "pets: 5 images, 4 records, 5 embedded, 4 predicted, 0 rejected",
        "Seconds: 3.2 (Plan 0.2)",
        "Report:  /lake/reports/e.html",
        'Query:   pixlake query "SELECT record_id, label, score, image_paths, attributes FROM records LEFT JOIN '
        "predictions USING (experiment_id, record_id) WHERE experiment_id = 'pets' ORDER BY score LIMIT 20\" "
        f"--lake {tmp_path}",
    ]
    assert good.result() == {
        "execution": "e",
        "status": "SUCCEEDED",
        **output,
        "effects": {},
        "warnings": [],
        "seconds": 3.2,
        "timings": {"Plan": 0.25},
        "report": "/lake/reports/e.html",
    }


@pytest.mark.parametrize(
    ("output", "beginning"),
    [
        ({"images": 5, "records": 4, "predicted": 4, "rejected": 1}, "SELECT reason, source, detail FROM rejects "),
        ({"images": 5, "predicted": 5}, "SELECT image_path, label, score FROM predictions "),
        ({"images": 5, "records": 4}, "SELECT record_id, image_paths, attributes FROM records "),
        ({"images": 5}, "SELECT image_path, width, height FROM embeddings "),
    ],
)
def test_the_query_shows_what_there_is_to_look_at(tmp_path: Path, output: dict[str, int], beginning: str) -> None:
    summary = ended(Outcome("e", "SUCCEEDED", output), tmp_path).summary()
    assert summary.splitlines()[-1].startswith(f'Query:   pixlake query "{beginning}')


def test_a_table_that_was_not_read_is_the_first_line(tmp_path: Path) -> None:
    output = {"records": 1, "rejected": 1, "warnings": ["A table was not read: a.xls"], "reasons": {"other": 1}}
    good = ended(Outcome("e", "SUCCEEDED", output), tmp_path)
    assert good.summary().splitlines()[0] == "Warning: A table was not read: a.xls."
    assert next(iter(good.result()["warnings"])) == "A table was not read: a.xls"


def test_what_the_report_says_of_its_models_is_said_here_too(tmp_path: Path) -> None:
    good = ended(Outcome("e", "SUCCEEDED", {"notice": "clip is a demo model"}), tmp_path)
    assert good.summary().splitlines()[-2] == "Notice:  clip is a demo model"
    assert good.result()["notice"] == "clip is a demo model"


def test_a_failed_run_is_explained_in_one_paragraph_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "work" / "e").mkdir(parents=True)
    cause = json.dumps({"errorType": "BadUpload", "errorMessage": "encrypted: a.png is\nencrypted", "stackTrace": []})
    bad = ended(Outcome("e", "FAILED", error="BadUpload", cause=cause, state="Plan"), tmp_path, played=False)
    text = bad.explanation(Path("/logs"))
    assert text.startswith("Plan failed with BadUpload: encrypted: a.png is encrypted. Nothing of it is in a table.")
    assert text.endswith("Logs: /logs")
    assert "\n" not in text
    assert bad.result()["error"] == "BadUpload"
    assert bad.result()["images"] == 0


def test_a_failed_map_is_explained_by_its_failed_child(tmp_path: Path) -> None:
    (tmp_path / "work" / "e").mkdir(parents=True)
    bad = ended(Outcome("e", "FAILED", error="States.ExceedToleratedFailureThreshold", state="Extract"), tmp_path)
    bad.progress.answered("ExtractFunction", failure("BadUpload", "damaged: b.png"))
    assert "Extract failed with BadUpload: damaged: b.png" in bad.explanation(Path("/logs"))


def test_a_failed_run_without_a_report_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work" / "e").mkdir(parents=True)
    bad = ended(Outcome("e", "FAILED", error="StorageError", state="Split"), tmp_path, played=False)
    assert "No report could be written: RecordFailure's log says why. Logs: /logs" in bad.explanation(Path("/logs"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=0))
    assert f"No report could be written: the disk of {tmp_path} is full." in bad.explanation(Path("/logs"))
