"""Zips that mean harm, or look as if. Each names the reason for which the whole upload is refused."""

import io
import random
import struct
import zipfile
import zlib

from tests.builders.zips import (
    DEFLATED,
    ENCRYPTED,
    MAX_32,
    STORED,
    SYMLINK_MODE,
    Part,
    build,
    deflate,
    end,
)

GOOD = Part(b"good.jpg", b"good")


def _named(*names: bytes) -> dict[str, bytes]:
    return {f"path {name!r}": build(GOOD, Part(name, b"x")) for name in names}


def _overlapping() -> bytes:
    """Fifield's quoted overlap: the data of one member is the next member, header and all."""
    inner = Part(b"b.jpg", b"B" * 1000, DEFLATED)
    outer = Part(b"a.jpg", inner.local())
    body = outer.local()
    directory = outer.central(0) + inner.central(len(body) - len(inner.local()))
    return body + directory + end(2, len(body), len(directory))


def _two_ends() -> bytes:
    """A comment that is an end record too, of a zip that other programs would see."""
    hidden = build(Part(b"hidden.jpg", b"x"))
    whole = build(GOOD)
    return whole[:-2] + struct.pack("<H", len(hidden)) + hidden


def _contradicting_zip64() -> bytes:
    whole = bytearray(build(GOOD, zip64=True))
    struct.pack_into("<H", whole, len(whole) - 22 + 10, 7)
    return bytes(whole)


def _cut(data: bytes, length: int) -> bytes:
    return data[:length]


def _honest() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(20):
            archive.writestr(f"{number}.jpg", random.Random(number).randbytes(500))
    return buffer.getvalue()


_PATHS = _named(
    *(b"/etc/a.jpg", b"../a.jpg", b"a/../../b.jpg", b"a/..", b"C:/a.jpg", b"c:a.jpg", b"C:\\a.jpg", b"\\a.jpg"),
    *(b"\\\\server\\share\\a.jpg", b"..\\a.jpg", b"a\\..\\b.jpg", b"a/b\\..\\..\\c.jpg", b"a\\b/c.jpg", b".. /a.jpg"),
    *(b"a/.../b.jpg", b"a\0.jpg", b"a\n.jpg", b"a\x7f.jpg", b"../", b"x" * 5000 + b".jpg"),
)

