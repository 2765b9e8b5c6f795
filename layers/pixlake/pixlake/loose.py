"""The events of loose images: objects that were put below `images/<experiment_id>/` of the uploads bucket, or deleted.

They come at least once and in any order. Of those of one key the one with the greatest sequencer counts. EventBridge
does not encode keys, unlike S3's older notifications, so a key is taken as it is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from pixlake.errors import BadRequest
from pixlake.lake import check_identifier

_KEY = re.compile(r"images/([^/]+)/(.+)", re.DOTALL)


@dataclass(frozen=True)
class Change:
    """What an event says of one key. `path` is the key below its experiment's folder, empty for that folder's and other
    folders' own objects; `version` is None in a bucket without versions; `sequencer` is S3's, in hex."""

    bucket: str
    key: str
    experiment_id: str
    path: str
    deleted: bool
    time: datetime
    sequencer: str
    version: str | None

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def rank(self) -> str:
        """Greater for a later event of the same key. As S3 has it, the shorter sequencer is padded on its right with
        zeros: they change nothing, so none is as good."""
        return self.sequencer.lower().rstrip("0")


class _Bucket(msgspec.Struct, frozen=True):
    name: str


class _Object(msgspec.Struct, frozen=True, rename={"version_id": "version-id"}):
    key: str
    sequencer: str = ""
    version_id: str | None = None


class _Detail(msgspec.Struct, frozen=True, rename={"deletion_type": "deletion-type"}):
    bucket: _Bucket
    object: _Object
    deletion_type: str = ""


class _Event(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    """The fields that are read of EventBridge's events "Object Created" and "Object Deleted"."""

    detail_type: str
    time: datetime
    detail: _Detail


def read_change(body: str) -> Change:
    """The event in a message; BadRequest where it is another, or names no experiment."""
    try:
        event = msgspec.json.decode(body, type=_Event)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadRequest(f"the message is no event of S3: {error}") from error
    key, version = event.detail.object.key, event.detail.object.version_id
    found = _KEY.fullmatch(key)
    if not found:
        raise BadRequest(f"{key!r} is no loose image: put it under images/<experiment_id>/")
    version = None if version == "null" else version
    return Change(
        bucket=event.detail.bucket.name,
        key=key,
        experiment_id=check_identifier("experiment_id", found[1]),
        path="" if key.endswith("/") or _is_no_change(event.detail, version) else found[2],
        deleted=event.detail_type == "Object Deleted",
        time=event.time,
        sequencer=event.detail.object.sequencer,
        version=version,
    )


def _is_no_change(detail: _Detail, version: str | None) -> bool:
    """Whether an older version, or the mark of a deletion, was removed: what is newest counts, and it had its event."""
    return detail.deletion_type == "Permanently Deleted" and version is not None


def newest(changes: Iterable[Change]) -> list[Change]:
    """Of each key the last change, sorted by key."""
    last: dict[tuple[str, str], Change] = {}
    for change in changes:
        known = last.get((change.bucket, change.key))
        if known is None or (known.rank, known.time) < (change.rank, change.time):
            last[change.bucket, change.key] = change
    return [last[place] for place in sorted(last)]
