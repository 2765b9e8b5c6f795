"""`pixlake status`: what runs, and what failed and why."""

import json

import click

from pixlake.iceberg.lakes import Lake
from pixlake_cli.lakes import tables_option

_FAILED_SHOWN = 5


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
    from pixlake_cli.statuses import as_object, as_text

    if execution is not None:
        found = look_at(lake, find_execution(lake, execution))
        click.echo(json.dumps(as_object(found), indent=1) if as_json else as_text(found))
        return
    known = list_executions(lake)
    chosen = [each for place, each in enumerate(known) if place == 0 or each.status == RUNNING]
    looked = [look_at(lake, each) for each in chosen]
    if as_json:
        click.echo(json.dumps([as_object(each) for each in looked], indent=1))
        return
    click.echo("\n\n".join(map(as_text, looked)) or "Nothing has run on this lake.")
    failed = [each for each in known if each.status not in (RUNNING, SUCCEEDED) and each not in chosen]
    for each in failed[:_FAILED_SHOWN]:
        click.echo(f"{each.status} before: {each.execution_id}")
