"""How executions ended, as rows of `executions`: Report writes them where all went well, RecordFailure else.

RecordFailure is invoked by an event, which may come late, twice, or after a redrive has succeeded. So a
row says when its execution ended, the later row stays, and each ending is a commit of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.expressions import And, EqualTo, GreaterThan, Reference
from pyiceberg.expressions.literals import literal

from pixlake.iceberg.catalog import commit_rows, load_table
from pixlake.iceberg.translation import translated
from pixlake.messages import TOTALS
from pixlake.schemas import EXECUTIONS


@dataclass(frozen=True)
class Ending:
    """One end of an execution. `totals` has the counts of `TOTALS`, `models` those used by their role."""

    execution_id: str
    experiment_id: str
    upload_uri: str
    status: str
    started_at: datetime
    finished_at: datetime
    totals: Mapping[str, int]
    models: Mapping[str, str]


def commit_ending(catalog: Catalog, ending: Ending) -> None:
    """Make it the execution's row, unless the row there is of a later end. The same ending again changes nothing."""
    row = {name: getattr(ending, name) for name in EXECUTIONS.columns.names if name not in TOTALS}
    rows = pa.Table.from_pylist([row | dict(ending.totals)], schema=EXECUTIONS.columns)
    identity = f"{ending.execution_id} {ending.status} {ending.finished_at.isoformat()}"
    commit_rows(catalog, EXECUTIONS.name, rows, identity)


def find_later(catalog: Catalog, execution_id: str, moment: datetime) -> str | None:
    """The status of an end of this execution after `moment`, where the table has one."""
    with translated(f"table {EXECUTIONS.name}"):
        later = And(
            EqualTo(term=Reference("execution_id"), value=literal(execution_id)),
            GreaterThan(term=Reference("finished_at"), value=literal(moment)),
        )
        scan = load_table(catalog, EXECUTIONS.name).scan(row_filter=later, selected_fields=("status",))
        found = scan.to_arrow()["status"].to_pylist()
    return found[0] if found else None


def has_ended(catalog: Catalog, execution_id: str) -> bool:
    """Whether the table has a row of this execution."""
    with translated(f"table {EXECUTIONS.name}"):
        rows = load_table(catalog, EXECUTIONS.name).scan(
            row_filter=EqualTo(term=Reference("execution_id"), value=literal(execution_id)),
            selected_fields=("execution_id",),
        )
        return rows.count() > 0
