"""Uploads of many shapes, each of 33 records and 38 photographs, put through Split as the state machine calls it.

The records are objects of a small museum, `INV-1001` to `INV-1033`; the first 29 have a photograph, seven of them a
second one, and two photographs are of none.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from pixlake import rejects
from pixlake.experiments import Experiment, keep_experiment
from pixlake.lake import Work
from pixlake.messages import Image, ItemList, Options, Run, SplitAnswer, SplitRequest
from pixlake.rejects import Reject
from pixlake.settings import SplitSettings
from pixlake.steps.split import split

TIME = "2026-01-01T00:00:00+00:00"
RECORDS = range(33)
TITLES = (
    "Amphora",
    "Bowl",
    "Brooch",
    "Coin",
    "Comb",
    "Cup",
    "Dagger",
    "Figurine",
    "Fragment of a frieze",
    "Jug",
    "Lamp",
)
MAKERS = ("unknown", "Workshop of Exekias", "Euphronios", "Müller & Söhne")


@dataclass(frozen=True)
class Found:
    """What Split made of an upload."""

    answer: SplitAnswer
    records: list[dict[str, Any]]
    rejects: list[Reject]

    @property
    def images(self) -> dict[str, list[str]]:
        """The images of each record that has some."""
        return {record["record_id"]: record["image_paths"] for record in self.records if record["image_paths"]}

    @property
    def said(self) -> str:
        return "\n".join(self.answer.warnings)


@dataclass
class Museum:
    """A lake of one experiment, to which uploads are put one after the other."""

    folder: Path
    uploads: int = 0

    @property
    def lake(self) -> str:
        return f"file://{self.folder}"

    def put(self, table: str | Mapping[str, str], images: Iterable[str], options: Options | None = None) -> Found:
        """Split one upload; `table` is the text of its only table, or the texts by path."""
        self.uploads += 1
        work = Work(self.lake, f"execution-{self.uploads}")
        for path, text in ({"table.csv": table} if isinstance(table, str) else table).items():
            _write(f"{work.tables}/{path}", text.encode())
        listed = [Image(path, f"{self.lake}/images/{path}", 1) for path in images]
        _write(work.extracted(0), msgspec.json.Encoder().encode_lines(listed))
        run = Run(work.execution_id, "museum", f"upload-{self.uploads}.zip", "ab" * 8, TIME, TIME)
        answer = split(SplitRequest(run, options or Options(), ItemList("", 1)), SplitSettings(self.lake))
        parts = sorted((_path(work.uri) / "parts" / "records").glob("*.parquet"))
        rows = [row for part in parts for row in pq.read_table(part).to_pylist()]
        left = sorted((_path(work.uri) / "parts" / "rejects").glob("*.jsonl"))
        return Found(answer, rows, [each for part in left for each in rejects.decode(part.read_bytes())])

    def keep(self, found: Found) -> Found:
        """What Compact does for the experiment."""
        assert found.answer.id_column
        keep_experiment(
            self.lake, "museum", Experiment(found.answer.id_column, f"upload-{self.uploads}.zip", found.answer.guessed)
        )
        return found


def number(record: int) -> str:
    return f"INV-{1001 + record}"


def photographs(name: str = "photo_{record:04d}_{view}.jpg") -> list[tuple[int | None, str]]:
    """38 paths with their records. In `name` there are {inv}, {record} from 1, {view} from 1 and {any} from 1."""
    views = [(record, view) for view in (1, 2) for record in (RECORDS[:29] if view == 1 else RECORDS[:7])]
    paths: list[tuple[int | None, str]] = [
        (record, name.format(inv=number(record), record=record + 1, view=view, any=place + 1))
        for place, (record, view) in enumerate(views)
    ]
    return [*paths, (None, "stray/contact sheet.jpg"), (None, "stray/wall.jpg")]


def first_photograph(record: int, name: str) -> str:
    return next((path for owner, path in photographs(name) if owner == record), "")


def table(columns: Mapping[str, Sequence[object]]) -> str:
    """A CSV of these columns."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def museum(rows: Sequence[int] = RECORDS, **more: Sequence[object]) -> dict[str, Sequence[object]]:
    """The museum's columns for these records, and more of them behind."""
    return {
        "inv_no": [number(row) for row in rows],
        "title": [TITLES[row % len(TITLES)] for row in rows],
        "maker": [MAKERS[row % len(MAKERS)] for row in rows],
        "height_cm": [round(5 + row * 37 % 40 + row / 10, 1) for row in rows],
        **more,
    }


def _path(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def _write(uri: str, data: bytes) -> None:
    _path(uri).parent.mkdir(parents=True, exist_ok=True)
    _path(uri).write_bytes(data)
