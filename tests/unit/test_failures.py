"""Notes of failed children."""

from pathlib import Path

import pytest

from pixlake import failures
from pixlake.errors import BadBundle, StorageError
from pixlake.lake import Work
from pixlake.messages import ChildFailure


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(f"file://{tmp_path}", "run-1")


@pytest.mark.parametrize("error", [BadBundle("no such model"), ValueError("a bug")])
def test_a_permanent_error_is_noted_and_raised(work: Work, error: Exception) -> None:
    with pytest.raises(type(error)), failures.record_child_failure(work, "Embed", "embed-7"):
        raise error
    note = failures.read_child_failure(work.failure("embed-7"))
    assert note == ChildFailure("Embed", type(error).__name__, str(error))


def test_a_transient_error_leaves_no_note(work: Work, tmp_path: Path) -> None:
    with pytest.raises(StorageError), failures.record_child_failure(work, "Embed", "embed-7"):
        raise StorageError("slow down")
    assert list(tmp_path.iterdir()) == []


def test_success_leaves_no_note(work: Work, tmp_path: Path) -> None:
    with failures.record_child_failure(work, "Embed", "embed-7"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_note_that_cannot_be_written_does_not_hide_the_error(work: Work, tmp_path: Path) -> None:
    (tmp_path / "work").write_bytes(b"a file where the folder should be")
    with pytest.raises(BadBundle), failures.record_child_failure(work, "Embed", "embed-7"):
        raise BadBundle("no such model")
