"""One version of the uploaded object, which Plan and each child of Extract read at different times. A versioned bucket
gives the planned version, whatever has replaced it since. Elsewhere a replaced upload is refused, for its directory
would be read with another's members.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pixlake import storage
from pixlake.errors import BadUpload, ChangedObject
from pixlake.messages import Run
from pixlake.storage import ANY, ObjectInfo, Version


@dataclass(frozen=True)
class Original:
    """The object at `uri`, of `size` bytes in this version. Its reads raise BadUpload `changed` for another one."""

    uri: str
    size: int
    version: Version

    def read_range(self, start: int, length: int) -> bytes:
        with _refused():
            return storage.read_range(self.uri, start, length, self.version)

    def stream(self, start: int, length: int) -> Iterator[memoryview]:
        with _refused():
            yield from storage.stream(self.uri, start, length, self.version)


def open_original(uri: str, version: Version = ANY) -> Original:
    """The object in this version; by default fixed to the newest."""
    info = storage.head(uri, version.id)
    if version.etag not in (None, info.etag):
        raise _changed(uri)
    return original_of(info)


def version_of(run: Run) -> Version:
    """The version of the upload that Plan read."""
    return Version(run.upload_version, run.upload_etag)


def original_of(info: ObjectInfo) -> Original:
    return Original(info.uri, info.size, info.version)


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except ChangedObject as error:
        raise _changed(error.uri) from error


def _changed(uri: str) -> BadUpload:
    return BadUpload("changed", f"{uri} was replaced while it was read; upload it under a name of its own")
