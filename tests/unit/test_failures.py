"""Notes of failed children."""

import json
from pathlib import Path

import pytest

from pixlake import failures
from pixlake.errors import BadBundle, StorageError
from pixlake.lake import Work


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(f"file://{tmp_path}", "run-1")


@pytest.mark.parametrize("error", [BadBundle("no such model"), ValueError("a bug")])
def test_a_permanent_error_is_noted_and_raised(work: Work, error: Exception) -> None:
    with pytest.raises(type(error)), failures.record_child_failure(work, "embed-7"):
        raise error
    note = failures.read_note(work.failure("embed-7"))
    assert note.error == type(error).__name__
    assert json.loads(note.cause) == {"errorType": note.error, "errorMessage": str(error)}


def test_a_transient_error_leaves_no_note(work: Work, tmp_path: Path) -> None:
    with pytest.raises(StorageError), failures.record_child_failure(work, "embed-7"):
        raise StorageError("slow down")
    assert list(tmp_path.iterdir()) == []


def test_success_leaves_no_note(work: Work, tmp_path: Path) -> None:
    with failures.record_child_failure(work, "embed-7"):
        pass
    assert list(tmp_path.iterdir()) == []
