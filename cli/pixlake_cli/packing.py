"""An upload as one stream of bytes: a zip as it is, a folder or image files as a zip that is made on the way.

The same files make the same bytes, so that an interrupted upload goes on: they stand in the order of the listing, with
one time for all, and what is in compressed formats is stored.
"""

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from pixlake import storage
from pixlake.errors import ChangedObject
from pixlake.formats import extension
from pixlake.messages import Options
from pixlake.options import lay_options
from pixlake.settings import PlanSettings
from pixlake.zips.entries import Entry
from pixlake.zips.sources import open_source
from pixlake_cli.engine.inputs import Upload
from pixlake_cli.ownoptions import Sink, encode_options, find_options, options_member, with_options

NO_OPTIONS = Options()
_CHUNK = 1 << 20
_COMPRESSED = frozenset(
    {
        *("jpg", "jpeg", "jpe", "jfif", "jp2", "png", "gif", "webp", "avif", "heic"),
        *("zip", "gz", "parquet", "xlsx", "xlsm", "mp4", "mov", "pdf"),
    }
)
_FAST = 1
_TRIED = 32 << 20
"""Bytes of a file that is deflated: before it is written it is known that Plan takes it for no bomb."""
_RECORDS = 256
"""Bytes that a member has in a zip at most, besides its data and twice its name."""


Stamp = tuple[int, int]
"""A file's size, and its time in nanoseconds."""


class File(NamedTuple):
    """A file of this machine, at its path in the upload."""

    name: str
    path: Path
    stamp: Stamp


@dataclass(frozen=True)
class Packed:
    """`name` is the object's; `files` are those of the zip, or the one that is sent as it is; `bound` is the most bytes
    that the stream has. `options`, if any, are sent as its `pixlake.json` in place of its own, of which a zip has the
    one `replaced`. `left_out` counts links, and names that no zip can hold."""

    name: str
    files: list[File]
    bound: int
    as_it_is: bool = False
    left_out: int = 0
    options: bytes = b""
    replaced: Entry | None = None

    @property
    def fingerprint(self) -> str:
        """Tells whether the files are the same, by their paths, sizes and times, and the options."""
        digest = hashlib.sha256(self.options)
        for file in self.files:
            digest.update("\0".join([file.name, *map(str, file.stamp), "\n"]).encode())
        return digest.hexdigest()

    def chunks(self) -> Iterator[bytes]:
        """The bytes; ChangedObject where a file is no longer the one that was listed."""
        if not self.as_it_is:
            return _zip(self.files, self.options)
        (file,) = self.files
        if not self.options:
            return _read(file)
        return with_options(f"file://{file.path}", _read(file), self.options, self.replaced)


def pack(upload: Upload, asked: Options = NO_OPTIONS) -> Packed:
    """List what is to be sent, with what is asked over the options that the upload has."""
    options, replaced = b"", None
    if asked != NO_OPTIONS:
        own, replaced = find_options(upload.uri)
        options = encode_options(lay_options(asked, own))
    more = len(options) + _RECORDS if options else 0
    if not upload.uri.endswith(("/", ".listing.jsonl")):
        file = _file("", upload.uri)
        name = f"{file.path.stem}.zip"
        return Packed(name, [file], file.stamp[0] + more, as_it_is=True, options=options, replaced=replaced)
    found = list(open_source(upload.uri).entries())
    kept = [entry for entry in found if entry.source_uri and not (replaced and entry.path == replaced.path)]
    files = [_file(entry.path, entry.source_uri) for entry in kept]
    bound = sum(file.stamp[0] + 2 * len(file.name.encode()) + _RECORDS for file in files) + _RECORDS + more
    left_out = sum(1 for entry in found if entry.reason and not entry.source_uri)
    name = upload.uri.rstrip("/").rpartition("/")[2].removesuffix(".listing.jsonl")
    return Packed(f"{name}.zip", files, bound, left_out=left_out, options=options)


def _file(name: str, uri: str) -> File:
    path = storage.local_path(uri)
    assert path is not None, "uploads are files of this machine"
    return File(name, path, _stamp(path))


def _zip(files: list[File], options: bytes) -> Iterator[bytes]:
    sink = Sink()
    with ZipFile(sink, "w", ZIP_STORED) as archive:
        if options:
            archive.writestr(options_member(), options)
        for file in files:
            member = ZipInfo(file.name)
            member.file_size, member.external_attr = file.stamp[0], 0o100644 << 16
            if file.stamp[0] <= _TRIED:
                data = b"".join(_read(file))
                archive.writestr(member, data, _method(file.name, data), _FAST)
            else:
                with archive.open(member, "w") as target:
                    for chunk in _read(file):
                        target.write(chunk)
                        yield sink.take()
            if len(sink.data) >= _CHUNK:
                yield sink.take()
    yield sink.take()


def _method(path: str, data: bytes) -> int:
    """Deflated where that gains, but for what inflates so much that Plan would take it for a bomb."""
    if extension(path) in _COMPRESSED or not data:
        return ZIP_STORED
    gained = len(data) / len(zlib.compress(data, _FAST, -zlib.MAX_WBITS))
    return ZIP_DEFLATED if 1 < gained < PlanSettings("").max_ratio / 2 else ZIP_STORED


def _read(file: File) -> Iterator[bytes]:
    """The bytes of a file that is as it was listed, before and after."""
    count, size = 0, file.stamp[0]
    with file.path.open("rb", buffering=0) as source:
        while chunk := source.read(_CHUNK):
            count += len(chunk)
            yield chunk
    if count != size or _stamp(file.path) != file.stamp:
        raise ChangedObject(str(file.path))


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
