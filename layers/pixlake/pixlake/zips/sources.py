"""Lists an upload: a zip, a folder, a listing of loose objects, or one object.

Each source yields the same entries; `contents` reads them. The objects of a folder and a listing stay in place until
`extract` copies them.
"""

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import islice
from typing import Protocol

import msgspec

from pixlake import storage
from pixlake.errors import AccessDenied, BadInput, BadRequest, BadUpload, MissingObject, StorageError
from pixlake.formats import IMAGE_EXTENSIONS, TABLE_EXTENSIONS, extension
from pixlake.storage import ANY, ObjectInfo, Version
from pixlake.zips import names
from pixlake.zips.directory import find_directory, read_entries
from pixlake.zips.entries import Entry, Kind, rejected, unread
from pixlake.zips.original import original_of

_LISTING_END = ".listing.jsonl"
_LOOKUPS_IN_FLIGHT = 64
_MAX_LINE_BYTES = 64 << 10


class Source(Protocol):
    """An upload that can be listed. `modified`, in UTC, is known after all entries. `version` is a zip's; the other
    sources are many objects, or one that is read at once."""

    modified: datetime
    version: Version

    def entries(self) -> Iterator[Entry]: ...


class Listed(msgspec.Struct, frozen=True):
    """One line of a listing: an object, and the path in the upload that it stands for."""

    path: str
    uri: str


def open_source(uri: str, version_id: str | None = None) -> Source:
    """The source for an upload's URI: a folder by its last slash, a listing or one object by its ending, else a zip."""
    if not _is_zip(uri):
        if version_id is not None:
            raise BadRequest(f"{uri} is no zip: leave out upload_version, which says what zip is read")
        return _open_loose(uri)
    return _Zip(uri, version_id)


def _is_zip(uri: str) -> bool:
    return not uri.endswith(("/", _LISTING_END)) and extension(uri) not in IMAGE_EXTENSIONS | TABLE_EXTENSIONS


def _open_loose(uri: str) -> Source:
    if uri.endswith("/"):
        return _Folder(uri)
    if uri.endswith(_LISTING_END):
        return _Listing(uri)
    return _SingleObject(uri)


class _Zip:
    def __init__(self, uri: str, version_id: str | None) -> None:
        info = storage.head(uri, version_id)
        self._original = original_of(info)
        self.modified, self.version = info.last_modified, info.version

    def entries(self) -> Iterator[Entry]:
        return read_entries(find_directory(self._original))


class _SingleObject:
    version = ANY

    def __init__(self, uri: str) -> None:
        self._info = storage.head(uri)
        self.modified = self._info.last_modified

    def entries(self) -> Iterator[Entry]:
        yield _entry(self._info.uri.rpartition("/")[2], self._info)


class _Folder:
    version = ANY

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self.modified = datetime.min.replace(tzinfo=UTC)

    def entries(self) -> Iterator[Entry]:
        root = storage.local_path(self._uri)
        if root is None:
            for info in storage.list_objects(self._uri):
                yield self._seen(info.uri.removeprefix(self._uri), info)
            return
        try:
            yield from self._walk(str(root))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise MissingObject(f"{self._uri}: {error}") from error
        except PermissionError as error:
            raise AccessDenied(f"{self._uri}: {error}") from error
        except OSError as error:
            raise StorageError(f"{self._uri}: {error}") from error

    def _walk(self, root: str) -> Iterator[Entry]:
        """In the order of the names. Not by the store's listing, which would follow links elsewhere."""
        pending = [(root, "")]
        while pending:
            folder, below = pending.pop()
            with os.scandir(folder) as found:
                children = sorted(found, key=lambda child: child.name)
            for child in children:
                if not child.is_dir(follow_symlinks=False):
                    yield self._file(child, f"{below}{child.name}")
                elif not child.name.startswith("."):
                    pending.append((child.path, f"{below}{child.name}/"))

    def _file(self, child: os.DirEntry[str], path: str) -> Entry:
        try:
            path.encode()
        except UnicodeEncodeError:
            shown = os.fsencode(path).decode(errors="backslashreplace")
            return rejected(shown, "undecodable_name", "the file's name is not UTF-8")
        status = child.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            return rejected(path, "symlink", "a symbolic link, which may lead anywhere, is not followed")
        if not stat.S_ISREG(status.st_mode):
            return rejected(path, "special_file", "no regular file")
        modified = datetime.fromtimestamp(status.st_mtime_ns / 1e9, UTC)
        return self._seen(path, ObjectInfo(f"file://{child.path}", status.st_size, modified, str(status.st_mtime_ns)))

    def _seen(self, path: str, info: ObjectInfo) -> Entry:
        self.modified = max(self.modified, info.last_modified)
        return _entry(path, info)


class _Listing:
    version = ANY

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self.modified = datetime.min.replace(tzinfo=UTC)

    def entries(self) -> Iterator[Entry]:
        with ThreadPoolExecutor(_LOOKUPS_IN_FLIGHT) as pool:
            lines = enumerate(_lines(self._uri), 1)
            while block := [self._parse(number, line) for number, line in islice(lines, 1_000)]:
                for listed, info in zip(block, pool.map(_look_up, block), strict=True):
                    yield self._entry(listed, info)

    def _parse(self, number: int, line: bytes) -> Listed:
        try:
            return msgspec.json.decode(line, type=Listed)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadUpload("bad_listing", f"{self._uri}:{number}: {error}") from error

    def _entry(self, listed: Listed, info: ObjectInfo | BadInput) -> Entry:
        if isinstance(info, BadInput):
            reason = "access_denied" if isinstance(info, AccessDenied) else "missing_object"
            return rejected(_printable(listed.path), reason, str(info))
        self.modified = max(self.modified, info.last_modified)
        return _entry(listed.path, info)


def _look_up(listed: Listed) -> ObjectInfo | BadInput:
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


def _printable(name: str) -> str:
    """`name` with unprintable characters escaped."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in name)


def _entry(name: str, info: ObjectInfo) -> Entry:
    """The entry of an object, by its name. Unlike in a zip, an unsafe name is no attack, and only that object is left
    out."""
    try:
        path = names.clean_path(name)
    except BadUpload as error:
        return rejected(_printable(name), error.reason, str(error).removeprefix(f"{error.reason}: "))
    if not path:
        return Entry(path, Kind.IGNORED)
    kind = names.classify(path)
    if kind is Kind.IGNORED:
        return unread(path, kind)
    if kind is Kind.REJECTED:
        return unread(path, kind)._replace(source_uri=info.uri)
    tag = info.etag or info.last_modified.isoformat()
    return Entry(path, kind, info.size, info.size, source_uri=info.uri, tag=tag)
