"""The `pixlake.json` of an upload: the one that it has, and the one that a command sends in its place.

Options that a command is given travel in the upload: they hold for whoever reads it, and an interrupted upload with
other ones is of other bytes.
"""

from collections.abc import Iterator
from zipfile import ZipFile, ZipInfo

import msgspec

from pixlake.messages import Options
from pixlake.settings import PlanSettings
from pixlake.zips.directory import end_records, find_directory, read_headers
from pixlake.zips.entries import Entry
from pixlake.zips.headers import CENTRAL_BYTES, CentralHeader
from pixlake.zips.inventory import open_inventory
from pixlake.zips.names import OPTIONS_NAME
from pixlake.zips.original import open_original
from pixlake.zips.outputs import read_options
from pixlake.zips.sources import open_source


def find_options(uri: str, version: str | None = None) -> tuple[Options, Entry | None]:
    """What the upload's own `pixlake.json` says, and where it is; BadUpload where it cannot be read."""
    source = open_source(uri, version)
    with open_inventory() as inventory:
        inventory.fill(source.entries(), PlanSettings(""))
        entry = inventory.options()
        return read_options(uri, entry, source.version), entry


def encode_options(options: Options) -> bytes:
    """As a `pixlake.json` that a person reads."""
    told = {name: value for name, value in msgspec.to_builtins(options).items() if value != {}}
    return msgspec.json.format(msgspec.json.encode(told))


def options_member() -> ZipInfo:
    """Without a time, so that the same options make the same bytes."""
    member = ZipInfo(OPTIONS_NAME)
    member.external_attr = 0o100644 << 16
    return member


def with_options(uri: str, chunks: Iterator[bytes], data: bytes, replaced: Entry | None) -> Iterator[bytes]:
    """The zip at `uri`, whose bytes are `chunks`, with `data` as its `pixlake.json` in place of the one `replaced`.

    The other members stay where they are, and a new directory names them as the old one did; no directory names the
    file that was replaced.
    """
    directory = find_directory(open_original(uri))
    yield from _start(chunks, directory.offset)
    sink = Sink(directory.offset)
    with ZipFile(sink, "w") as archive:
        archive.writestr(options_member(), data)
        yield sink.take()
        offset = sink.tell()
    ended = sink.take()
    header = ended[: CENTRAL_BYTES + CentralHeader.unpack(ended[:CENTRAL_BYTES]).variable_length]
    size, count = len(header), 1
    for entry, named in read_headers(directory):
        if replaced is None or entry.offset != replaced.offset:
            size, count = size + len(named), count + 1
            yield named
    yield header + end_records(offset, size, count)


def _start(chunks: Iterator[bytes], length: int) -> Iterator[bytes]:
    """The first bytes; the others are read, too, for the file is known to be unchanged at its end."""
    for chunk in chunks:
        yield chunk[:length]
        length = max(0, length - len(chunk))


class Sink:
    """Takes what ZipFile writes, the first byte at `position`; it has no place to go back to."""

    def __init__(self, position: int = 0) -> None:
        self.data = bytearray()
        self._position = position

    def write(self, data: bytes, /) -> int:
        self.data += data
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def take(self) -> bytes:
        taken, self.data = self.data, bytearray()
        return bytes(taken)
