"""A note of each execution on a laptop, beside the files that its steps pass on: who runs it, and how it ended.

The table `executions` has an execution when it has ended, and of an error no more than a reject. The note says what
runs now, what was killed, and what Step Functions said of a failure; beside it lie the functions' logs.
"""

import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil
from msgspec.structs import replace

from pixlake import storage
from pixlake_cli.engine.inputs import Upload
from pixlake_cli.engine.interpreter import Outcome

_RUNNING, _ABORTED = "RUNNING", "ABORTED"
_NAME, _LOGS = "laptop.json", "logs"


class Note(msgspec.Struct, frozen=True):
    """`process` and `born` (seconds since 1970) are those of the process that runs it, `logs` is the folder that it
    writes to. `error`, `cause` and `state` are an execution's that failed."""

    experiment_id: str
    upload_uri: str
    started_at: datetime
    process: int
    born: float
    logs: str
    status: str = _RUNNING
    finished_at: datetime | None = None
    error: str = ""
    cause: str = ""
    state: str = ""

    @property
    def now(self) -> str:
        """Its status: ABORTED where the process is gone that ran it."""
        return _ABORTED if self.status == _RUNNING and not _is_alive(self.process, self.born) else self.status


class Keeper:
    """Writes the note of one execution: when it is made, and at the end of the block in which it is run."""

    def __init__(self, lake: Path, execution_id: str, upload: Upload, logs: Path) -> None:
        self._work, self._logs = lake / "work" / execution_id, logs
        self._before = {log: log.stat().st_size for log in logs.glob("*.log")}
        born = psutil.Process().create_time()
        self._note = Note(upload.experiment_id, upload.uri, datetime.now(UTC), os.getpid(), born, str(logs))
        self._write()

    def __enter__(self) -> "Keeper":
        return self

    def end(self, outcome: Outcome) -> None:
        """How it ended."""
        told = {name: getattr(outcome, name) for name in ("status", "error", "cause", "state")}
        self._note = replace(self._note, **told, finished_at=datetime.now(UTC))

    def __exit__(self, *exception: object) -> None:
        """Keep what the functions logged meanwhile. A block left without an end was interrupted."""
        _keep_logs(self._logs, self._work / _LOGS, self._before)
        if self._note.status == _RUNNING:
            self._note = replace(self._note, status=_ABORTED)
        self._write()

    def _write(self) -> None:
        storage.write(f"file://{self._work / _NAME}", msgspec.json.encode(self._note))


def read_note(lake: Path, execution_id: str) -> Note | None:
    """The note of an execution; None where there is none, as of one that maintenance has cleared away."""
    path = lake / "work" / execution_id / _NAME
    return msgspec.json.decode(path.read_bytes(), type=Note) if path.is_file() else None


def read_notes(lake: Path) -> dict[str, Note]:
    """All notes, by execution."""
    names = sorted(path.parent.name for path in (lake / "work").glob(f"*/{_NAME}"))
    return {name: note for name in names if (note := read_note(lake, name))}


def list_logs(lake: Path, execution_id: str, note: Note | None) -> list[Path]:
    """The logs of its functions, in the order in which these began; of one that runs, what its process writes."""
    kept = lake / "work" / execution_id / _LOGS
    folder = kept if kept.is_dir() or note is None else Path(note.logs)
    return sorted(folder.glob("*.log"), key=_begun) if folder.is_dir() else []


def _begun(log: Path) -> tuple[float, str]:
    return log.stat().st_mtime, log.name


def _keep_logs(logs: Path, folder: Path, before: Mapping[Path, int]) -> None:
    """Copy what the logs have now and had not `before`; their times are kept, by which they are sorted."""
    folder.mkdir(parents=True, exist_ok=True)
    for log in logs.glob("*.log"):
        if log.stat().st_size == before.get(log, 0):
            continue
        with log.open("rb") as source, (folder / log.name).open("wb") as target:
            source.seek(before.get(log, 0))
            shutil.copyfileobj(source, target)
        shutil.copystat(log, folder / log.name)


def _is_alive(process: int, born: float) -> bool:
    try:
        return abs(psutil.Process(process).create_time() - born) < 1
    except psutil.Error:
        return False
