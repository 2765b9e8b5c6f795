"""`pixlake status`: what runs, and what failed and why."""

import json
import sys
from typing import TYPE_CHECKING

import click

from pixlake.iceberg.lakes import Lake
from pixlake_cli.lakes import place_option

if TYPE_CHECKING:
    from pixlake_cli.executions import Execution, Status
    from pixlake_cli.stacks import Stack

_FAILED_SHOWN = 5


@click.command()
@click.argument("execution", required=False)
@place_option
@click.option("--follow", is_flag=True, help="Show EXECUTION, or the newest, live until it ends.")
@click.option("--json", "as_json", is_flag=True, help="Print an array of objects, of EXECUTION one.")
def status(execution: str | None, lake: Lake, stack: "Stack | None", follow: bool, as_json: bool) -> None:
    """Say what runs and how far it is, and what failed and why.

    Without EXECUTION it tells of those that run, of the newest, and names the last that failed. A failure is told by
    its state, the error, and what to do; that of a Map by the error of the child that failed. So are batches that an
    execution lost without failing: `pixlake retry` runs them again.

    With --follow it exits with 1 where the execution does not succeed. Ctrl-C ends the command, not the execution.

    \b
      pixlake status --lake my-lake
      pixlake status 20261121T101112-pets-1a2b --lake my-lake
      pixlake status --stack pixlake --follow
    """
    from pixlake_cli.executions import RUNNING, SUCCEEDED, find_execution, list_executions
    from pixlake_cli.statuses import as_object, as_text

    if execution is not None and not follow:
        found = _look(lake, stack, find_execution(lake, execution, stack))
        click.echo(json.dumps(as_object(found), indent=1) if as_json else as_text(found))
        return
    known = [find_execution(lake, execution, stack)] if execution else list_executions(lake, stack)
    if follow:
        _follow(lake, stack, known, as_json)
        return
    chosen = [each for place, each in enumerate(known) if place == 0 or each.status == RUNNING]
    looked = [_look(lake, stack, each) for each in chosen]
    if as_json:
        click.echo(json.dumps([as_object(each) for each in looked], indent=1))
        return
    click.echo("\n\n".join(map(as_text, looked)) or "Nothing has run on this lake.")
    failed = [each for each in known if each.status not in (RUNNING, SUCCEEDED) and each not in chosen]
    for each in failed[:_FAILED_SHOWN]:
        click.echo(f"{each.status} before: {each.execution_id}")


def _follow(lake: Lake, stack: "Stack | None", known: list["Execution"], as_json: bool) -> None:
    from pixlake_cli import stackstatus
    from pixlake_cli.executions import SUCCEEDED, find_execution
    from pixlake_cli.following import follow
    from pixlake_cli.statuses import as_object, as_text

    if not known:
        click.echo("Nothing has run on this lake.")
        return

    name = known[0].execution_id

    def look() -> "Status":
        return stackstatus.look_at(stack, name) if stack else _look(lake, None, find_execution(lake, name))

    found = follow(look)
    click.echo(json.dumps(as_object(found), indent=1) if as_json else as_text(found))
    if found.execution.status != SUCCEEDED:
        sys.exit(1)


def _look(lake: Lake, stack: "Stack | None", execution: "Execution") -> "Status":
    from pixlake_cli import executions

    if stack is None:
        return executions.look_at(lake, execution)
    from pixlake_cli.stackstatus import look_at_known

    return look_at_known(stack, execution)
