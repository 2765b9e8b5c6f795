"""What the steps before Compact leave in a lake."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pixlake import parquet, rejects, storage
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.executions import Ending, commit_ending
from pixlake.lake import Work
from pixlake.messages import (
    TOTALS,
    Batch,
    CompactAnswer,
    CompactRequest,
    ItemList,
    MaintainAnswer,
    Options,
    Run,
    SplitAnswer,
)
from pixlake.schemas import CLASSIFY_BATCH, EMBED_BATCH, EMBEDDINGS, PREDICTIONS, RECORDS, TABLES
from pixlake.settings import CompactSettings, MaintainSettings
from pixlake.steps.compact import compact
from tests.builders.tables import Said

START = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = "clip@0123456789ab"


@dataclass
class TableLake:
    """A lake in a folder."""

    folder: Path

    @property
    def uri(self) -> str:
        return f"file://{self.folder}"

    @property
    def catalog_uri(self) -> str:
        return f"sqlite:///{self.folder}/catalog.db"

    @property
    def settings(self) -> CompactSettings:
        return CompactSettings(self.uri, self.catalog_uri, tolerated_lost_percent=50.0)

    def rows(self, table: str) -> list[dict[str, Any]]:
        found = load_table(open_catalog(self.uri, self.catalog_uri), table).scan().to_arrow()
        rows: list[dict[str, Any]] = found.to_pylist()
        return rows

    def maintain_settings(self, **days: float) -> MaintainSettings:
        return MaintainSettings(self.uri, self.catalog_uri, **days)


@dataclass
class Execution:
    """One execution's files: `embed`, `classify` and `records` write what those steps would."""

    lake: TableLake
    name: str = "run"
    day: int = 1
    batches: list[Batch] = field(default_factory=list)
    options: Options = Options()  # noqa: RUF009  # frozen
    models: dict[str, str] = field(default_factory=lambda: {"embedder": MODEL})

    @property
    def work(self) -> Work:
        return Work(self.lake.uri, self.name)

    @property
    def when(self) -> datetime:
        return START + timedelta(days=self.day)

    @property
    def request(self) -> CompactRequest:
        when = self.when.isoformat()
        run = Run(self.name, "pets", "file:///pets.zip", f"{self.day:016x}", when, when)
        count = len(self.batches)
        split = SplitAnswer(ItemList("", count), 7, 5, 4, 3, 0, self.models, "id", "its values name images")
        return CompactRequest(run, split, self.options)

    def embed(self, batch_id: str, paths: Sequence[str], lost: bool = False) -> None:
        rows = [{"image_path": path, "image_uri": f"s3://lake/{path}", "record_id": None} for path in paths]
        self._plan(Batch(batch_id, "embed", "image", MODEL, len(paths), 0), pa.Table.from_pylist(rows, EMBED_BATCH))
        if not lost:
            self.embedded(batch_id, paths)

    def embedded(self, batch_id: str, paths: Sequence[str]) -> None:
        """The part of a batch."""
        parquet.write_part(self.work.part("embeddings", batch_id), EMBEDDINGS, self._embeddings(paths))

    def classify(
        self, batch_id: str, record_ids: Sequence[str | None], lost: bool = False, task: str = "classify"
    ) -> None:
        rows = [
            {"record_id": record_id, "image_paths": [f"{place}.jpg"], "image_uris": [], "attributes": []}
            for place, record_id in enumerate(record_ids)
        ]
        batch = Batch(batch_id, task, "tabular", "m@1", len(record_ids), 0)
        self._plan(batch, pa.Table.from_pylist(rows, CLASSIFY_BATCH))
        if not lost:
            self.predicted(batch_id, record_ids)

    def predicted(self, batch_id: str, record_ids: Sequence[str | None]) -> None:
        """The part of a batch."""
        parquet.write_part(self.work.part("predictions", batch_id), PREDICTIONS, self._predictions(record_ids))

    def records(self, part_id: str, record_ids: Sequence[str], **images: Sequence[str]) -> None:
        """`images` are those of records, by id."""
        named = {record_id: list(images.get(record_id, ())) for record_id in record_ids}
        rows = [
            {"record_id": record_id, "has_image": bool(paths), "image_paths": paths, "attributes": {}, **self._common()}
            for record_id, paths in named.items()
        ]
        table = pa.Table.from_pylist(rows, RECORDS.columns)
        parquet.write_part(self.work.part("records", part_id), RECORDS, table)

    def say(self, said: Said) -> None:
        """Each of its sources of rows as a part."""
        for name, sources in said.sources("pets").items():
            for place, part in enumerate(sources):
                rows = pa.Table.from_batches(part.batches(TABLES[name].columns.names))
                parquet.write_part(self.work.part(name, f"{place:05d}"), TABLES[name], rows)

    def reject(self, stage: str, part_id: str, *rows: rejects.Reject) -> None:
        rejects.write(self.work.rejects(stage, part_id), rows)

    def compact(self, **settings: Any) -> CompactAnswer:
        storage.write(self.work.batches, msgspec.json.encode(self.batches))
        return compact(self.request, replace(self.lake.settings, **settings))

    def end(self) -> None:
        """Be a row of `executions`, as Report or RecordFailure makes one."""
        catalog = open_catalog(self.lake.uri, self.lake.catalog_uri)
        totals = dict.fromkeys(TOTALS, 1)
        ending = Ending(self.name, "pets", "file:///pets.zip", "SUCCEEDED", self.when, datetime.now(UTC), totals, {})
        commit_ending(catalog, ending)

    def _plan(self, batch: Batch, rows: pa.Table) -> None:
        self.batches.append(batch)
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink)
        storage.write(self.work.batch(batch.batch_id), sink.getvalue().to_pybytes())

    def _common(self) -> dict[str, Any]:
        return {"experiment_id": "pets", "uploaded_at": self.when, "processed_at": self.when}

    def _embeddings(self, paths: Sequence[str]) -> pa.Table:
        random = np.random.default_rng(self.day)
        rows = [
            {
                "image_path": path,
                "record_id": None,
                "embedding": random.standard_normal(8).astype(np.float32).tolist(),
                "model": MODEL,
                "width": 3,
                "height": 2,
                "sha256": "0" * 64,
                "image_uri": f"s3://lake/{path}",
                **self._common(),
            }
            for path in paths
        ]
        return pa.Table.from_pylist(rows, EMBEDDINGS.columns)

    def _predictions(self, record_ids: Sequence[str | None]) -> pa.Table:
        rows = [
            {
                "record_id": record_id,
                "image_path": None if record_id else f"{place}.jpg",
                "label": "cat",
                "score": 1.0,
                "probabilities": {"cat": 1.0},
                "value": None,
                "modality": "tabular" if record_id else "image",
                "model": "m@1",
                **self._common(),
            }
            for place, record_id in enumerate(record_ids)
        ]
        return pa.Table.from_pylist(rows, PREDICTIONS.columns)


def nothing(answer: MaintainAnswer) -> bool:
    return answer == MaintainAnswer(0, 0, 0)


def fill(execution: Execution) -> None:
    """Some of everything: two tasks, orphans, records in two parts, a reject."""
    execution.embed("embed-0", ["a.jpg", "b.jpg"])
    execution.embed("embed-1", ["c.jpg", "ü #1 100%.jpg"])
    execution.classify("classify-0", ["1", "3"])
    execution.classify("classify-1", ["2", "4"])
    execution.classify("classify-2", [None, None])
    execution.records("00000", ["1", "2", "3"])
    execution.records("00001", ["4"])
    execution.reject("extract", "000000", rejects.Reject("x.jpg", "extract", "damaged", "It is cut short."))
