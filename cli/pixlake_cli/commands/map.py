"""`pixlake map`: an experiment's images in two dimensions."""

import json
import shlex
from pathlib import Path

import click

from pixlake.iceberg.lakes import Lake
from pixlake_cli.lakes import tables_option
from pixlake_cli.written import open_file, write_text

_METHODS = ("auto", "pca", "umap")


@click.command("map")
@tables_option
@click.option("--experiment", metavar="ID", required=True, help="The experiment whose images are shown.")
@click.option("--model", metavar="NAME", help="By the vectors of this model; needed where there are several.")
@click.option(
    "--method",
    type=click.Choice(_METHODS),
    default="auto",
    show_default=True,
    help="auto is umap where umap-learn is installed, else pca.",
)
@click.option(
    "--color", metavar="COLUMN", help="Color by label, score, value, predicted_by, width, height or an attribute."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("map.html"),
    show_default=True,
    help="The page to write.",
)
@click.option("--json", "as_json", is_flag=True, help="Print an array of the images' places; write no page.")
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
def map_experiment(
    lake: Lake,
    experiment: str,
    model: str | None,
    method: str,
    color: str | None,
    output: Path,
    as_json: bool,
    opens: bool,
) -> None:
    """Write a page on which an experiment's images lie in two dimensions, what is alike together.

    Zoom by wheel, keys or buttons; a click shows an image, what is known of it, and the command that searches from it.
    The page holds all it shows; of many images it has the pictures of some. The same vectors give the same map.

    \b
    pixlake map --experiment pets --lake lake --open
    pixlake map --experiment pets --lake lake --color breed --output pets.html
    """
    from pixlake.pages.experimentmap import draw_map, list_places, make_map

    lake = lake.existing()
    found = make_map(lake, experiment, model, method, color)
    if as_json:
        click.echo(json.dumps(list_places(found), indent=1, ensure_ascii=False))
        return
    where = ["--experiment", experiment, "--lake", str(lake.folder or lake.uri), "--model", found.model]
    write_text(output, draw_map(found, shlex.join(where)).html)
    click.echo(f"{output}: {len(found.places):,} images by {found.method} of {found.model}", err=True)
    if opens:
        open_file(output)
