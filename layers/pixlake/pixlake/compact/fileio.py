"""pyiceberg's files, by the URIs of this lake: plain text, where `#`, `?` and `%` are characters of a folder's name.

On a laptop a file is on disk before a table names it, so that a power cut leaves the table at its old or its new
snapshot, too. On S3 an answered write is durable.
"""

import io
import os
from pathlib import Path

from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO
from pyiceberg.typedef import EMPTY_DICT, Properties

IMPLEMENTATION = "pixlake.compact.fileio.LakeFileIO"
"""The value of the catalog property `py-io-impl`."""


class LakeFileIO(PyArrowFileIO):
    """Reads and writes through pyarrow's file systems."""

    @staticmethod
    def parse_location(location: str, properties: Properties = EMPTY_DICT) -> tuple[str, str, str]:  # noqa: ARG004
        """Scheme, bucket and path of a URI; a path without a scheme is a local file."""
        scheme, separator, rest = location.partition("://")
        if not separator:
            return "file", "", str(Path(location).absolute())
        return scheme, rest.partition("/")[0], rest

    def new_output(self, location: str) -> PyArrowFile:
        scheme, netloc, path = self.parse_location(location, self.properties)
        if scheme != "file":
            return super().new_output(location)
        return _LocalFile(fs=self.fs_by_scheme(scheme, netloc), location=location, path=path)


class _LocalFile(PyArrowFile):
    def create(self, overwrite: bool = False) -> "_Durable":
        path = Path(self._path)
        path.parent.mkdir(parents=True, exist_ok=True)
        return _Durable(io.FileIO(path, "w" if overwrite else "x"))


class _Durable(io.BufferedWriter):
    def close(self) -> None:
        if not self.closed:
            self.flush()
            os.fsync(self.fileno())
        super().close()
