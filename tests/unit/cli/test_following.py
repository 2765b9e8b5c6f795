"""An execution followed until it ends, on a terminal and elsewhere."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pixlake_cli.executions import RUNNING, SUCCEEDED, Execution, Status
from pixlake_cli.following import follow

START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
RUNS = Execution("run-1", "pets", RUNNING, "s3://uploads/uploads/pets/pets.zip", START)
ENDED = Status(replace(RUNS, status=SUCCEEDED, finished_at=START))
STATES = [
    Status(RUNS, "Extract", {"Extract": (1, 4)}),
    Status(RUNS, "Extract", {"Extract": (1, 4)}),
    Status(RUNS, "Infer", {"Extract": (4, 4), "Infer": (2, 1_200)}),
    ENDED,
]


class Screen(io.StringIO):
    """What a terminal is told."""

    def isatty(self) -> bool:
        return True


def looks() -> Callable[[], Status]:
    found: Iterator[Status] = iter(STATES)
    return lambda: next(found)


def test_a_terminal_shows_all_that_is_known_and_clears_it_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert follow(looks(), 0) == ENDED
    shown = screen.getvalue()
    told = ["Extract: 1 of 4", "State:   Infer", "Extract: 4 of 4", "Infer:   2 of 1,200"]
    places = [shown.index(each) for each in told]
    assert places == sorted(places)
    # what was shown last has these lines, each of which is erased
    _, last = shown.rsplit("Infer:   2 of 1,200", 1)
    assert last.count("\x1b[2K") >= len(["run-1", "Upload", "Started", "State", "Extract", "Infer"])
    assert SUCCEEDED not in shown


def test_elsewhere_a_line_tells_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    assert follow(looks(), 0) == ENDED
    lines = [line.split(" ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["Extract: 1 of 4", "Infer: 2 of 1,200"]
