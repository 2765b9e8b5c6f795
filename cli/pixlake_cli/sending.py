"""An upload checked, packed and sent to a bucket, and its execution found."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from pixlake.errors import BadRequest, MissingObject, PixlakeError
from pixlake.messages import Options
from pixlake_cli.engine.inputs import Upload, find_uploads
from pixlake_cli.machines import find_started
from pixlake_cli.multipart import FINGERPRINT, Sent, Target, Tell, find_object, make_client, send
from pixlake_cli.packing import NO_OPTIONS, Packed, pack
from pixlake_cli.progressbar import transferring
from pixlake_cli.stacks import Client, Stack, told

_WAIT_SECONDS, _PATIENCE = 2.0, 120.0


@dataclass(frozen=True)
class Delivery:
    """What was sent, or was there already; the execution is of `since` or later."""

    sent: Sent
    since: datetime
    there: bool = False


def key_of(upload: Upload, packed: Packed) -> str:
    """The object's key, which starts an execution."""
    return f"uploads/{upload.experiment_id}/{packed.name}"


def find_delivered(packed: Packed, bucket: str, key: str, client: Client) -> Delivery | None:
    """What is in the bucket already, complete and of the same files and options. A PixlakeError says why it cannot be
    asked for, and what to do."""
    with told(f"s3://{bucket}/{key}"):
        target = Target(make_client(client), bucket, key)
        found = find_object(target, packed.fingerprint)
        return Delivery(found, _modified(target), there=True) if found else None


def deliver(packed: Packed, bucket: str, key: str, client: Client) -> Delivery:
    """Send what of it is not in the bucket. A PixlakeError says why it cannot be, and what to do."""
    if there := find_delivered(packed, bucket, key, client):
        return there
    uri, since = f"s3://{bucket}/{key}", datetime.now(UTC)
    with transferring(packed.bound) as show, _resumable(uri, show) as tell:
        target = Target(make_client(client), bucket, key)
        return Delivery(send(target, packed.chunks, packed.bound, {FINGERPRINT: packed.fingerprint}, tell), since)


def await_execution(stack: Stack, delivery: Delivery) -> str:
    """The name of the execution that the object has started; MissingObject where there is none in two minutes."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if name := find_started(stack, delivery.sent.uri, delivery.sent.version_id, delivery.since):
            return name
        time.sleep(_WAIT_SECONDS)
    raise MissingObject(
        f"{delivery.sent.uri} is complete, and no execution has begun in {_PATIENCE:.0f} seconds: look at the alarm"
        f" Undelivered, and whether the rule of the stack {stack.name} is enabled"
    )


def _modified(target: Target) -> datetime:
    found: datetime = target.client.head_object(Bucket=target.bucket, Key=target.key)["LastModified"]
    return found.astimezone(UTC)


@contextmanager
def with_packed(
    paths: Sequence[Path], experiment: str | None, options: Options = NO_OPTIONS
) -> Iterator[tuple[Upload, Packed]]:
    """The one upload of these paths, listed, with these options over its own. A listing of image files is there for as
    long as the block lasts."""
    with TemporaryDirectory(prefix="pixlake-upload-") as folder:
        found = find_uploads(paths, Path(folder).resolve(), experiment)
        if len(found) != 1:
            raise BadRequest(f"{', '.join(one.shown for one in found)}: send one upload at a time")
        yield found[0], pack(found[0], options)


@contextmanager
def _resumable(uri: str, show: Tell) -> Iterator[Tell]:
    """An error of the block, once bytes are there, says that they are kept."""
    there = 0

    def tell(done: int) -> None:
        nonlocal there
        there = done
        show(done)

    try:
        with told(uri):
            yield tell
    except PixlakeError as error:
        if not there:
            raise
        kept = f"{there / (1 << 20):,.1f} MiB are kept, and the same command again sends the rest"
        raise type(error)(f"{error} {kept}") from error
