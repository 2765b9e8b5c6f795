"""Zips byte by byte, so that any field can lie. `zipfile` makes the honest ones; this makes the others."""

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property

STORED, DEFLATED = 0, 8
UTF8, ENCRYPTED, DESCRIPTOR = 1 << 11, 1, 1 << 3
SYMLINK_MODE = 0o120777 << 16
MAX_32 = 0xFFFF_FFFF


@dataclass(frozen=True)
class Part:
    """A member. What is None is computed honestly; `local_…` is what only its local header says."""

    name: bytes
    data: bytes = b""
    method: int = STORED
    flags: int = 0
    host: int = 3
    external: int = 0
    extra: bytes = b""
    disk: int = 0
    size: int | None = None
    compressed: int | None = None
    crc: int | None = None
    offset: int | None = None
    payload: bytes | None = None
    zip64: bool = False
    local_name: bytes | None = None
    local_method: int | None = None
    local_flags: int | None = None
    local_extra: bytes = b""
    local_extra_length: int | None = None
    local_signature: bytes = b"PK\3\4"
    tail: bytes = b""

    @cached_property
    def stream(self) -> bytes:
        """The bytes in the zip."""
        if self.payload is not None:
            return self.payload
        return deflate(self.data) if self.method == DEFLATED else self.data

    @property
    def sizes(self) -> tuple[int, int, int]:
        """CRC, compressed size and size, as the directory declares them."""
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        compressed = len(self.stream) if self.compressed is None else self.compressed
        return crc, compressed, len(self.data) if self.size is None else self.size

    def local(self) -> bytes:
        name = self.name if self.local_name is None else self.local_name
        method = self.method if self.local_method is None else self.local_method
        flags = self.flags if self.local_flags is None else self.local_flags
        sizes = (0, 0, 0) if flags & DESCRIPTOR else (min(size, MAX_32) for size in self.sizes)
        extra_length = len(self.local_extra) if self.local_extra_length is None else self.local_extra_length
        fields = (20, flags, method, 0, *sizes, len(name), extra_length)
        header = struct.pack("<4sHHHLLLLHH", self.local_signature, *fields)
        return header + name + self.local_extra + self.stream + self.tail

    def central(self, offset: int) -> bytes:
        crc, compressed, size = self.sizes
        offset = offset if self.offset is None else self.offset
        extra = self.extra
        if self.zip64:
            extra += struct.pack("<HHQQQ", 1, 24, size, compressed, offset)
            size = compressed = offset = MAX_32
        header = struct.pack(
            "<4sBBHHHLLLLHHHHHLL",
            *(b"PK\1\2", 45, self.host, 20, self.flags, self.method, 0, crc, compressed, size),
            *(len(self.name), len(extra), 0, self.disk, 0, self.external, offset),
        )
        return header + self.name + extra


def deflate(data: bytes) -> bytes:
    """Raw deflate."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def build(*parts: Part, comment: bytes = b"", zip64: bool = False, count: int | None = None) -> bytes:
    """The whole zip: members, directory, end. `count` is what the end record claims."""
    body, directory = b"", b""
    for part in parts:
        directory += part.central(len(body))
        body += part.local()
    return body + directory + end(len(parts) if count is None else count, len(body), len(directory), comment, zip64)


def end(count: int, offset: int, size: int, comment: bytes = b"", zip64: bool = False) -> bytes:
    """The end record, with the ZIP64 one and its locator before it if asked for."""
    if not zip64:
        return struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, offset, len(comment)) + comment
    wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, offset + size, 1)
    narrow = (0, 0, 0xFFFF, 0xFFFF, MAX_32, MAX_32, len(comment))
    return wide + locator + struct.pack("<4s4H2LH", b"PK\5\6", *narrow) + comment


def unicode_path(raw: bytes, name: str) -> bytes:
    """The Info-ZIP Unicode Path field for the raw name."""
    content = struct.pack("<BL", 1, zlib.crc32(raw)) + name.encode()
    return struct.pack("<HH", 0x7075, len(content)) + content


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    """A zip as `zipfile` makes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.comment = comment
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()
