"""pyiceberg's files through `pixlake.storage`, so that tables and other objects are reached in one way.

URIs are plain text, where `#`, `?` and `%` are characters of a name. On a laptop a file is on disk before a table names
it, so that a power cut, too, leaves the table at its old or its new snapshot. On S3 an answered write is durable.
"""

import io
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import obstore
import pyarrow as pa
from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from pixlake import storage
from pixlake.errors import AccessDenied, BadRequest, MissingObject, StorageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

IMPLEMENTATION = "pixlake.iceberg.fileio.LakeFileIO"
"""The value of the catalog property `py-io-impl`."""
_SMALL = 8 << 20  # one request for all is faster than one for each column


LAKE = "pixlake.lake"
"""The catalog property that names the lake whose files alone are reached; empty for none."""


@retry(
    retry=retry_if_exception_type(StorageError),
    wait=wait_random_exponential(multiplier=0.1, max=2),
    stop=stop_after_attempt(4),
    reraise=True,
)
def delete_files(uris: Sequence[str]) -> None:
    """Delete objects; missing ones are no error. S3's client repeats no such request when its connection breaks, and
    pyiceberg goes on without: old metadata would stay."""
    storage.delete(uris)


class LakeFileIO(FileIO):
    """Reads and writes the objects of one lake; BadRequest for any other."""

    def new_input(self, location: str) -> "LakeFile":
        return LakeFile(self._check(location))

    def new_output(self, location: str) -> "LakeFile":
        return LakeFile(self._check(location))

    def delete(self, location: str | InputFile | OutputFile) -> None:
        delete_files([self._check(location if isinstance(location, str) else location.location)])

    def _check(self, location: str) -> str:
        lake = self.properties.get(LAKE, "")
        if lake and not location.startswith(lake.rstrip("/") + "/"):
            raise BadRequest(
                f"{location} lies outside of the lake {lake}: the catalog's tables were made in another lake. A lake"
                " keeps its bucket or folder for good; give a new one a catalog, or database, of its own"
            )
        return location


class LakeFile(InputFile, OutputFile):
    """One object, to read or to write."""

    def __len__(self) -> int:
        return storage.head(self.location).size

    def exists(self) -> bool:
        try:
            storage.head(self.location)
        except (MissingObject, AccessDenied):
            # S3's answer for a missing file to Compact, which may not list the warehouse; new files have unique names
            return False
        return True

    def open(self, seekable: bool = True) -> InputStream:  # noqa: ARG002
        path = storage.local_path(self.location)
        if path is None:
            size = len(self)
            return io.BytesIO(storage.read(self.location)) if size < _SMALL else storage.Reader(self.location, size)
        try:
            file: InputStream = pa.OSFile(str(path))
        except FileNotFoundError as error:
            raise MissingObject(f"{self.location} does not exist") from error
        return file

    def create(self, overwrite: bool = False) -> OutputStream:
        path = storage.local_path(self.location)
        if path is None:
            if not overwrite and self.exists():
                raise FileExistsError(self.location)
            return _Upload(self.location)
        path.parent.mkdir(parents=True, exist_ok=True)
        return _DurableFile(io.FileIO(path, "w" if overwrite else "x"))

    def to_input_file(self) -> "LakeFile":
        return self


class _DurableFile(io.BufferedWriter):
    def close(self) -> None:
        if not self.closed:
            self.flush()
            os.fsync(self.fileno())
        super().close()


class _Upload(io.RawIOBase):
    """An object that appears when it is closed, uploaded in parts while it is written."""

    def __init__(self, uri: str) -> None:
        super().__init__()
        self._writer = obstore.open_writer(*storage.locate(uri))
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: "ReadableBuffer") -> int:
        view = memoryview(data).cast("B")
        self._writer.write(view)
        self._position += len(view)
        return len(view)

    def close(self) -> None:
        if not self.closed:
            self._writer.close()
        super().close()
