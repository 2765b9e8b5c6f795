"""`pixlake maintain`: the scheduled clean-up, on a laptop."""

import json
from typing import TYPE_CHECKING

import click
import msgspec

from pixlake.iceberg.lakes import Lake
from pixlake_cli.lakes import tables_option

if TYPE_CHECKING:
    from pixlake.messages import MaintainAnswer


@click.command()
@tables_option
@click.option("--snapshot-days", type=click.FloatRange(min=0), default=7.0, show_default=True, help="Keep snapshots.")
@click.option("--work-days", type=click.FloatRange(min=0), default=14.0, show_default=True, help="Keep work folders.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as a JSON object.")
def maintain(lake: Lake, snapshot_days: float, work_days: float, as_json: bool) -> None:
    """Merge small files, expire old snapshots, delete what nothing names.

    Running executions are not touched. On AWS a scheduled function does the same.

    \b
      pixlake maintain --lake lake
      pixlake maintain --lake lake --snapshot-days 0
    """
    from pixlake.settings import MaintainSettings
    from pixlake.steps.maintain import maintain as clean

    lake = lake.existing()
    answer: MaintainAnswer = clean(MaintainSettings(lake.uri, lake.catalog_uri, snapshot_days, work_days))
    for reason in answer.skipped:
        click.echo(f"pixlake: {reason}", err=True)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(answer)))
    else:
        click.echo(
            f"expired {answer.expired_snapshots} snapshots, deleted {answer.deleted_files} files of tables"
            f" and {answer.deleted_work} work folders"
            + ("" if lake.folder else "; work/ in a bucket is left to its lifecycle rule")
        )
