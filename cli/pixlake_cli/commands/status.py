"""`pixlake status`: what runs, and what failed and why."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from pixlake.iceberg.lakes import Lake
from pixlake_cli.lakes import tables_option

if TYPE_CHECKING:
    from pixlake_cli.executions import Failure, Status

_FAILED_SHOWN = 5
_CHILDREN_SHOWN = 5


@click.command()
@click.argument("execution", required=False)
@tables_option
@click.option("--json", "as_json", is_flag=True, help="Print an array of objects, of EXECUTION one.")
def status(execution: str | None, lake: Lake, as_json: bool) -> None:
    """Say what runs and how far it is, and what failed and why.

    Without EXECUTION it tells of those that run, of the newest, and names the last that failed. A failure is told by
    its state, the error, and what to do; that of a Map by the error of the child that failed. So are batches that an
    execution lost without failing: `pixlake retry` runs them again.

    \b
      pixlake status --lake my-lake
      pixlake status 20261121T101112-pets-1a2b --lake my-lake
    """
    from pixlake_cli.executions import RUNNING, SUCCEEDED, find_execution, list_executions, look_at

    if execution is not None:
        found = look_at(lake, find_execution(lake, execution))
        click.echo(json.dumps(_as_object(found), indent=1) if as_json else _as_text(found))
        return
    known = list_executions(lake)
    chosen = [each for place, each in enumerate(known) if place == 0 or each.status == RUNNING]
    looked = [look_at(lake, each) for each in chosen]
    if as_json:
        click.echo(json.dumps([_as_object(each) for each in looked], indent=1))
        return
    click.echo("\n\n".join(map(_as_text, looked)) or "Nothing has run on this lake.")
    failed = [each for each in known if each.status not in (RUNNING, SUCCEEDED) and each not in chosen]
    for each in failed[:_FAILED_SHOWN]:
        click.echo(f"{each.status} before: {each.execution_id}")


def _as_object(status: "Status") -> dict[str, Any]:
    import msgspec

    from pixlake_cli.executions import as_object

    found: dict[str, Any] = msgspec.to_builtins(status)
    return {**as_object(status.execution), **{name: found[name] for name in found if name != "execution"}}


def _as_text(status: "Status") -> str:
    return "\n".join(_lines(status))


def _lines(status: "Status") -> Iterator[str]:
    from pixlake.report.words import describe_seconds, describe_time
    from pixlake_cli.executions import RUNNING, counts_of

    execution = status.execution
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


def _said(failure: "Failure") -> str:
    from pixlake.report.words import readable

    return readable(" ".join(f"{failure.step}, {failure.error}: {failure.message}".split()))
