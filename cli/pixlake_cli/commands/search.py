"""`pixlake search`: the images of a lake that are most like an image or a text."""

import json
import mimetypes
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake_cli.embedded import choose_vectors
from pixlake_cli.lakes import tables_option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pixlake.inference.embedder import Embedder
    from pixlake.search.nearest import Hit


@click.command()
@click.argument("query", metavar="IMAGE|TEXT")
@tables_option
@click.option("-n", "count", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many to find.")
@click.option("--experiment", metavar="ID", help="Search one experiment only.")
@click.option("--model", metavar="NAME", help="Search the vectors of this model. Default: the one with most vectors.")
@click.option("--json", "as_json", is_flag=True, help="Print an array of objects, best first.")
@click.option("--sheet", type=click.Path(path_type=Path, dir_okay=False), help="Write a contact sheet (PNG) too.")
def search(
    query: str, lake: Lake, count: int, experiment: str | None, model: str | None, as_json: bool, sheet: Path | None
) -> None:
    """Find the images most like an image, or most like a text where the model reads texts.

    The name of an existing file is an image, anything else a text. Scores are cosines, at most 1.

    \b
      pixlake search cat.jpg --lake lake
      pixlake search "a red flower" --lake lake -n 25 --sheet found.png
    """
    from pixlake.iceberg.catalog import load_table, open_catalog
    from pixlake.inference.loaded import open_embedder
    from pixlake.search.nearest import COLUMNS, find_nearest, read_batches

    if not query.strip():
        raise BadRequest("give the name of an image file, or a text that is not empty")
    lake = lake.existing()
    table = load_table(open_catalog(lake.uri, lake.catalog_uri), "embeddings")
    chosen = choose_vectors(table, lake, experiment, model)
    is_image = _is_image(query)
    embedder = open_embedder(lake.uri, chosen)
    vector = _embed(query, embedder, is_image=is_image)
    hits = find_nearest(read_batches(table, experiment, COLUMNS), chosen, vector, count)
    if embedder.demo:
        _notify(chosen, hits)
    if sheet:
        from pixlake_cli.contactsheet import draw_hits, write_sheet

        write_sheet(sheet, draw_hits(hits))
    if as_json:
        click.echo(json.dumps([asdict(hit) for hit in hits], indent=1, ensure_ascii=False))
    else:
        _print(hits)


def _is_image(query: str) -> bool:
    """Whether it names a file; BadRequest for the name of an image that is not there."""
    is_image = len(query) < 4096 and Path(query).is_file()
    if not is_image and (mimetypes.guess_type(query)[0] or "").startswith("image/"):
        raise BadRequest(f"there is no image {query}")
    return is_image


def _embed(query: str, embedder: "Embedder", *, is_image: bool) -> "NDArray[np.float32]":
    """The query's vector by the model that made the table's."""
    if is_image:
        from pixlake.images.decoders import Decoders, Limits

        loaded = Decoders(Limits()).load(Path(query).read_bytes(), embedder.preprocessing)
        vectors = embedder.embed_tensors([loaded.tensor])
    else:
        vectors = embedder.embed_texts([query])
    vector: NDArray[np.float32] = vectors[0]
    return vector


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
