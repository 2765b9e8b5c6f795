"""An execution that was looked at, for people and for programs."""

from collections.abc import Iterator
from typing import Any

import msgspec

from pixlake.report.words import describe_seconds, describe_time, readable
from pixlake_cli.executions import RUNNING, Failure, Status, counts_of
from pixlake_cli.executions import as_object as describe_execution

_CHILDREN_SHOWN = 5


def as_object(status: Status) -> dict[str, Any]:
    """For programs."""
    found: dict[str, Any] = msgspec.to_builtins(status)
    return {**describe_execution(status.execution), **{name: found[name] for name in found if name != "execution"}}


def as_text(status: Status) -> str:
    """For people."""
    return "\n".join(_lines(status))


def _lines(status: Status) -> Iterator[str]:
    execution = status.execution
    yield from (f"Warning: {warning}." for warning in status.warnings)
    yield f"{execution.execution_id}: {execution.status}"
    yield f"Upload:  {execution.upload_uri} as experiment {execution.experiment_id}"
    took = execution.finished_at and describe_seconds((execution.finished_at - execution.started_at).total_seconds())
    yield f"Started: {describe_time(execution.started_at)}" + (f", took {took}" if took else "")
    if execution.status == RUNNING:
        yield f"State:   {status.state}"
    for state, (done, total) in status.done.items():
        yield f"{state + ':':8} {done:,} of {total:,}"
    if execution.finished_at is not None:
        yield f"Counts:  {counts_of(execution)}"
    if status.rejects:
        yield f"Rejects: {', '.join(f'{count:,} {reason}' for reason, count in status.rejects.items())}"
    if status.failure is not None:
        yield f"Failed:  {_said(status.failure)}"
        if status.failure.advice:
            yield f"Do:      {status.failure.advice}"
    for child in status.children[:_CHILDREN_SHOWN]:
        yield f"Lost:    {child.child}: {_said(child)}"
    if len(status.children) > _CHILDREN_SHOWN:
        yield f"         and {len(status.children) - _CHILDREN_SHOWN:,} more: --json"
    if status.report:
        yield f"Report:  {status.report.removeprefix('file://')}"


def _said(failure: Failure) -> str:
    return readable(" ".join(f"{failure.step}, {failure.error}: {failure.message}".split()))
