"""`pixlake export`: the images of an experiment with all that is known of them, for other tools."""

from pathlib import Path

import click

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake_cli.drafts import draft_file, draft_folder
from pixlake_cli.embedded import choose_vectors
from pixlake_cli.lakes import lake_option

_FORMATS = ("parquet", "csv", "npy", "webdataset", "lance", "faiss")
_FOLDERS = ("webdataset", "lance")


@click.command()
@lake_option
@click.option("--experiment", metavar="ID", required=True, help="The experiment whose images are exported.")
@click.option("--format", "kind", type=click.Choice(_FORMATS), required=True, help="What to write.")
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="A file; webdataset, lance: a new folder."
)
@click.option("--model", metavar="NAME", help="The vectors of this model. Default: the one with most vectors.")
@click.option("--where", metavar="SQL", help="Only the images for which this condition in Athena's SQL holds.")
def export(lake: Lake, experiment: str, kind: str, output: Path, model: str | None, where: str | None) -> None:
    """Write the images of an experiment, a row for each, with vector, record and prediction.

    The columns are image_path, record_id, width, height, sha256, image_uri, model, uploaded_at, label, score, value,
    predicted_by, attributes and embedding; --where takes a condition on any of them.

    \b
    parquet     one file
    csv         the vector and the attributes as JSON
    npy         the vectors as a float32 matrix; the other columns beside it, row by row, as OUTPUT.parquet
    webdataset  tars of 1 GB: each image as it was uploaded, its vector as .npy, the other columns as .json
    lance       a Lance dataset, as LanceDB reads; takes pylance, or pixlake's extra lance
    faiss       a FAISS index of inner products, with the other columns, row by row, as OUTPUT.parquet;
                takes faiss-cpu, or pixlake's extra faiss, and memory for all vectors

    \b
      pixlake export --experiment pets --format parquet --output pets.parquet --lake lake
      pixlake export --experiment pets --format npy --output cats.npy --where "label = 'cat'" --lake lake
    """
    from pixlake.iceberg.catalog import load_table, open_catalog
    from pixlake.sql.images import COLUMNS, select_images
    from pixlake.sql.limited import read_rows
    from pixlake_cli import exports

    if output.is_dir() and kind not in _FOLDERS:
        raise BadRequest(f"{output} is a folder: name a file")
    lake = lake.existing()
    table = load_table(open_catalog(lake.uri, lake.catalog_uri), "embeddings")
    chosen = choose_vectors(table, lake, experiment, model)
    with read_rows(lake, select_images(COLUMNS, chosen, experiment, where)) as rows:
        if kind in _FOLDERS:
            with draft_folder(output) as folder:
                (exports.export_lance if kind == "lance" else exports.export_webdataset)(rows, folder)
        elif kind == "faiss":
            with draft_file(_beside(output)) as facts, draft_file(output) as target:
                exports.export_faiss(rows, Path(target.name), facts)
        elif kind == "npy":
            with draft_file(_beside(output)) as facts, draft_file(output) as target:
                exports.export_npy(rows, target, facts)
        else:
            with draft_file(output) as target:
                (exports.export_parquet if kind == "parquet" else exports.export_csv)(rows, target)
    click.echo(f"{output}", err=True)


def _beside(output: Path) -> Path:
    return output.with_name(f"{output.name}.parquet")
