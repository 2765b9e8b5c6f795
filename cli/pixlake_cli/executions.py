"""Executions of a lake: those that have ended from the table `executions`, those of this machine from their notes too,
those of a stack from Step Functions too.

What a failed one failed for comes from the error that its note keeps and from the notes of failed children; where there
is none, as on AWS or after maintenance, from its reject.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from pixlake import storage
from pixlake.errors import MissingObject
from pixlake.failures import read_child_failure
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.lakes import Lake
from pixlake.iceberg.translation import translated
from pixlake.lake import Work, report_uri
from pixlake.messages import TOTALS, StateError
from pixlake.report.causes import explain, find_step
from pixlake.report.gather import Listing, count_shards, list_work
from pixlake_cli.engine.notes import Note, read_note, read_notes
from pixlake_cli.machines import Seen, describe, list_briefly
from pixlake_cli.stacks import Stack

if TYPE_CHECKING:
    from pyiceberg.expressions import BooleanExpression

RUNNING, SUCCEEDED = "RUNNING", "SUCCEEDED"
_LOOKED_UP = 200
"""Executions of a stack, the newest, that are looked for in the table."""


@dataclass(frozen=True)
class Execution:
    """One execution; its counts are 0 until it has ended."""

    execution_id: str
    experiment_id: str
    status: str
    upload_uri: str
    started_at: datetime
    finished_at: datetime | None = None
    images: int = 0
    records: int = 0
    embedded: int = 0
    predicted: int = 0
    rejected: int = 0
    models: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """An error: of the state `step`, or of the child of a Map that has this name. `advice` is what to do."""

    step: str
    error: str
    message: str
    advice: str = ""
    child: str = ""


@dataclass(frozen=True)
class Status:
    """An execution looked at: the state that it is in, and how many items of each Map are done, of how many; its
    failure, if it failed; the children that failed for good; its rejects by reason; its report, if there is one; the
    warnings of one that a stack ran."""

    execution: Execution
    state: str = ""
    done: dict[str, tuple[int, int]] = field(default_factory=dict)
    failure: Failure | None = None
    children: list[Failure] = field(default_factory=list)
    rejects: dict[str, int] = field(default_factory=dict)
    report: str | None = None
    warnings: list[str] = field(default_factory=list)


def list_executions(lake: Lake, stack: Stack | None = None) -> list[Execution]:
    """All that are known, the newest first. MissingObject where the lake is none. Of a stack, those that run, too."""
    if stack is not None:
        return _list_of_stack(stack)
    known = {name: _noted(name, note) for name, note in (read_notes(lake.folder) if lake.folder else {}).items()}
    if lake.folder is None or not known or (lake.folder / "catalog.db").is_file():
        known |= {each.execution_id: each for each in _read_table(lake.existing())}
    return _newest_first(known.values())


def find_execution(lake: Lake, execution_id: str, stack: Stack | None = None) -> Execution:
    """The execution of this name; MissingObject where the lake has none."""
    for execution in list_executions(lake, stack):
        if execution.execution_id == execution_id:
            return execution
    raise MissingObject(f"{lake.uri} knows no execution {execution_id!r}: `pixlake executions` lists them")


def look_at(lake: Lake, execution: Execution) -> Status:
    """What can be said of it now."""
    work = Work(lake.uri, execution.execution_id)
    note = read_note(lake.folder, execution.execution_id) if lake.folder else None
    listing = list_work(work)
    shards = count_shards(work, listing)
    ended = execution.status == SUCCEEDED
    report = report_uri(lake.uri, execution.execution_id)
    return Status(
        execution,
        "" if ended else (note.state if note else "") or find_step(listing, shards),
        {} if ended else _count_done(listing, shards),
        _explain(lake, execution, note, listing, shards),
        read_children(listing),
        _count_rejects(lake, execution),
        report if storage.exists(report) else None,
    )


def rejects_of(execution: Execution) -> "BooleanExpression":
    """The condition that the rows of `rejects` of an execution meet."""
    from pyiceberg.expressions import And, EqualTo, Reference
    from pyiceberg.expressions.literals import literal

    return And(
        EqualTo(term=Reference("experiment_id"), value=literal(execution.experiment_id)),
        EqualTo(term=Reference("processed_at"), value=literal(execution.started_at)),
    )


def execution_of(seen: Seen) -> Execution:
    """What Step Functions says of it; the counts are those of its output."""
    images, records, embedded, predicted, rejected = (int(seen.output.get(name, 0)) for name in TOTALS)
    return Execution(
        seen.name,
        seen.experiment_id,
        seen.status,
        seen.upload_uri,
        seen.started_at,
        seen.finished_at,
        images,
        records,
        embedded,
        predicted,
        rejected,
    )


def _list_of_stack(stack: Stack) -> list[Execution]:
    """Those of the table, and the newest of the state machine that are not in it, or run again."""
    known: dict[str, Execution] = {}
    # a new stack has no tables
    with suppress(MissingObject):
        known = {each.execution_id: each for each in _read_table(stack.lake.existing())}
    for brief in islice(list_briefly(stack), _LOOKED_UP):
        if brief.status == RUNNING or brief.name not in known:
            known[brief.name] = execution_of(describe(stack, brief.name))
    return _newest_first(known.values())


def _newest_first(executions: Iterable[Execution]) -> list[Execution]:
    return sorted(executions, key=attrgetter("started_at", "execution_id"), reverse=True)


def _noted(name: str, note: Note) -> Execution:
    return Execution(name, note.experiment_id, note.now, note.upload_uri, note.started_at, note.finished_at)


def _read_table(lake: Lake) -> Iterator[Execution]:
    with translated("table executions"):
        rows = load_table(open_catalog(lake.uri, lake.catalog_uri), "executions").scan().to_arrow()
    for row in rows.to_pylist(maps_as_pydicts="lossy"):
        yield Execution(**row)


def _count_done(listing: Listing, shards: int) -> dict[str, tuple[int, int]]:
    """The items of the Maps that have been planned."""
    batches = len(listing.under("batches/"))
    done = len(listing.under("parts/embeddings/")) + len(listing.under("parts/predictions/"))
    counted = {"Extract": (len(listing.under("extracted/")), shards), "Infer": (done, batches)}
    return {state: (count, total) for state, (count, total) in counted.items() if total}


def _explain(lake: Lake, execution: Execution, note: Note | None, listing: Listing, shards: int) -> Failure | None:
    if execution.status in (RUNNING, SUCCEEDED):
        return None
    if note is not None and note.finished_at is not None:
        cause = explain(StateError(note.error or note.status, note.cause), listing, shards)
        return Failure(note.state or cause.step, cause.error, cause.message, cause.advice)
    if note is not None:
        step = find_step(listing, shards)
        message = "the process that ran it is gone: it was interrupted, killed, or the machine went down"
        return Failure(step, execution.status, message, "Each table is as it was or complete: run the upload again.")
    for row in _read_rejects(lake, execution, ("source", "stage", "reason", "detail")).to_pylist():
        if row["source"] == execution.upload_uri:
            return Failure(row["stage"], row["reason"], row["detail"])
    return None


def read_children(listing: Listing) -> list[Failure]:
    """The notes of the Maps' children that failed for good; not of those that a redrive has run again and well."""
    done = {Path(info.uri).stem for table in ("embeddings", "predictions") for info in listing.under(f"parts/{table}/")}
    done |= {f"extract-{Path(info.uri).stem}" for info in listing.under("extracted/")}
    found = []
    for info in listing.under("failures/"):
        if (name := Path(info.uri).stem) not in done:
            child = read_child_failure(info.uri)
            found.append(Failure(child.step, child.error, child.message, child=name))
    return found


def _count_rejects(lake: Lake, execution: Execution) -> dict[str, int]:
    if execution.finished_at is None:
        return {}
    reasons = _read_rejects(lake, execution, ("reason",))["reason"].to_pylist()
    return dict(Counter(reasons).most_common())


def _read_rejects(lake: Lake, execution: Execution, columns: tuple[str, ...]) -> pa.Table:
    with translated("table rejects"):
        table = load_table(open_catalog(lake.uri, lake.catalog_uri), "rejects")
        return table.scan(row_filter=rejects_of(execution), selected_fields=columns).to_arrow()


def as_object(execution: Execution) -> dict[str, object]:
    """For programs: times as ISO 8601 in UTC."""
    found: dict[str, object] = msgspec.to_builtins(execution)
    times = {name: time.astimezone(UTC) for name in ("started_at", "finished_at") if (time := getattr(execution, name))}
    return found | {name: time.isoformat(timespec="microseconds") for name, time in times.items()}


def counts_of(execution: Execution) -> str:
    """For people."""
    return ", ".join(f"{getattr(execution, name):,} {name}" for name in TOTALS)
