"""What uploads say, and the dictionary in memory that says what the tables must hold after them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from pixlake.iceberg.rows import TableRows
from pixlake.messages import Effect
from pixlake.schemas import TABLES

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Said:
    """An upload of a day: each record's images, images without a record, whether records with images are classified by
    them, whether there is a classifier at all, whether it is complete, and what is in all its rows and images."""

    day: int
    records: Mapping[str, Sequence[str]] = field(default_factory=dict)
    orphans: Sequence[str] = ()
    by_image: bool = True
    classified: bool = True
    complete: bool = False
    content: str = "x"

    @property
    def when(self) -> datetime:
        return START + timedelta(days=self.day)

    @property
    def owners(self) -> dict[str, str | None]:
        owned: dict[str, str | None] = {path: record for record, paths in self.records.items() for path in paths}
        return dict.fromkeys(self.orphans) | owned

    @property
    def predicted(self) -> dict[tuple[str | None, str | None], str]:
        """The modality of each prediction, by its key."""
        if not self.classified:
            return {}
        found: dict[tuple[str | None, str | None], str] = {
            (None, path): "image" for path, record in self.owners.items() if record is None
        }
        for record, paths in self.records.items():
            found[record, None] = "image+tabular" if paths and self.by_image else "tabular"
        return found

    @property
    def attributes(self) -> dict[str, str | None]:
        """Those of each record, in another order every other day."""
        attributes = {"content": self.content, "none": None}
        return attributes if self.day % 2 else dict(reversed(attributes.items()))

    def sources(self, experiment: str) -> dict[str, list[TableRows]]:
        """Its rows as parts, by table; each record and each image in a part of its own."""
        same = {"experiment_id": experiment, "uploaded_at": self.when, "processed_at": self.when}
        rows: dict[str, list[dict[str, Any]]] = {
            "records": [
                {
                    "record_id": record,
                    "has_image": bool(paths),
                    "image_paths": list(paths),
                    "attributes": self.attributes,
                }
                for record, paths in self.records.items()
            ],
            "embeddings": [
                {"image_path": path, "record_id": record, "embedding": [1.0], "model": "m@1"}
                | {"width": 1, "height": 1, "sha256": self.content, "image_uri": path}
                for path, record in self.owners.items()
            ],
            "predictions": [
                {"record_id": record, "image_path": path, "modality": modality, "model": "m@1", "label": self.content}
                for (record, path), modality in self.predicted.items()
            ],
        }
        return {
            name: [
                TableRows(f"{name} {place}", pa.Table.from_pylist([row | same], schema=TABLES[name].columns))
                for place, row in enumerate(some)
            ]
            for name, some in rows.items()
        }


Tables = dict[str, dict[Any, Any]]


@dataclass
class Dictionary:
    """Uploads in the order in which they are committed, one after another."""

    named: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    records: dict[str, tuple[int, str]] = field(default_factory=dict)
    embeddings: dict[str, tuple[int, str]] = field(default_factory=dict)
    predictions: dict[tuple[str | None, str | None], tuple[bool, int, str]] = field(default_factory=dict)
    horizon: int = 0
    fits: Callable[[str, str], tuple[int, int] | None] = lambda image, record: None  # noqa: ARG005
    added: list[Said] = field(default_factory=list)

    def add(self, said: Said) -> dict[str, Effect]:
        """What becomes of rows, by table."""
        before, again = self.tables(), said in self.added
        self._add(said)
        self.added.append(said)
        given: dict[str, Iterable[Any]] = {
            "records": said.records,
            "embeddings": said.owners,
            "predictions": said.predicted,
        }
        after = self.tables()
        return {name: count(said.day, given[name], before[name], after[name], again) for name in given}

    def _add(self, said: Said) -> None:
        if said.complete:
            self._forget(max(said.day, self.horizon))
        if said.day < self.horizon:
            return
        for record, paths in said.records.items():
            row = said.day, said.content
            self.records[record] = max(row, self.records.get(record, row))
            for place, path in enumerate(paths):
                self.named[path, record] = max((said.day, place), self.named.get((path, record), (0, 0)))
        for path in said.owners:
            row = said.day, said.content
            self.embeddings[path] = max(row, self.embeddings.get(path, row))
        for key, modality in said.predicted.items():
            found = (modality == "image+tabular", said.day, said.content)
            self.predictions[key] = max(found, self.predictions.get(key, found))
        for path in [*(path for path, _ in self.named), *self._fitted()]:
            self.predictions.pop((None, path), None)

    def tables(self) -> Tables:
        """By key: the day, the content, and what else follows from other rows."""
        images: dict[str, list[str]] = {record: [] for record in self.records}
        owners = {}
        for (path, record), (day, _) in sorted(self.named.items(), key=lambda item: item[1]):
            of_image = max(day for (other, _), (day, _) in self.named.items() if other == path)
            of_record = max(day for (_, other), (day, _) in self.named.items() if other == record)
            if day == of_image == of_record:
                images[record].append(path)
                owners[path] = record
        for path, record in self._fitting().items():
            images[record].append(path)
            owners[path] = record
        return {
            "records": {record: (*row, images[record]) for record, row in self.records.items()},
            "embeddings": {path: (*row, owners.get(path)) for path, row in self.embeddings.items()},
            "predictions": {key: (day, what, image) for key, (image, day, what) in self.predictions.items()},
        }

    def _fitted(self) -> list[str]:
        named = {path for path, _ in self.named}
        return [
            path
            for path in self.embeddings.keys() - named
            if any(self.fits(path, record) is not None for record in self.records)
        ]

    def _fitting(self) -> dict[str, str]:
        """The record of each image that no upload named for any and that one record fits best, in their order."""
        found = {}
        for path in self.embeddings.keys() - {path for path, _ in self.named}:
            fits = {record: how for record in self.records if (how := self.fits(path, record)) is not None}
            best = [record for record, (level, _) in fits.items() if level == min(level for level, _ in fits.values())]
            if len(best) == 1:
                found[fits[best[0]][1], path] = best[0]
        return {path: found[number, path] for number, path in sorted(found)}

    def _forget(self, horizon: int) -> None:
        self.horizon = horizon
        self.named = {key: said for key, said in self.named.items() if said[0] >= horizon}
        self.records = {key: row for key, row in self.records.items() if row[0] >= horizon}
        self.embeddings = {key: row for key, row in self.embeddings.items() if row[0] >= horizon}
        self.predictions = {key: found for key, found in self.predictions.items() if found[1] >= horizon}


def count(day: int, given: Iterable[Any], before: Mapping[Any, Any], after: Mapping[Any, Any], again: bool) -> Effect:
    """What an upload of the rows `given` on that day did to a table: two states of it, compared by content. An upload
    that was there `again` brings nothing: what is not there has gone since."""
    kinds: Counter[str] = Counter()
    came = {key for key in given if key in after and after[key][0] == day and (key in before or not again)}
    for key in given:
        if key not in came:
            kinds["older"] += 1
        elif key not in before:
            kinds["new"] += 1
        else:
            kinds["unchanged" if before[key][1:] == after[key][1:] else "replaced"] += 1
    kinds["removed"] = len(before.keys() - after.keys())
    kinds["changed"] = sum(before[key] != after[key] for key in (before.keys() & after.keys()) - came)
    return Effect(**kinds)


def tabulate(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Tables:
    """The rows of the tables as `Dictionary.tables` has them; a key that is there twice is an error."""
    records = {
        row["record_id"]: (_day(row), dict(row["attributes"])["content"], row["image_paths"]) for row in rows["records"]
    }
    embeddings = {row["image_path"]: (_day(row), row["sha256"], row["record_id"]) for row in rows["embeddings"]}
    predictions = {
        (row["record_id"], row["image_path"]): (_day(row), row["label"], row["modality"] == "image+tabular")
        for row in rows["predictions"]
    }
    found: Tables = {"records": records, "embeddings": embeddings, "predictions": predictions}
    assert {name: len(some) for name, some in found.items()} == {name: len(rows[name]) for name in found}
    return found


def assert_agreement(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """That no two tables contradict each other, whatever was uploaded."""
    images = {row["record_id"]: row["image_paths"] for row in rows["records"]}
    owners = {path: record for record, paths in images.items() for path in paths}
    assert len(owners) == sum(map(len, images.values()))
    assert all(row["has_image"] == bool(row["image_paths"]) for row in rows["records"])
    assert [row["record_id"] for row in rows["embeddings"]] == [
        owners.get(row["image_path"]) for row in rows["embeddings"]
    ]
    assert all(row["record_id"] in images for row in rows["predictions"] if row["record_id"] is not None)
    assert not [row for row in rows["predictions"] if row["record_id"] is None and row["image_path"] in owners]


def _day(row: Mapping[str, Any]) -> int:
    return int((row["uploaded_at"] - START).days)
