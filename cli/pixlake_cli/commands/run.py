"""`pixlake run`: the whole main job on one machine, without an account and without a container engine."""

import sys
import time
from pathlib import Path
from typing import Any

import click

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake.lake import check_identifier, stored_uri
from pixlake.settings import Device
from pixlake_cli.devices import device_option
from pixlake_cli.engine.inputs import Upload, find_uploads
from pixlake_cli.engine.provision import put_models
from pixlake_cli.engine.root import ROOT
from pixlake_cli.lakes import lake_option
from pixlake_cli.overrides import complete_option, merge_settings, settings_option
from pixlake_cli.running import check_device, execute, interruptible, make_engine, tell


@click.command()
@click.argument("uploads", metavar="[UPLOAD]...", nargs=-1, type=click.Path(exists=True, path_type=Path))
@lake_option
@click.option("--from-lake", is_flag=True, help="Take no UPLOAD, but the images that --experiment has in the lake.")
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
@device_option
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object a run on standard output.")
@click.option("--open", "open_report", is_flag=True, help="Open the report in a browser.")
def run(
    uploads: tuple[Path, ...],
    lake: Lake,
    from_lake: bool,
    experiment: str | None,
    embedder: str | None,
    image_classifier: str | None,
    complete: bool,
    settings: list[dict[str, Any]],
    containers: bool,
    device: Device,
    as_json: bool,
    open_report: bool,
) -> None:
    """Put UPLOAD through the whole state machine, into the tables of a lake on this machine.

    UPLOAD is a zip or a folder of images, with or without a table (CSV, TSV, Excel, JSON, Parquet) and a pixlake.json;
    or image files, which together make one upload. Several zips or folders run one after another.

    --from-lake embeds the images of an experiment with another --embedder, and classifies those without a record with
    another --image-classifier. The new vectors stand beside those of other models, of which a search asks one; a new
    prediction replaces the older one. Rows have the time of the image's own upload. What a model has answered is left
    out, so the same command again goes on, or changes nothing. In a stack the state machine does it, with the input
    {"from_lake": "EXPERIMENT", "options": {"embedder": "NAME"}}.

    \b
    pixlake run samples/emoji.zip --lake my-lake
    pixlake run holiday/*.jpg --experiment holiday --lake my-lake
    pixlake run --from-lake --experiment holiday --embedder clip-vit-b32 --lake my-lake
    """
    begun = time.monotonic()
    if lake.folder is None:
        raise BadRequest(f"{lake.uri}: `pixlake run` works on a folder; for a bucket, upload to the stack instead")
    lake.require_not_moved()
    check_device(device, containers=containers)
    if not uploads and not from_lake:
        raise click.UsageError("Missing argument 'UPLOAD...'.")
    if from_lake:
        found = [_stored(lake, experiment, asked=bool(uploads))]
    else:
        found = find_uploads(uploads, lake.folder, experiment)
    put_models(ROOT / "bundles", lake.folder)
    click.echo(f"Starting, on lake {lake.folder}", err=True)
    settings += [{"embedder": embedder}] if embedder is not None else []
    settings += [{"classifier": {"orphan": image_classifier}}] if image_classifier is not None else []
    options = merge_settings(settings, complete=complete)
    with interruptible(), make_engine(lake, containers=containers, device=device) as engine:
        ended = []
        for upload in found:
            named = {"upload_uri": upload.uri, "experiment_id": upload.experiment_id}
            request = ({"from_lake": upload.experiment_id} if from_lake else named) | {"options": options}
            ended.append(execute(engine, lake.folder, upload, request, begun))
            tell(ended[-1], engine.logs, as_json=as_json)
            begun = time.monotonic()
    if open_report and ended[-1].report:
        click.launch(ended[-1].report)
    if not all(one.good for one in ended):
        sys.exit(1)


def _stored(lake: Lake, experiment: str | None, *, asked: bool) -> Upload:
    """The images of an experiment in place of an upload."""
    if asked or experiment is None:
        raise BadRequest("--from-lake takes no UPLOAD, and needs --experiment ID")
    check_identifier("experiment", experiment)
    return Upload(stored_uri(lake.existing().uri, experiment), experiment, "The images of the lake")
