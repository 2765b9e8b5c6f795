"""`pixlake duplicates`: groups of images in an experiment that are nearly the same."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pixlake.iceberg.lakes import Lake
from pixlake.search import NEARLY_SAME
from pixlake_cli.embedded import choose_vectors
from pixlake_cli.lakes import tables_option
from pixlake_cli.written import write_bytes

if TYPE_CHECKING:
    from pixlake.search.vectors import Embedded

    Group = list[Embedded]

_SHEET_GROUPS = 25


@click.command()
@tables_option
@click.option("--experiment", metavar="ID", required=True, help="The experiment whose images are compared.")
@click.option("--model", metavar="NAME", help="Compare the vectors of this model. Default: the one with most vectors.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True),
    default=NEARLY_SAME,
    show_default=True,
    metavar="COSINE",
    help="Images are linked from this cosine of their vectors on.",
)
@click.option("--json", "as_json", is_flag=True, help="Print an array of groups, each an array of image paths.")
@click.option(
    "--sheet",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Write a contact sheet (PNG) of the first {_SHEET_GROUPS} groups, too.",
)
def duplicates(
    lake: Lake, experiment: str, model: str | None, threshold: float, as_json: bool, sheet: Path | None
) -> None:
    """Find groups of images that are nearly the same: copies, other sizes, other compressions.

    The first of a group, the one to keep, has the most pixels; groups are in the order of its path. What is linked by
    others in between is in one group. Every pair counts, none is skipped.

    \b
    pixlake duplicates --experiment holiday --lake lake
    pixlake duplicates --experiment holiday --lake lake --threshold 0.99 --sheet twice.png
    """
    groups = _find(lake.existing(), experiment, model, threshold)
    if sheet:
        from pixlake_cli.contactsheet import draw_groups

        write_bytes(sheet, draw_groups(groups[:_SHEET_GROUPS]))
    if as_json:
        click.echo(
            json.dumps([[image.image_path for image in group] for group in groups], indent=1, ensure_ascii=False)
        )
    else:
        _print(groups)


def _find(lake: Lake, experiment: str, model: str | None, threshold: float) -> "list[Group]":
    from pixlake.iceberg.catalog import load_table, open_catalog
    from pixlake.search.duplicates import find_groups
    from pixlake.search.stored import read_batches
    from pixlake.search.vectors import COLUMNS, map_vectors

    table = load_table(open_catalog(lake.uri, lake.catalog_uri), "embeddings")
    chosen = choose_vectors(table, lake, experiment, model)
    vectors = map_vectors(read_batches(table, experiment, COLUMNS), chosen)
    groups = [vectors.rank(rows) for rows in find_groups(vectors.values, threshold)]
    return sorted(groups, key=lambda group: group[0].image_path)


def _print(groups: "list[Group]") -> None:
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    from pixlake.report.words import readable
    from pixlake_cli.output import make_console

    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("group", "image", "pixels", "score", ""):
        grid.add_column(heading, overflow="fold", justify="left" if heading in ("image", "") else "right")
    for number, group in enumerate(groups, 1):
        for place, image in enumerate(group):
            grid.add_row(
                "" if place else str(number),
                Text(readable(image.image_path)),
                f"{image.width:,} x {image.height:,}",
                f"{image.score:.4f}",
                "" if place else "keep",
            )
    make_console(sys.stdout).print(grid)
    spare = sum(map(len, groups)) - len(groups)
    click.echo(f"{len(groups):,} groups; without the images to keep, {spare:,} are left over", err=True)
