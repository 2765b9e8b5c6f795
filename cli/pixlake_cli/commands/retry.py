"""`pixlake retry`: what an execution lost, once more."""

import sys
import time

import click

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake.models_python import find_models_python
from pixlake.retries import read_finished
from pixlake.settings import Device
from pixlake_cli.devices import device_option
from pixlake_cli.engine.engine import Engine
from pixlake_cli.engine.inputs import Upload
from pixlake_cli.lakes import lake_option
from pixlake_cli.running import execute, interruptible, tell


@click.command()
@click.argument("execution")
@lake_option
@click.option(
    "--containers",
    is_flag=True,
    help="Run the functions in the containers that `make build` made, by `sam local start-lambda`. Needs Docker.",
)
@device_option
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on standard output.")
def retry(execution: str, lake: Lake, containers: bool, device: Device, as_json: bool) -> None:
    """Run again what EXECUTION lost, and only that.

    An execution succeeds without a few of its batches; their rows are `batch_lost` in the table `rejects`. A retry
    embeds or classifies these rows, and images rejected as `too_slow` or `decoder_killed`, with the same models.
    Afterwards the tables are as if nothing had been lost: rows come in with the upload's own time, so those of newer
    uploads stay, and the rejects that hold no longer go. A second retry changes nothing.

    It takes the files of the execution, which maintenance deletes after 14 days. For an execution on AWS, start one of
    the state machine with the input {"retry": "EXECUTION"}.

    \b
    pixlake query "SELECT source, detail FROM rejects WHERE reason = 'batch_lost'" --lake my-lake
    pixlake retry 20261121T101112-pets-1a2b --lake my-lake
    """
    begun = time.monotonic()
    if lake.folder is None:
        raise BadRequest(
            f"{lake.uri}: `pixlake retry` works on a folder; on AWS start an execution of the state machine with the"
            f' input {{"retry": "{execution}"}}'
        )
    lake.require_not_moved()
    if containers and device is not Device.CPU:
        raise click.UsageError("--containers run on the cores, as Lambda does: --device does not go with it")
    run = read_finished(lake.uri, execution).request.run
    # on a laptop it stands in for the AutoGluon container
    parameters = {} if containers else {"AutoGluonImage": str(find_models_python() or "")}
    with (
        interruptible(),
        Engine(lake.uri, lake.catalog_uri, parameters, containers=containers, device=device) as engine,
    ):
        again = Upload(run.upload_uri, run.experiment_id, f"What {execution} lost")
        ended = execute(engine, lake.folder, again, {"retry": execution}, begun)
        tell(ended, engine.logs, as_json=as_json)
    if not ended.good:
        sys.exit(1)
