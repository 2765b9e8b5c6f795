"""`pixlake delete`: an experiment out of a lake, or some of its images and records."""

import json
from typing import TYPE_CHECKING

import click

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake_cli.lakes import place_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pixlake_cli.erasing import Erasure
    from pixlake_cli.stacks import Stack


@click.command()
@place_option
@click.option("--experiment", metavar="ID", help="The experiment to delete, or to delete from. Default: from all.")
@click.option(
    "--image", "images", metavar="PATH", multiple=True, help="Delete the image of this image_path; more than once."
)
@click.option("--where", metavar="SQL", help="Delete what this condition in Athena's SQL holds for.")
@click.option("--yes", is_flag=True, help="Delete it. Without this it is only counted.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as a JSON object.")
def delete(
    lake: Lake,
    stack: "Stack | None",
    experiment: str | None,
    images: tuple[str, ...],
    where: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete an experiment, or some of its images and records, from rows to reports.

    Without --yes it counts what there is and deletes nothing. While an execution of the experiment runs it is refused,
    for that would put rows back; what runs is known of a folder and of a --stack, of an s3:// --lake only to you. Rows
    that are committed afterwards all the same stay, until the same command is given again. The same upload can be put
    in again, and brings back what it holds.

    \b
    --experiment alone  all of the experiment: rows, images, reports and working files
    --image             the image, of every upload: its vectors, its prediction, its rejects, its
                        files. A record that has it keeps its row and its prediction without it
    --where             the records for which the condition holds, with their predictions and all
                        images that were ever theirs and are no other record's by now; and the
                        images without a record. It takes the columns of `pixlake export`, which
                        are null where there is no image. In S3 Athena is asked: say --stack

    With --image or --where the reports and working files of the experiment's executions go, too, for they show
    images: these executions cannot be retried. An interrupted deletion is finished by the next one in the experiment.

    Older snapshots of the tables keep the rows until maintenance expires them: after SnapshotDays, or on a laptop a day
    later by `pixlake maintain --snapshot-days 0`. A bucket with versions keeps what was deleted for UndoDays. The
    uploaded zip is yours to delete.

    \b
      pixlake delete --experiment pets --lake lake
      pixlake delete --experiment pets --lake lake --yes
      pixlake delete --image wanda/portrait.jpg --lake lake --yes
      pixlake delete --experiment pets --where "element_at(attributes, 'owner') = 'Wanda'" --lake lake --yes
      pixlake delete --experiment pets --where "label = 'face'" --stack pixlake --yes
    """
    if images or where is not None:
        _delete_some(lake.existing(), stack, experiment, images, where, yes=yes, as_json=as_json)
    elif experiment is not None:
        _delete_all(lake.existing(), stack, experiment, yes=yes, as_json=as_json)
    else:
        raise BadRequest("say what to delete: --experiment ID, --image PATH or --where SQL")
    if yes and not as_json:
        click.echo("Older snapshots keep its rows until they expire: see `pixlake delete --help`.", err=True)


def _delete_all(lake: Lake, stack: "Stack | None", experiment: str, *, yes: bool, as_json: bool) -> None:
    from pixlake_cli.deleting import delete_experiment, list_holdings
    from pixlake_cli.erasing import require_idle

    found = list_holdings(lake, experiment)
    require_idle(lake, stack, {experiment})
    if yes:
        delete_experiment(lake, experiment, found)
    if as_json:
        counts = {"rows": found.rows, "images": len(found.images), "other_objects": len(found.others)}
        click.echo(json.dumps({"experiment": experiment, "deleted": yes, **counts}))
        return
    files = f"{len(found.images):,} image files, {len(found.others):,} other files"
    click.echo(f"{experiment}: {_count(found.rows)}; {files}")
    click.echo(_say(yes))


def _delete_some(
    lake: Lake,
    stack: "Stack | None",
    experiment: str | None,
    images: "Sequence[str]",
    where: str | None,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    from pixlake_cli.erasing import erase, find_erasures

    found = find_erasures(lake, experiment, images, where, stack)
    if yes:
        erase(lake, found)
    if as_json:
        click.echo(json.dumps({"deleted": yes, "experiments": [each.summary() for each in found]}))
        return
    for each in found:
        click.echo(_describe(each))
    click.echo(_say(yes))


def _describe(erasure: "Erasure") -> str:
    files = f"{len(erasure.images):,} image files, {erasure.indexes:,} index files, {len(erasure.others):,} other files"
    losing = f"; {erasure.losing:,} records stay without an image of theirs" if erasure.losing else ""
    return f"{erasure.subjects.experiment_id}: {_count(erasure.rows)}; {files}{losing}"


def _count(rows: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in rows.items() if count) or "no rows"


def _say(yes: bool) -> str:
    return "Deleted." if yes else "Nothing is deleted: repeat it with --yes."
