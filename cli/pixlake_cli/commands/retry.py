"""`pixlake retry`: what an execution lost, once more."""

import json
import sys
import time
from typing import TYPE_CHECKING

import click

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake.retries import read_finished
from pixlake.settings import Device
from pixlake_cli.devices import device_option
from pixlake_cli.engine.inputs import Upload
from pixlake_cli.lakes import place_option
from pixlake_cli.running import check_device, execute, interruptible, make_engine, tell

if TYPE_CHECKING:
    from pixlake_cli.stacks import Stack


@click.command()
@click.argument("execution")
@place_option
@click.option("--redrive", is_flag=True, help="Of a stack: let EXECUTION, which failed, go on where it stopped.")
@click.option("--no-wait", is_flag=True, help="Of a stack: end when it is started.")
@click.option(
    "--containers",
    is_flag=True,
    help="Run the functions in the containers that `make build` made, by `sam local start-lambda`. Needs Docker.",
)
@device_option
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on standard output.")
def retry(
    execution: str,
    lake: Lake,
    stack: "Stack | None",
    redrive: bool,
    no_wait: bool,
    containers: bool,
    device: Device,
    as_json: bool,
) -> None:
    """Run again what EXECUTION lost, and only that.

    An execution succeeds without a few of its batches; their rows are `batch_lost` in the table `rejects`. A retry
    embeds or classifies these rows, and images rejected as `too_slow` or `decoder_killed`, with the same models.
    Afterwards the tables are as if nothing had been lost: rows come in with the upload's own time, so those of newer
    uploads stay, and the rejects that hold no longer go. A second retry changes nothing.

    It takes the files of the execution, which maintenance deletes after 14 days.

    With --stack an execution of its state machine is started, and followed until it ends. What failed before it
    committed is not retried but redriven: with --redrive it goes on in the state that failed, a Map with the children
    that did not succeed.

    \b
    pixlake query "SELECT source, detail FROM rejects WHERE reason = 'batch_lost'" --lake my-lake
    pixlake retry 20261121T101112-pets-1a2b --lake my-lake
    pixlake retry 0a1b2c3d-pets --stack pixlake --redrive
    """
    begun = time.monotonic()
    if stack is not None:
        _on_stack(execution, stack, redrive=redrive, no_wait=no_wait, as_json=as_json)
        return
    if redrive:
        raise BadRequest("--redrive is Step Functions': name a --stack. On a laptop run the upload again instead")
    if lake.folder is None:
        raise BadRequest(f"{lake.uri}: `pixlake retry` works on a folder, or on a stack: name it with --stack")
    lake.require_not_moved()
    check_device(device, containers=containers)
    run = read_finished(lake.uri, execution).request.run
    with interruptible(), make_engine(lake, containers=containers, device=device) as engine:
        again = Upload(run.upload_uri, run.experiment_id, f"What {execution} lost")
        ended = execute(engine, lake.folder, again, {"retry": execution}, begun)
        tell(ended, engine.logs, as_json=as_json)
    if not ended.good:
        sys.exit(1)


def _on_stack(execution: str, stack: "Stack", *, redrive: bool, no_wait: bool, as_json: bool) -> None:
    from pixlake_cli.executions import SUCCEEDED
    from pixlake_cli.following import follow
    from pixlake_cli.machines import redrive as go_on
    from pixlake_cli.machines import start_retry
    from pixlake_cli.stackstatus import look_at
    from pixlake_cli.statuses import as_object, as_text

    name = go_on(stack, execution) if redrive else start_retry(stack, execution)
    click.echo(f"Execution {name}", err=True)
    status = look_at(stack, name) if no_wait else follow(lambda: look_at(stack, name))
    click.echo(as_text(status), err=True)
    if as_json:
        click.echo(json.dumps(as_object(status), indent=1))
    if not no_wait and status.execution.status != SUCCEEDED:
        sys.exit(1)
