"""Lists of loose objects: those that a person wrote, and those that events of a bucket gathered.

Of an event's object the version counts that the event named. Where another is there by now, or none, an event of that
one has come or will come, and this one is passed over: so events may be late, double and in any order.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import islice
from typing import Generic, TypeVar

import msgspec

from pixlake import storage
from pixlake.errors import AccessDenied, BadInput, BadUpload, MissingObject
from pixlake.storage import ANY, ObjectInfo
from pixlake.zips.entries import Entry, Kind, rejected
from pixlake.zips.names import classify
from pixlake.zips.objects import object_entry, printable

_LOOKUPS_IN_FLIGHT = 64
_MAX_LINE_BYTES = 64 << 10
_NEVER = datetime.min.replace(tzinfo=UTC)


class Listed(msgspec.Struct, frozen=True):
    """One line of a listing: an object, and the path in the upload that it stands for."""

    path: str
    uri: str


class Gathered(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of what events gathered: `uploaded_at` is the event's time, ISO 8601, and `version` the version that it
    named, None in a bucket without versions. Without a time it is no event's: an object that is taken if it is there.
    """

    path: str
    uri: str
    uploaded_at: datetime | None = None
    version: str | None = None


LineT = TypeVar("LineT", Listed, Gathered)


class _Lines(Generic[LineT]):
    """The lines of a listing, each with its object as the store has it."""

    version = ANY
    kind: type[LineT]

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self.modified = _NEVER

    def entries(self) -> Iterator[Entry]:
        with ThreadPoolExecutor(_LOOKUPS_IN_FLIGHT) as pool:
            lines = enumerate(_lines(self._uri), 1)
            while block := [self._parse(number, line) for number, line in islice(lines, 1_000)]:
                for listed, info in zip(block, pool.map(_look_up, block), strict=True):
                    yield self._entry(listed, info)

    def _parse(self, number: int, line: bytes) -> LineT:
        try:
            return msgspec.json.decode(line, type=self.kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadUpload("bad_listing", f"{self._uri}:{number}: {error}") from error

    def _entry(self, listed: LineT, info: ObjectInfo | BadInput) -> Entry:
        if isinstance(info, BadInput):
            reason = "access_denied" if isinstance(info, AccessDenied) else "missing_object"
            return rejected(printable(listed.path), reason, str(info))
        self.modified = max(self.modified, info.last_modified)
        return object_entry(listed.path, info)


class Listing(_Lines[Listed]):
    """The objects that a person lists: one that is not there is a reject."""

    kind = Listed


class GatheredListing(_Lines[Gathered]):
    """The objects that events named. `modified` is the time of the newest table, which the records get, or else of the
    newest object: images have times of their own."""

    kind = Gathered

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self._tables = _NEVER

    def _entry(self, listed: Gathered, info: ObjectInfo | BadInput) -> Entry:
        self._see(listed)
        if isinstance(info, MissingObject) or (isinstance(info, AccessDenied) and not storage.exists(listed.uri)):
            return Entry(listed.path, Kind.IGNORED)
        if isinstance(info, BadInput):
            return super()._entry(listed, info)
        if listed.version not in (None, info.version_id):
            return Entry(listed.path, Kind.IGNORED)
        entry = object_entry(listed.path, info)
        if listed.uploaded_at is None:
            return entry
        time = listed.uploaded_at.astimezone(UTC).isoformat()
        return entry._replace(tag=f"{entry.tag} {time}", version=listed.version or "", uploaded_at=time)

    def _see(self, listed: Gathered) -> None:
        if listed.uploaded_at is None:
            return
        if classify(listed.path) is Kind.TABLE:
            self._tables = self.modified = max(self._tables, listed.uploaded_at)
        elif self._tables == _NEVER:
            self.modified = max(self.modified, listed.uploaded_at)


def _look_up(listed: Listed | Gathered) -> ObjectInfo | BadInput:
    try:
        return storage.head(listed.uri)
    except BadInput as error:
        return error


def _lines(uri: str) -> Iterator[bytes]:
    """The lines that are not blank, of an object that may be large."""
    rest = b""
    for chunk in storage.stream(uri):
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > _MAX_LINE_BYTES:
            raise BadUpload("bad_listing", f"{uri} has a line of more than {_MAX_LINE_BYTES} bytes")
        yield from (line for line in whole if line.strip())
    if rest.strip():
        yield rest
