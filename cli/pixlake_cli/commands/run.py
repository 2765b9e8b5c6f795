"""`pixlake run`: the whole main job on one machine, without an account and without a container engine."""

import sys
import time
from pathlib import Path
from typing import Any

import click

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake.models_python import find_models_python
from pixlake_cli.engine.engine import Engine
from pixlake_cli.engine.inputs import find_uploads
from pixlake_cli.engine.provision import put_models
from pixlake_cli.engine.root import ROOT
from pixlake_cli.lakes import lake_option
from pixlake_cli.overrides import complete_option, merge_settings, settings_option
from pixlake_cli.running import execute, interruptible, tell


@click.command()
@click.argument("uploads", metavar="UPLOAD...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@lake_option
@click.option("--experiment", metavar="ID", help="The name of the data set. Default: the upload's file name.")
@click.option(
    "--embedder",
    metavar="NAME",
    help="The model that embeds the images. Default: photo-lite0, which comes with Pixlake.",
)
@click.option(
    "--image-classifier",
    metavar="NAME",
    help="The model that labels images which no row of a table names. Default: imagenet-lite0, as above.",
)
@complete_option
@settings_option
@click.option(
    "--containers",
    is_flag=True,
    help="Run the functions in the containers that `make build` made, by `sam local start-lambda`. Needs Docker.",
)
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object a run on standard output.")
@click.option("--open", "open_report", is_flag=True, help="Open the report in a browser.")
def run(
    uploads: tuple[Path, ...],
    lake: Lake,
    experiment: str | None,
    embedder: str | None,
    image_classifier: str | None,
    complete: bool,
    settings: list[dict[str, Any]],
    containers: bool,
    as_json: bool,
    open_report: bool,
) -> None:
    """Put UPLOAD through the whole state machine, into the tables of a lake on this machine.

    UPLOAD is a zip or a folder of images, with or without a table (CSV, TSV, Excel, JSON, Parquet) and a pixlake.json;
    or image files, which together make one upload. Several zips or folders run one after another.

    \b
    pixlake run samples/emoji.zip --lake my-lake
    pixlake run holiday/*.jpg --experiment holiday --lake my-lake
    """
    begun = time.monotonic()
    if lake.folder is None:
        raise BadRequest(f"{lake.uri}: `pixlake run` works on a folder; for a bucket, upload to the stack instead")
    lake.require_not_moved()
    found = find_uploads(uploads, lake.folder, experiment)
    put_models(ROOT / "bundles", lake.folder)
    click.echo(f"Starting, on lake {lake.folder}", err=True)
    settings += [{"embedder": embedder}] if embedder is not None else []
    settings += [{"classifier": {"orphan": image_classifier}}] if image_classifier is not None else []
    options = merge_settings(settings, complete=complete)
    # on a laptop it stands in for the AutoGluon container
    parameters = {} if containers else {"AutoGluonImage": str(find_models_python() or "")}
    with interruptible(), Engine(lake.uri, lake.catalog_uri, parameters, containers=containers) as engine:
        ended = []
        for upload in found:
            request = {"upload_uri": upload.uri, "experiment_id": upload.experiment_id, "options": options}
            ended.append(execute(engine, lake.folder, upload, request, begun))
            tell(ended[-1], engine.logs, as_json=as_json)
            begun = time.monotonic()
    if open_report and ended[-1].report:
        click.launch(ended[-1].report)
    if not all(one.good for one in ended):
        sys.exit(1)
