"""`pixlake executions`: what has run on a lake, and what runs."""

import json
import sys
from typing import TYPE_CHECKING

import click

from pixlake.iceberg.lakes import Lake
from pixlake_cli.lakes import place_option

if TYPE_CHECKING:
    from pixlake_cli.stacks import Stack

_SHOWN = 20


@click.command()
@place_option
@click.option("--experiment", metavar="ID", help="Only those of this data set.")
@click.option("--all", "every", is_flag=True, help=f"Not only the newest {_SHOWN}.")
@click.option("--json", "as_json", is_flag=True, help="Print an array of objects, with every execution.")
def executions(lake: Lake, stack: "Stack | None", experiment: str | None, every: bool, as_json: bool) -> None:
    """List the executions of a lake, the newest first, with status, counts and time.

    A status is RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED; the last is also a run on this machine that was
    interrupted or killed. Of a stack, Step Functions says what runs; of a lake in a bucket without one, those are
    listed that have ended.

    \b
      pixlake executions --lake my-lake
      pixlake executions --lake my-lake --experiment holiday --json
      pixlake executions --stack pixlake
    """
    from pixlake_cli.executions import Execution, as_object, list_executions
    from pixlake_cli.output import make_console

    found = [each for each in list_executions(lake, stack) if experiment in (None, each.experiment_id)]
    if as_json:
        click.echo(json.dumps([as_object(each) for each in found], indent=1))
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from pixlake.report.words import describe_seconds, describe_time

    def cells(each: Execution) -> list[str]:
        took = describe_seconds((each.finished_at - each.started_at).total_seconds()) if each.finished_at else ""
        counts = (each.images, each.records, each.embedded, each.predicted, each.rejected)
        return [each.execution_id, each.status, describe_time(each.started_at), took, *(f"{one:,}" for one in counts)]

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("execution", "status", "started"):
        grid.add_column(heading)
    for heading in ("took", "images", "records", "embedded", "predicted", "rejected"):
        grid.add_column(heading, justify="right")
    shown = found if every else found[:_SHOWN]
    for each in shown:
        grid.add_row(*map(Text, cells(each)))
    make_console(sys.stdout).print(grid)
    if len(shown) < len(found):
        click.echo(f"and {len(found) - len(shown):,} older ones: --all")
