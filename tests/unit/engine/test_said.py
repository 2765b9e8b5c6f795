"""What the end of a run says first, and what of it is for programs."""

from pathlib import Path

from pixlake_cli.engine.interpreter import Outcome
from pixlake_cli.engine.progress import Progress
from pixlake_cli.engine.summary import Ended

OUTPUT = {
    "images": 38,
    "records": 33,
    "rejected": 12,
    "warnings": ["A table was not read: 'a.xlsx'; save it as CSV", "None of 33 records have an image"],
    "unpredicted": "Nothing was predicted: no classifier is named",
    "reasons": {"ambiguous_image": 5, "duplicate_id": 4, "ragged_row": 2},
}


def ended(lake: Path, output: dict[str, object]) -> Ended:
    return Ended(Outcome("e", "SUCCEEDED", output), Progress({}, lambda _: None), "museum", lake, 1.0)


def test_a_table_that_was_not_read_is_the_first_line(tmp_path: Path) -> None:
    lines = ended(tmp_path, OUTPUT).summary().splitlines()
    assert lines[:5] == [
        "Warning: A table was not read: 'a.xlsx'; save it as CSV.",
        "Warning: None of 33 records have an image.",
        "museum: 38 images, 33 records, 0 embedded, 0 predicted, 12 rejected",
        "Rejects: 5 ambiguous_image, 4 duplicate_id, 2 ragged_row, 1 others",
        "Nothing was predicted: no classifier is named.",
    ]


def test_programs_get_the_warnings(tmp_path: Path) -> None:
    assert ended(tmp_path, OUTPUT).result()["warnings"] == OUTPUT["warnings"]
    assert ended(tmp_path, {}).result()["warnings"] == []


def test_what_changed_is_said_by_table(tmp_path: Path) -> None:
    effects = {"records": {"new": 1_000, "unchanged": 2, "changed": 1}, "embeddings": {}, "predictions": {"removed": 3}}
    some = ended(tmp_path, {**OUTPUT, "effects": effects})
    said = "Changed: records 1,000 new, 2 unchanged, 1 with other images; predictions 3 removed"
    assert said in some.summary().splitlines()
    assert some.result()["effects"] == effects


def test_an_upload_that_changes_nothing_says_so_and_why(tmp_path: Path) -> None:
    effects = {"records": {"older": 33}, "embeddings": {"older": 38}, "predictions": {}}
    said = "Changed: nothing, for the lake has newer rows; records 33 older than the lake's; embeddings 38 older"
    assert said in ended(tmp_path, {"effects": effects}).summary()
    assert "Uploaded" not in ended(tmp_path, {"effects": effects}).summary()
    dated = ended(tmp_path, {"effects": effects, "uploaded_at": "2026-01-05T10:00:00+00:00"}).summary()
    assert "Uploaded 2026-01-05 10:00:00 UTC, on a laptop the time of its newest file" in dated
    again = {"records": {"unchanged": 33}, "embeddings": {}, "predictions": {}}
    said = "Changed: nothing, for the lake has these rows; records 33 unchanged"
    assert said in ended(tmp_path, {"effects": again}).summary().splitlines()
