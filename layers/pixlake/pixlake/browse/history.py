"""What became of uploads: their executions, and what was left out."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pixlake import storage
from pixlake.browse.rows import Load, read_rows
from pixlake.concurrency import map_bounded
from pixlake.lake import report_uri
from pixlake.schemas import EXECUTIONS, REJECTS

_AT_ONCE = 8  # requests
_NEWEST = [("uploaded_at", "descending"), ("source", "ascending"), ("reason", "ascending")]
_LEFT_OUT = ["experiment_id", "source", "stage", "reason", "detail", "uploaded_at"]


@dataclass(frozen=True)
class Rejects:
    """How many there are by reason, the most frequent first, and the newest `rejects`: rows of the table."""

    reasons: dict[str, int]
    rejects: list[dict[str, Any]]


def read_rejects(load: Load, experiment_id: str | None, reason: str | None, count: int) -> Rejects:
    """Of one experiment or of all; the rows of one reason or of all, at most `count`, the newest upload's first."""
    reasons: Counter[str] = Counter()
    newest = pa.schema([REJECTS.columns.field(name) for name in _LEFT_OUT]).empty_table()
    for batch in read_rows(load("rejects"), "rejects", experiment_id, _LEFT_OUT):
        for each in batch["reason"].value_counts():
            reasons[each["values"].as_py()] += each["counts"].as_py()
        rows = batch if reason is None else batch.filter(pc.equal(batch["reason"], reason))
        both = pa.concat_tables([newest, pa.Table.from_batches([rows]).cast(newest.schema)])
        newest = both.take(pc.select_k_unstable(both, min(count, len(both)), _NEWEST)) if len(both) else newest
    return Rejects(dict(reasons.most_common()), [_in_json(row) for row in newest.to_pylist()])


def read_executions(load: Load, lake_uri: str, experiment_id: str | None, count: int) -> list[dict[str, Any]]:
    """The newest that have ended, as rows of the table, and for each whether there is a `report`."""
    table = load("executions")
    rows = pa.Table.from_batches(read_rows(table, "executions", None, EXECUTIONS.columns.names), EXECUTIONS.columns)
    if experiment_id is not None:
        rows = rows.filter(pc.equal(rows["experiment_id"], experiment_id))
    newest = rows.sort_by([("started_at", "descending"), ("execution_id", "descending")])[:count]
    reports = [report_uri(lake_uri, each) for each in newest["execution_id"].to_pylist()]
    found = zip(newest.to_pylist(maps_as_pydicts="lossy"), map_bounded(storage.exists, reports, _AT_ONCE), strict=True)
    return [_in_json(row) | {"report": exists} for row, exists in found]


def _in_json(row: dict[str, Any]) -> dict[str, Any]:
    """With times as ISO 8601 in UTC."""
    return {
        name: value.astimezone(UTC).isoformat(timespec="seconds") if isinstance(value, datetime) else value
        for name, value in row.items()
    }
