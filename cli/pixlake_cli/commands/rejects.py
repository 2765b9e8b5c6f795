"""`pixlake rejects`: what was left out, and why."""

import sys
from typing import TYPE_CHECKING

import click

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake_cli.lakes import place_option

if TYPE_CHECKING:
    from pixlake_cli.stacks import Stack


@click.command()
@place_option
@click.option("--experiment", metavar="ID", help="Only those of this data set.")
@click.option("--execution", metavar="ID", help="Only those of this execution.")
@click.option("--json", "as_json", is_flag=True, help="Print an array of objects, with every reject.")
def rejects(lake: Lake, stack: "Stack | None", experiment: str | None, execution: str | None, as_json: bool) -> None:
    """List what was left out, with the stage, the reason and a sentence: the table `rejects`.

    docs/uploads.md explains the reasons. What is a reject for a passing reason `pixlake retry` runs again; of the rest
    `pixlake check UPLOAD --fix OUT.zip` makes an upload that is clean.

    \b
      pixlake rejects --lake my-lake
      pixlake rejects --lake my-lake --execution 20261121T101112-pets-1a2b --json
    """
    from pyiceberg.expressions import AlwaysTrue, BooleanExpression, EqualTo, Reference
    from pyiceberg.expressions.literals import literal

    from pixlake.iceberg.catalog import load_table, open_catalog
    from pixlake.iceberg.translation import translated
    from pixlake_cli.executions import find_execution, rejects_of
    from pixlake_cli.output import write_json, write_table

    if experiment is not None and execution is not None:
        raise BadRequest("give --experiment or --execution: an execution is of one experiment")
    lake = lake.existing()
    condition: BooleanExpression = AlwaysTrue()
    columns: tuple[str, ...] = ("experiment_id", "source", "stage", "reason", "detail", "uploaded_at")
    if execution is not None:
        condition, columns = rejects_of(find_execution(lake, execution, stack)), columns[1:-1]
    elif experiment is not None:
        condition, columns = EqualTo(term=Reference("experiment_id"), value=literal(experiment)), columns[1:]
    with translated("table rejects"):
        table = load_table(open_catalog(lake.uri, lake.catalog_uri), "rejects")
        rows = table.scan(row_filter=condition, selected_fields=columns).to_arrow_batch_reader()
        (write_json if as_json else write_table)(rows, sys.stdout.buffer)
