"""`pixlake upload`: an upload checked, sent, and followed until its execution ends."""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import msgspec

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake_cli.lakes import lake_if_any, region_option
from pixlake_cli.overrides import complete_option, merge_settings, settings_option

if TYPE_CHECKING:
    from pixlake.messages import Options
    from pixlake_cli.executions import Status
    from pixlake_cli.packing import Packed
    from pixlake_cli.sending import Delivery
    from pixlake_cli.stacks import Client, Stack

_REFUSED = 2


class _Place(NamedTuple):
    """Where an upload is sent, and the stack whose execution it starts there."""

    client: "Client"
    stack: "Stack | None"
    bucket: str


@click.command()
@click.argument("uploads", metavar="UPLOAD...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--stack", metavar="NAME", help="Send it to this stack, and follow its execution.")
@click.option("--bucket", metavar="NAME", help="Send it to this bucket, and follow nothing.")
@lake_if_any
@region_option
@click.option("--experiment", metavar="ID", help="The name of the data set. Default: the upload's file name.")
@complete_option
@settings_option
@click.option("--dry-run", is_flag=True, help="Check it and say what would be sent.")
@click.option("--no-wait", is_flag=True, help="End when the object is complete.")
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on standard output.")
@click.pass_context
def upload(
    context: click.Context,
    uploads: tuple[Path, ...],
    stack: str | None,
    bucket: str | None,
    lake: Lake | None,
    region: str | None,
    experiment: str | None,
    complete: bool,
    settings: list[dict[str, Any]],
    dry_run: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Check UPLOAD, send it to a stack, and follow its execution until it ends.

    UPLOAD is what `pixlake run` takes: a zip, a folder, or image files. It is checked as by `pixlake check`; what would
    be refused is not sent, and rejects are listed and sent. A folder, or image files, become a zip on the way to S3,
    without a copy on disk: uploads/EXPERIMENT/NAME.zip.

    Parts go up several at once. Interrupted in any way, the same command again sends only the parts that are missing;
    each is compared with what S3 has by its SHA-256, and so is the whole at the end. Where a file has changed, the
    upload begins anew. It is checked again before: parts do not say which files they are of. What is complete, of files
    of the same sizes and times, is neither checked nor sent again, but followed. Ctrl-C while it is followed stops
    nothing: `pixlake status --stack NAME --follow` goes on.

    --complete and --set go up as the zip's pixlake.json, over what its own says.

    With --lake DIR it is checked and then put through the state machine on this machine, as by `pixlake run`.

    Exits with 0 where the execution succeeded, 1 where it failed, and 2 where the upload is refused.

    \b
      pixlake upload holiday/ --stack pixlake
      pixlake upload holiday/ --stack pixlake --complete --set embedder=clip-vit-b32
      pixlake upload holiday.zip --bucket my-uploads --experiment holiday --dry-run
    """
    from pixlake.messages import Options, parse
    from pixlake_cli.checking import check_upload
    from pixlake_cli.commands.run import run
    from pixlake_cli.progressbar import counting
    from pixlake_cli.stacks import make_client, open_stack
    from pixlake_cli.verdicts import as_text

    named = [each for each in (stack, bucket) if each is not None]
    if len(named) > 1 or not (named or lake):
        raise BadRequest("name one place for the upload: --stack NAME, --bucket NAME or --lake DIR")
    # before the images are looked at, which takes its time
    client = make_client(region) if named else None
    opened = open_stack(stack, client) if stack and client else None
    options = parse(merge_settings(settings, complete=complete), Options)
    place = _Place(client, opened, opened.uploads if opened else bucket or "") if client else None
    if place and not dry_run and (there := _find_there(uploads, place, experiment, options)):
        delivered: dict[str, Any] = {}
        _end(delivered, as_json, 0 if _finish(place, there, delivered, no_wait=no_wait) else 1)
    with counting("Checking", "images") as tell:
        checked = check_upload(uploads, None if named else _with_models(lake), experiment, options, tell)
    click.echo(as_text(checked), err=True)
    result: dict[str, Any] = {"upload": checked.upload, "experiment": checked.experiment}
    result["checked"] = msgspec.to_builtins(checked)
    if checked.refused:
        _end(result, as_json, _REFUSED)
    if place is None:
        if lake is not None and not dry_run:
            context.invoke(
                run,
                uploads=uploads,
                lake=lake,
                experiment=experiment,
                complete=complete,
                settings=settings,
                as_json=as_json,
            )
        return
    ended = _send(uploads, place, experiment, options, dry_run=dry_run, no_wait=no_wait, result=result)
    _end(result, as_json, 0 if ended else 1)


def _with_models(lake: Lake | None) -> Lake | None:
    """A new lake gets the models that come with Pixlake when it is first run on; a check without a lake knows these."""
    new = lake is not None and lake.folder is not None and not (lake.folder / "models").is_dir()
    return None if new else lake


def _end(result: dict[str, Any], as_json: bool, code: int) -> None:
    if as_json:
        click.echo(json.dumps(result, indent=1))
    sys.exit(code)


def _send(
    uploads: tuple[Path, ...],
    place: "_Place",
    experiment: str | None,
    options: "Options",
    *,
    dry_run: bool,
    no_wait: bool,
    result: dict[str, Any],
) -> bool:
    """Whether all went well; what came of it is put into `result`."""
    from pixlake_cli.sending import deliver, key_of, with_packed

    try:
        with with_packed(uploads, experiment, options) as (one, packed):
            key = key_of(one, packed)
            result["uri"] = f"s3://{place.bucket}/{key}"
            if dry_run:
                click.echo(f"Would send {_describe(packed)} to {result['uri']}", err=True)
                return True
            click.echo(f"{_describe(packed)} to {result['uri']}", err=True)
            delivery = deliver(packed, place.bucket, key, place.client)
    except KeyboardInterrupt:
        click.echo("Stopped. What was sent is kept: the same command again sends the rest.", err=True)
        sys.stderr.flush()
        # an orderly end would wait for the answers of a network that may be gone
        os._exit(130)
    return _finish(place, delivery, result, no_wait=no_wait)


def _find_there(
    uploads: tuple[Path, ...], place: "_Place", experiment: str | None, options: "Options"
) -> "Delivery | None":
    """The upload, where it is complete and of the same files and options: it was checked before it was sent."""
    from pixlake.errors import BadInput
    from pixlake_cli.sending import find_delivered, key_of, with_packed

    # what cannot be packed the check tells of
    with suppress(BadInput), with_packed(uploads, experiment, options) as (one, packed):
        return find_delivered(packed, place.bucket, key_of(one, packed), place.client)
    return None


def _finish(place: "_Place", delivery: "Delivery", result: dict[str, Any], *, no_wait: bool) -> bool:
    """Say what is in the bucket, and follow its execution where it has one."""
    result |= msgspec.to_builtins(delivery.sent) | {"there_already": delivery.there}
    click.echo(_delivered(delivery), err=True)
    if place.stack is None or no_wait:
        return True
    return _follow(place.stack, delivery, result)


def _follow(stack: "Stack", delivery: "Delivery", result: dict[str, Any]) -> bool:
    from pixlake_cli.executions import SUCCEEDED
    from pixlake_cli.following import follow
    from pixlake_cli.sending import await_execution
    from pixlake_cli.stackstatus import look_at
    from pixlake_cli.statuses import as_object, as_text

    again = f"pixlake status --stack {stack.name} --follow"
    try:
        name = await_execution(stack, delivery)
        click.echo(f"Execution {name}", err=True)
        status: Status = follow(lambda: look_at(stack, name))
    except KeyboardInterrupt:
        click.echo(f"Stopped following; the execution goes on. Follow it by {again}", err=True)
        sys.exit(130)
    click.echo(as_text(status), err=True)
    result["execution"] = as_object(status)
    return status.execution.status == SUCCEEDED


def _describe(packed: "Packed") -> str:
    left_out = f", {packed.left_out:,} left out, which no zip can hold" if packed.left_out else ""
    files = "" if packed.as_it_is else f"{len(packed.files):,} files, "
    return f"{files}{packed.bound / (1 << 20):,.1f} MiB{left_out}"


def _delivered(delivery: "Delivery") -> str:
    sent = delivery.sent
    if delivery.there:
        return f"{sent.uri} is there already, of the same files"
    kept = sent.size - sent.sent
    resumed = f", {kept / (1 << 20):,.1f} MiB of it before" if kept else ""
    anew = "The upload has changed since it was interrupted, and was sent anew. " if sent.anew else ""
    return f"{anew}Sent {sent.size / (1 << 20):,.1f} MiB in {sent.parts:,} parts{resumed}; SHA-256 {sent.checksum}"
