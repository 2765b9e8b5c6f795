"""`pixlake delete`: an experiment out of a lake."""

import json

import click

from pixlake.iceberg.lakes import Lake
from pixlake_cli.lakes import tables_option


@click.command()
@tables_option
@click.option("--experiment", metavar="ID", required=True, help="The experiment to delete.")
@click.option("--yes", is_flag=True, help="Delete it. Without this it is only counted.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as a JSON object.")
def delete(lake: Lake, experiment: str, yes: bool, as_json: bool) -> None:
    """Delete an experiment: its rows in every table, its images, reports and working files.

    Without --yes it counts what there is and deletes nothing. No execution of the experiment may be running: it would
    put its rows back. The same upload can be put in again afterwards.

    Older snapshots of the tables keep the rows until maintenance expires them: after SnapshotDays, or on a laptop a day
    later by `pixlake maintain --snapshot-days 0`. A bucket with versions keeps what was deleted for UndoDays.

    \b
      pixlake delete --experiment pets --lake lake
      pixlake delete --experiment pets --lake lake --yes
    """
    from pixlake_cli.deleting import delete_experiment, list_holdings

    lake = lake.existing()
    found = list_holdings(lake, experiment)
    if yes:
        delete_experiment(lake, experiment, found)
    if as_json:
        counts = {"rows": found.rows, "images": len(found.images), "other_objects": len(found.others)}
        click.echo(json.dumps({"experiment": experiment, "deleted": yes, **counts}))
        return
    rows = ", ".join(f"{count:,} {name}" for name, count in found.rows.items() if count) or "no rows"
    click.echo(f"{experiment}: {rows}; {len(found.images):,} image files, {len(found.others):,} other files")
    click.echo("Deleted." if yes else "Nothing is deleted: repeat it with --yes.")
    if yes:
        click.echo("Older snapshots keep its rows until they expire: see `pixlake delete --help`.", err=True)
