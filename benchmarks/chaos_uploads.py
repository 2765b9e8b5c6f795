"""The uploads of `chaos`, and by a plain dictionary the rows that they end with, in whatever order they come."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.builders.model_lakes import image, make_zip

EXPERIMENT = "chaos"
COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
Rows = dict[str, dict[str, tuple[Any, ...]]]


@dataclass(frozen=True)
class Upload:
    """Records of its own, records that all uploads have, records without image, images without record, and a broken
    image. Times are not in the order of numbers."""

    number: int

    @property
    def name(self) -> str:
        return f"{self.number:03d}.zip"

    @property
    def uploaded_at(self) -> datetime:
        # 1009 is prime, so below it no two uploads have the same time
        return _BEGAN + timedelta(minutes=self.number * 619 % 1009)

    @property
    def pictures(self) -> dict[str, tuple[str, str]]:
        """Record and color, by path; no record for an orphan."""
        own = {f"own-{self.number}-{row}": row for row in range(8)}
        shared = {f"shared-{row}": row + self.number for row in range(4)}
        orphans = {f"orphan-{self.number}-{row}": row for row in range(2)}
        names = list(COLORS)
        joined = {f"{key}.png": (key, names[place % 3]) for key, place in {**own, **shared}.items()}
        return joined | {f"{key}.png": ("", names[place % 3]) for key, place in orphans.items()}

    @property
    def bare(self) -> list[str]:
        """Records without image."""
        return [f"bare-{self.number}-{row}" for row in range(3)]

    @property
    def broken(self) -> str:
        return f"broken-{self.number}.png"

    def picture(self, path: str) -> bytes:
        return image(COLORS[self.pictures[path][1]])

    def write(self, folder: Path) -> Path:
        records = [record for record, _ in self.pictures.values() if record] + self.bare
        table = "id,Age\n" + "".join(f"{record},{self.number}\n" for record in records)
        images = {path: self.picture(path) for path in self.pictures}
        return make_zip(folder / self.name, {**images, self.broken: b"no image", "pets.csv": table})


def expected(uploads: list[Upload]) -> Rows:
    """By table and key: the upload time and what tells this upload's row from another's."""
    found: Rows = {"records": {}, "embeddings": {}, "predictions": {}, "links": {}, "rejects": {}}
    for upload in sorted(uploads, key=lambda it: it.uploaded_at):
        for table, key, row in _rows(upload):
            found[table][key] = (upload.uploaded_at, *row)
    return found


def _rows(upload: Upload) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    for path, (record, color) in upload.pictures.items():
        yield "embeddings", path, (record or None, hashlib.sha256(upload.picture(path)).hexdigest())
        if record:
            yield "records", record, (True, (path,), str(upload.number))
            yield "predictions", record, ("image+tabular", color)
            yield "links", f"{path} {record}", ()
    for record in upload.bare:
        yield "records", record, (False, (), str(upload.number))
        # the column Age times 1, 0 and -1, none of them below zero: the first label
        yield "predictions", record, ("tabular", "red")
    yield "rejects", upload.broken, ()


def found_rows(table: str, rows: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """A table's rows in the form of `expected`; of `rejects` those on what lies in uploads, not on executions."""
    of_uploads = [row for row in rows if not row.get("source", "").startswith("s3://")]
    return dict(_found(table, row) for row in of_uploads)


def _found(table: str, row: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
    at = row["uploaded_at"]
    match table:
        case "embeddings":
            return row["image_path"], (at, row["record_id"], row["sha256"])
        case "records":
            images, age = tuple(row["image_paths"] or ()), dict(row["attributes"])["Age"]
            return row["record_id"], (at, row["has_image"], images, age)
        case "predictions":
            return row["record_id"] or row["image_path"], (at, row["modality"], row["label"])
        case "links":
            return f"{row['image_path']} {row['record_id']}", (at,)
    return row["source"], (at,)