REFUSED: dict[str, tuple[str, bytes]] = {
    **{name: ("unsafe_path", data) for name, data in _PATHS.items()},
    "symlink": ("symlink", build(GOOD, Part(b"link.jpg", b"/etc/passwd", external=SYMLINK_MODE))),
    "symlink from Windows": ("symlink", build(GOOD, Part(b"link.jpg", b"/etc", external=SYMLINK_MODE, host=0))),
    "device": ("special_file", build(GOOD, Part(b"null.jpg", external=0o020666 << 16))),
    "pipe": ("special_file", build(GOOD, Part(b"pipe.jpg", external=0o010666 << 16))),
    "socket": ("special_file", build(GOOD, Part(b"socket.jpg", external=0o140666 << 16))),
    "encrypted": ("encrypted", build(GOOD, Part(b"a.jpg", b"x" * 20, flags=ENCRYPTED))),
    "strongly encrypted": ("encrypted", build(GOOD, Part(b"a.jpg", b"x" * 20, flags=1 << 6))),
    "masked directory": ("encrypted", build(GOOD, Part(b"a.jpg", b"x" * 20, flags=1 << 13))),
    "an encrypted file nobody wants": ("encrypted", build(GOOD, Part(b"a.txt", b"x" * 20, flags=ENCRYPTED))),
    "bzip2": ("unsupported_method", build(GOOD, Part(b"a.jpg", b"x" * 20, method=12))),
    "lzma table": ("unsupported_method", build(GOOD, Part(b"a.csv", b"x" * 20, method=14))),
    "patch data": ("unsupported_method", build(GOOD, Part(b"a.jpg", b"x" * 20, flags=1 << 5))),
    "quoted overlap": ("overlapping_members", _overlapping()),
    "same member twice": ("overlapping_members", build(GOOD, Part(b"b.jpg", b"good", offset=0))),
    "ratio": ("ratio", build(Part(b"a.jpg", bytes(1_000_000), DEFLATED))),
    "ratio of a table": ("ratio", build(Part(b"a.csv", bytes(1_000_000), DEFLATED))),
    "another disk": ("multi_disk", build(GOOD, Part(b"a.jpg", b"x", disk=1))),
    "first of two disks": ("multi_disk", _cut(build(GOOD), -18) + struct.pack("<4H", 1, 1, 1, 1) + build(GOOD)[-10:]),
    "stored in two sizes": ("damaged_zip", build(GOOD, Part(b"a.jpg", b"x", size=2))),
    "beyond the end": ("damaged_zip", build(GOOD, Part(b"a.jpg", b"x", offset=1 << 30))),
    "data into the directory": ("damaged_zip", build(GOOD, Part(b"a.jpg", b"x", DEFLATED, compressed=100))),
    "huge ZIP64 offset": ("damaged_zip", build(GOOD, Part(b"a.jpg", b"x", offset=(1 << 64) - 9, zip64=True))),
    "ZIP64 field missing": ("damaged_zip", build(GOOD, Part(b"a.jpg", b"x", offset=MAX_32))),
    "one member too few": ("damaged_zip", build(GOOD, count=2)),
    "one member too many": ("damaged_zip", build(GOOD, Part(b"a.jpg", b"x"), count=1)),
    "bytes before": ("damaged_zip", b"#!/bin/sh\n" + build(GOOD)),
    "two ends": ("damaged_zip", _two_ends()),
    "ZIP64 that contradicts": ("damaged_zip", _contradicting_zip64()),
    "bytes after": ("not_a_zip", build(GOOD) + b"\0"),
    "cut off": ("not_a_zip", _cut(_honest(), -1)),
    "half": ("not_a_zip", _cut(_honest(), 5000)),
    "nothing": ("not_a_zip", b""),
    "a JPEG": ("not_a_zip", b"\xff\xd8\xff\xe0" + bytes(1000)),
    "no members": ("empty_upload", build()),
    "nothing of use": ("empty_upload", build(Part(b"README.txt", b"hi"), Part(b".DS_Store", b"x"), Part(b"a/"))),
    "damaged table": ("crc_mismatch", build(GOOD, Part(b"pets.csv", b"id\n1\n", crc=1))),
    "table that inflates past its size": ("bomb", build(GOOD, Part(b"pets.csv", bytes(5000), DEFLATED, size=3000))),
    "bad options": ("bad_options", build(GOOD, Part(b"pixlake.json", b'{"embeder": "x"}'))),
}

_TEXT = bytes(range(200))

# of these only the member is rejected
LYING: dict[str, tuple[str, Part]] = {
    "crc": ("crc_mismatch", Part(b"a.jpg", b"x" * 100, crc=1)),
    "crc of deflated": ("crc_mismatch", Part(b"a.jpg", b"x" * 100, DEFLATED, crc=zlib.crc32(b"y"))),
    "larger than it is": ("size_mismatch", Part(b"a.jpg", b"x" * 100, DEFLATED, size=101)),
    "not deflate": ("bad_deflate", Part(b"a.jpg", b"x" * 100, DEFLATED, payload=b"\xff" * 50)),
    "deflate that goes on": ("bad_deflate", Part(b"a.jpg", b"x" * 9, DEFLATED, payload=deflate(b"x" * 9) + b"more")),
    "deflate cut off": ("bad_deflate", Part(b"a.jpg", _TEXT, DEFLATED, payload=deflate(_TEXT)[:-9])),
    "no deflate at all": ("bad_deflate", Part(b"a.jpg", b"x", DEFLATED, payload=b"")),
    "another name": ("header_mismatch", Part(b"a.jpg", b"x", local_name=b"b.jpg")),
    "another method": ("header_mismatch", Part(b"a.jpg", b"x" * 100, DEFLATED, local_method=STORED)),
    "encrypted within": ("header_mismatch", Part(b"a.jpg", b"x", local_flags=ENCRYPTED)),
    "no local header": ("header_mismatch", Part(b"a.jpg", b"x", local_signature=b"PK\1\2")),
    "a local header that reaches too far": ("header_mismatch", Part(b"a.jpg", b"x", local_extra_length=0xFFFF)),
}

BOMB = build(GOOD, Part(b"a.jpg", bytes(5_000_000), DEFLATED, size=100_000))
LARGE_BOMB = build(GOOD, Part(b"a.jpg", bytes(32 << 20), DEFLATED, size=20 << 20))
