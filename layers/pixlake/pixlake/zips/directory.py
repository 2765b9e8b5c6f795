"""A zip's central directory, read by ranged reads (PKWARE APPNOTE 6.3.10, sections 4.3 to 4.5).

The directory is the one truth about the zip. A file that can be read in two ways is refused, since one program would
check other members than another unpacks. Memory does not grow with the number of members.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from pixlake.errors import BadUpload
from pixlake.zips.cursor import Cursor
from pixlake.zips.entries import Entry
from pixlake.zips.headers import CENTRAL_BYTES, CentralHeader, read_entry
from pixlake.zips.original import Original

_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_END_SIGNATURE, _LOCATOR_SIGNATURE, _END64_SIGNATURE = b"PK\5\6", b"PK\6\7", b"PK\6\6"
_MAX_COMMENT_BYTES = 0xFFFF
_NONE_16, _NONE_32 = 0xFFFF, 0xFFFF_FFFF
_VERSION_64 = 45


@dataclass(frozen=True)
class Directory:
    """The place of a zip's central directory."""

    original: Original
    offset: int
    size: int
    count: int


def find_directory(original: Original) -> Directory:
    """Read the zip's end; BadUpload `not_a_zip`, `damaged_zip` or `multi_disk`."""
    uri, zip_size = original.uri, original.size
    length = min(zip_size, _MAX_COMMENT_BYTES + _END.size + _LOCATOR.size)
    tail = original.read_range(zip_size - length, length) if length else b""
    at = _find_end(uri, tail)
    _, disk, start_disk, here, count, size, offset, _ = _END.unpack_from(tail, at)
    end = zip_size - length + at
    wide = _read_end64(original, tail[at - _LOCATOR.size : at], end - _LOCATOR.size) if at >= _LOCATOR.size else None
    if wide:
        end, fields = wide
        narrow = (disk, start_disk, here, count, size, offset)
        if any(n not in (w, full) for n, w, full in zip(narrow, fields, [_NONE_16] * 4 + [_NONE_32] * 2, strict=True)):
            raise BadUpload("damaged_zip", f"{uri}: its ZIP64 end record contradicts its end record")
        disk, start_disk, here, count, size, offset = fields
    if disk or start_disk or here != count:
        raise BadUpload("multi_disk", f"{uri} is one part of a zip in several; join the parts first")
    if offset + size != end:
        raise BadUpload("damaged_zip", f"{uri}: its central directory does not end where the end record begins")
    return Directory(original, offset, size, count)


def _find_end(uri: str, tail: bytes) -> int:
    """The offset of the end record: the one whose comment reaches the file's last byte. Two such are ambiguous."""
    found = []
    at = tail.find(_END_SIGNATURE)
    while at >= 0:
        if at + _END.size <= len(tail) and at + _END.size + _END.unpack_from(tail, at)[-1] == len(tail):
            found.append(at)
        at = tail.find(_END_SIGNATURE, at + 1)
    if len(found) > 1:
        raise BadUpload("damaged_zip", f"{uri} has two end records, and may be read in two ways")
    if not found:
        raise BadUpload("not_a_zip", f"{uri} does not end as a zip does; it is none, or was cut off")
    return found[0]


def _read_end64(original: Original, locator: bytes, locator_at: int) -> tuple[int, tuple[int, ...]] | None:
    """The ZIP64 end record's offset, and its fields in the order of the end record's; None where there is none."""
    signature, _, at, _ = _LOCATOR.unpack(locator)
    if signature != _LOCATOR_SIGNATURE:
        return None
    if at + _END64.size > locator_at:
        raise BadUpload("damaged_zip", f"{original.uri}: its ZIP64 locator points outside of the zip")
    signature, size, _, _, *fields = _END64.unpack(original.read_range(at, _END64.size))
    if signature != _END64_SIGNATURE or at + 12 + size != locator_at:
        raise BadUpload("damaged_zip", f"{original.uri}: its ZIP64 end record is not where the locator says")
    return at, tuple(fields)


def read_entries(directory: Directory) -> Iterator[Entry]:
    """Each member of the zip in the directory's order. BadUpload where one is unsafe, or the directory is damaged."""
    for entry, _ in read_headers(directory):
        yield entry


def read_headers(directory: Directory) -> Iterator[tuple[Entry, bytes]]:
    """The same, each with its bytes in the directory."""
    if not directory.count:
        return
    uri = directory.original.uri
    cursor = Cursor(directory.original.stream(directory.offset, directory.size), directory.offset, uri)
    end = directory.offset + directory.size
    for number in range(1, directory.count + 1):
        if cursor.position + CENTRAL_BYTES > end:
            raise BadUpload("damaged_zip", f"{uri}: its directory ends before member {number}")
        fixed = cursor.take(CENTRAL_BYTES)
        header = CentralHeader.unpack(fixed)
        if not header.is_signed or cursor.position + header.variable_length > end:
            raise BadUpload("damaged_zip", f"{uri}: its directory is damaged at member {number}")
        variable = cursor.take(header.variable_length)
        yield read_entry(header, variable, directory.offset), fixed + variable
    if cursor.position != end:
        raise BadUpload("damaged_zip", f"{uri}: its directory holds more than {directory.count} members")


def end_records(offset: int, size: int, count: int) -> bytes:
    """What ends a zip whose directory is of `size` bytes, at `offset`; with ZIP64's records where it takes these."""
    narrow = (min(count, _NONE_16), min(count, _NONE_16), min(size, _NONE_32), min(offset, _NONE_32))
    end = _END.pack(_END_SIGNATURE, 0, 0, *narrow, 0)
    if narrow == (count, count, size, offset) and not {_NONE_16, _NONE_32} & set(narrow):
        return end
    end64 = _END64.pack(_END64_SIGNATURE, _END64.size - 12, _VERSION_64, _VERSION_64, 0, 0, count, count, size, offset)
    return end64 + _LOCATOR.pack(_LOCATOR_SIGNATURE, 0, offset + size, 1) + end
