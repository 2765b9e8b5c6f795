"""A zip member's two headers: the one in the central directory, which is authoritative, and the local one, which must
agree.

PKWARE APPNOTE 6.3.10, sections 4.3.7 (local), 4.3.12 (central), 4.5.3 (ZIP64) and 4.6.9 (Unicode path).
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from pixlake.errors import BadMember, BadUpload
from pixlake.messages import Member
from pixlake.zips import names
from pixlake.zips.cursor import Cursor
from pixlake.zips.entries import Entry, Kind, rejected, unread

STORED, DEFLATED = 0, 8

_CENTRAL = struct.Struct("<4sBBHHHLLLLHHHHHLL")
_LOCAL = struct.Struct("<4sHHHLLLLHH")
CENTRAL_BYTES, LOCAL_BYTES = _CENTRAL.size, _LOCAL.size
_CENTRAL_SIGNATURE, _LOCAL_SIGNATURE = b"PK\1\2", b"PK\3\4"
_ENCRYPTED_FLAGS = 1 << 0 | 1 << 6 | 1 << 13
_PATCHED_FLAG = 1 << 5
_ZIP64_FIELD, _UNICODE_PATH_FIELD = 0x0001, 0x7075
_NONE_16, _NONE_32 = 0xFFFF, 0xFFFF_FFFF
_TYPE_MASK, _SYMLINK = 0o170000, 0o120000
_REGULAR_TYPES = frozenset({0, 0o100000, 0o040000})


class CentralHeader(NamedTuple):
    """The fixed part, field by field; `host` is the system that made it, `external` has its file mode on top."""

    signature: bytes
    version: int
    host: int
    version_needed: int
    flags: int
    method: int
    time: int
    crc: int
    compressed: int
    size: int
    name_length: int
    extra_length: int
    comment_length: int
    disk: int
    internal: int
    external: int
    offset: int

    @classmethod
    def unpack(cls, data: bytes) -> "CentralHeader":
        """From its `CENTRAL_BYTES` bytes."""
        return cls._make(_CENTRAL.unpack(data))

    @property
    def is_signed(self) -> bool:
        return self.signature == _CENTRAL_SIGNATURE

    @property
    def variable_length(self) -> int:
        return self.name_length + self.extra_length + self.comment_length


def read_entry(header: CentralHeader, variable: bytes, limit: int) -> Entry:
    """The entry for one header and the name, fields and comment behind it; all data ends before the offset `limit`.

    Raises BadUpload for an unsafe path, a link, encryption and damage.
    """
    raw = variable[: header.name_length]
    fields = dict(_extra_fields(variable[header.name_length : header.name_length + header.extra_length]))
    size, compressed, offset = _wide_sizes(header, fields.get(_ZIP64_FIELD, b""))
    end = offset + _LOCAL.size + len(raw) + compressed
    _refuse_unsafe(header, raw, end <= limit)
    try:
        name = names.decode_name(raw, header.flags, header.host, _unicode_path(raw, fields))
    except BadMember as error:
        shown = raw.decode(errors="backslashreplace")
        return rejected(shown, error.reason, error.detail)._replace(offset=offset, end=end)
    path = names.clean_path(name)
    if name.endswith(("/", "\\")) or not path:
        return Entry(path, Kind.IGNORED, offset=offset, end=end)
    kind = names.classify(path)
    if kind in (Kind.IGNORED, Kind.REJECTED):
        return unread(path, kind)._replace(offset=offset, end=end)
    _refuse_unreadable(header, path, size, compressed)
    return Entry(path, kind, size, compressed, offset, end, header.crc, header.method, zlib.crc32(raw))


def read_local_header(cursor: Cursor, member: Member, limit: int) -> None:
    """Leave the cursor at the member's data, all of which lies before the offset `limit`.

    Raises BadMember `header_mismatch` where the local header is another's, or leaves no room for the data.
    """
    signature, _, flags, method, _, _, _, _, name_length, extra_length = _LOCAL.unpack(cursor.take(_LOCAL.size))
    if signature != _LOCAL_SIGNATURE:
        raise BadMember("header_mismatch", f"there is no member at byte {member.offset}, where the directory says")
    if cursor.position + name_length + extra_length + member.compressed > limit:
        raise BadMember("header_mismatch", "its own header is so long that its data would reach into the next one's")
    name = cursor.take(name_length)
    cursor.take(extra_length)
    if zlib.crc32(name) != member.name_crc or method != member.method or flags & _ENCRYPTED_FLAGS:
        raise BadMember("header_mismatch", "its own header has another name or method than the zip's directory")


def _extra_fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Ids and contents; bytes left over at the end are ignored, as by every program."""
    at = 0
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("<HH", data, at)
        if at + 4 + length > len(data):
            return
        yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length


def _wide_sizes(header: CentralHeader, field: bytes) -> tuple[int, int, int]:
    """Size, compressed size and offset: those that the header leaves out are in the ZIP64 field, in this order."""
    values = []
    at = 0
    for narrow in (header.size, header.compressed, header.offset):
        if narrow != _NONE_32:
            values.append(narrow)
            continue
        if at + 8 > len(field):
            raise BadUpload("damaged_zip", "a member's ZIP64 sizes are missing from its directory")
        values.append(int.from_bytes(field[at : at + 8], "little"))
        at += 8
    if header.disk not in (0, _NONE_16) or (header.disk == _NONE_16 and any(field[at : at + 4])):
        raise BadUpload("multi_disk", "a member lies on another disk; join the parts of the zip first")
    size, compressed, offset = values
    return size, compressed, offset


def _unicode_path(raw: bytes, fields: dict[int, bytes]) -> bytes | None:
    """The UTF-8 name of the Info-ZIP field, unless the name was changed after the field was written."""
    field = fields.get(_UNICODE_PATH_FIELD, b"")
    if len(field) < 5 or field[0] != 1 or int.from_bytes(field[1:5], "little") != zlib.crc32(raw):
        return None
    return field[5:]


def _refuse_unsafe(header: CentralHeader, raw: bytes, is_inside: bool) -> None:
    shown = ascii(raw[:200])[1:]
    if not is_inside:
        raise BadUpload("damaged_zip", f"{shown} lies beyond the zip's data")
    if header.flags & _ENCRYPTED_FLAGS:
        raise BadUpload("encrypted", f"{shown} is encrypted; upload it without a password")
    kind = header.external >> 16 & _TYPE_MASK
    if kind == _SYMLINK:
        raise BadUpload("symlink", f"{shown} is a symbolic link; put the file itself into the zip")
    if kind not in _REGULAR_TYPES:
        raise BadUpload("special_file", f"{shown} is no regular file")


def _refuse_unreadable(header: CentralHeader, path: str, size: int, compressed: int) -> None:
    if header.method not in (STORED, DEFLATED) or header.flags & _PATCHED_FLAG:
        raise BadUpload("unsupported_method", f"{path!a} has compression method {header.method}; use deflate, or none")
    if header.method == STORED and size != compressed:
        raise BadUpload("damaged_zip", f"{path!a} is stored as it is, in two different sizes")
