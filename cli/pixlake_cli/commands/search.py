"""`pixlake search`: the images of a lake that are most like an image or a text."""

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake.search import NEARLY_SAME
from pixlake_cli.embedded import say_others
from pixlake_cli.lakes import tables_option
from pixlake_cli.written import open_file, write_bytes, write_text

if TYPE_CHECKING:
    from pixlake.search.ranking import Hit


@click.command()
@click.argument("query", metavar="IMAGE|TEXT")
@tables_option
@click.option("-n", "count", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many to find.")
@click.option("--experiment", metavar="ID", help="Search one experiment only.")
@click.option("--where", metavar="SQL", help="Only images for which this condition in Athena's SQL holds.")
@click.option("--distinct", is_flag=True, help=f"Leave out what has a cosine of {NEARLY_SAME} to a better one.")
@click.option(
    "--model",
    metavar="NAME",
    help="Search the vectors of this model. Default: the one with most; for a text, with a text tower.",
)
@click.option(
    "--engine",
    type=click.Choice(["index", "s3vectors"]),
    default="index",
    show_default=True,
    help="The lake's own indexes, exact; or S3 Vectors, where the stack writes there (docs/s3-vectors.md).",
)
@click.option("--json", "as_json", is_flag=True, help="Print an array of objects, best first.")
@click.option("--sheet", type=click.Path(path_type=Path, dir_okay=False), help="Write a contact sheet (PNG) too.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page with the images too.")
@click.option(
    "--open", "opens", is_flag=True, help="Open the page, or else the sheet; without either, a page found.html."
)
def search(
    query: str,
    lake: Lake,
    count: int,
    experiment: str | None,
    where: str | None,
    distinct: bool,
    model: str | None,
    engine: str,
    as_json: bool,
    sheet: Path | None,
    html: Path | None,
    opens: bool,
) -> None:
    """Find the images most like an image, or most like a text where the model reads texts.

    An image is an existing file, a URI, - for standard input, or the path of an image in the lake; anything else is a
    text. Scores are cosines, at most 1. --where takes a condition on experiment_id and the columns of `pixlake export`.

    \b
      pixlake search cat.jpg --lake lake
      pixlake search "a red flower" --lake lake -n 25 --sheet found.png
      pixlake search pets/cat.png --lake lake --where "label = 'cat' AND element_at(attributes, 'age') > '3'"
    """
    from pixlake.inference.choosing import reads_texts
    from pixlake.inference.loaded import open_embedder
    from pixlake.search.resident import Resident
    from pixlake.sql.images import choose_images
    from pixlake_cli.asking import asks_by_text, embed_query, read_image

    if not query.strip():
        raise BadRequest("give the name of an image file, or a text that is not empty")
    if engine == "s3vectors":
        from pixlake_cli.vectors import check_vectors, search_vectors

        check_vectors(lake, count, where, distinct)
    lake = lake.existing()
    embeddings = Resident(lake).read(experiment)
    chosen = embeddings.choose(model, partial(reads_texts, lake.uri) if asks_by_text(query) else None)
    if model is None:
        say_others(embeddings.models, chosen)
    embedder = open_embedder(lake.uri, chosen)
    image = read_image(query)
    vector = embed_query(query, image, embedder, lambda: embeddings.find_vector(chosen, query))
    if engine == "s3vectors":
        hits = search_vectors(lake, chosen, vector, count, experiment)
    else:
        images = None if where is None else choose_images(lake, chosen, experiment, where)
        hits = embeddings.find_nearest(chosen, vector, count, images, NEARLY_SAME if distinct else None)
    if embedder.demo:
        _notify(chosen, hits)
    if sheet:
        from pixlake_cli.contactsheet import draw_hits

        write_bytes(sheet, draw_hits(hits, query, image))
    page = html or (Path("found.html") if opens and not sheet else None)
    if page:
        from pixlake.pages.found import draw_found

        write_text(page, draw_found(hits, query, chosen, where, image))
    shown = page or sheet
    if opens and shown:
        open_file(shown)
    if as_json:
        click.echo(json.dumps([asdict(hit) for hit in hits], indent=1, ensure_ascii=False))
    else:
        _print(hits)


def _notify(model: str, hits: "list[Hit]") -> None:
    """Say that the demo model found these, unless all of them came with the sample."""
    from pixlake.bundles.demo import is_of_sample, write_notice

    on_sample = all(is_of_sample(hit.experiment_id, hit.image_uri) for hit in hits)
    if notice := write_notice({"embedder": model}, on_sample=on_sample):
        click.echo(f"notice: {notice}", err=True)


def _print(hits: "list[Hit]") -> None:
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    from pixlake.report.words import readable
    from pixlake_cli.output import make_console

    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("score", "image", "record", "experiment"):
        grid.add_column(heading, overflow="fold")
    for hit in hits:
        names = (hit.image_path, hit.record_id or "", hit.experiment_id)
        grid.add_row(f"{hit.score:.4f}", *(Text(readable(name)) for name in names))
    make_console(sys.stdout).print(grid)
