"""Lists an upload: a zip, a folder, a listing of loose objects, what events gathered, or one object.

Each source yields the same entries; `contents` reads them. The objects of a folder and a listing stay in place until
`extract` copies them.
"""

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Protocol

from pixlake import storage
from pixlake.errors import AccessDenied, BadRequest, MissingObject, StorageError
from pixlake.formats import IMAGE_EXTENSIONS, TABLE_EXTENSIONS, extension
from pixlake.lake import GATHERED_END, is_gathered
from pixlake.storage import ANY, ObjectInfo, Version
from pixlake.zips.directory import find_directory, read_entries
from pixlake.zips.entries import Entry, rejected
from pixlake.zips.listings import GatheredListing, Listing
from pixlake.zips.objects import object_entry
from pixlake.zips.original import original_of

_LISTING_END = ".listing.jsonl"


class Source(Protocol):
    """An upload that can be listed. `modified`, in UTC, is known after all entries. `version` is a zip's; the other
    sources are many objects, or one that is read at once."""

    modified: datetime
    version: Version

    def entries(self) -> Iterator[Entry]: ...


def open_source(uri: str, version_id: str | None = None) -> Source:
    """The source for an upload's URI: a folder by its last slash, a listing or one object by its ending, else a zip."""
    if not _is_zip(uri):
        if version_id is not None:
            raise BadRequest(f"{uri} is no zip: leave out upload_version, which says what zip is read")
        return _open_loose(uri)
    return _Zip(uri, version_id)


def _is_zip(uri: str) -> bool:
    return (
        not uri.endswith(("/", _LISTING_END, GATHERED_END))
        and extension(uri) not in IMAGE_EXTENSIONS | TABLE_EXTENSIONS
    )


def _open_loose(uri: str) -> Source:
    if uri.endswith("/"):
        return _Folder(uri)
    if uri.endswith(_LISTING_END):
        return Listing(uri)
    if is_gathered(uri):
        return GatheredListing(uri)
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
        yield object_entry(self._info.uri.rpartition("/")[2], self._info)


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
        return object_entry(path, info)
