"""The anatomies of what an upload may hold: images by format, CSV, JSON Lines and zips."""

import io
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence

from tests.fuzz.anatomy import Anatomy, Piece, Pieces, concatenate, fields, tokens

# ---- PNG ------------------------------------------------------------------------------------------------------------

_MOST_INFLATED = 1 << 20
_PNG = b"\x89PNG\r\n\x1a\n"


def _split_png(data: bytes) -> Pieces:
    pieces, at = [], len(_PNG)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        pieces.append(Piece(kind, data[at + 8 : at + 8 + length]))
        at += 12 + length
    return pieces


def _join_png(pieces: Sequence[Piece]) -> bytes:
    chunks = (struct.pack(">I", len(each.data)) + each.kind + each.data + _crc(each) for each in pieces)
    return _PNG + b"".join(chunks)


def _split_zlib(data: bytes) -> Pieces:
    """What was compressed, in blocks."""
    inflated = zlib.decompressobj().decompress(data, _MOST_INFLATED)
    return [Piece(b"block", inflated[at : at + 64]) for at in range(0, len(inflated), 64)]


def _join_zlib(pieces: Sequence[Piece]) -> bytes:
    return zlib.compress(concatenate(pieces))


def _crc(piece: Piece) -> bytes:
    return struct.pack(">I", zlib.crc32(piece.kind + piece.data))


# ---- JPEG and JPEG 2000: markers, segments with a length, and what follows a scan or a tile's header -----------------


def _segments(bare: frozenset[int], scan: int, ends: Callable[[bytes, int], int]) -> Anatomy:
    """`bare` markers have no length; behind the marker `scan` data goes on to where `ends` says."""

    def split(data: bytes) -> Pieces:
        pieces, at = [], 0
        while at + 2 <= len(data) and data[at] == 0xFF:
            kind, start = data[at : at + 2], at + 2
            if kind[1] not in bare:
                length = int.from_bytes(data[start : start + 2], "big")
                start, at = start + 2, start + max(length, 2)
                pieces.append(Piece(kind, data[start:at]))
            else:
                pieces.append(Piece(kind, b""))
                at = start
            if kind[1] == scan:
                end = ends(data, at)
                pieces.append(Piece(b"data", data[at:end]))
                at = end
        return [*pieces, Piece(b"data", data[at:])] if at < len(data) else pieces

    def join(pieces: Sequence[Piece]) -> bytes:
        parts = []
        for each in pieces:
            if each.kind == b"data":
                parts.append(each.data)
            elif each.kind[1] in bare:
                parts.append(each.kind)
            else:
                parts.append(each.kind + struct.pack(">H", (len(each.data) + 2) & 0xFFFF) + each.data)
        return b"".join(parts)

    return Anatomy(split, join)


_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


def _end_of_scan(data: bytes, at: int) -> int:
    found = _JPEG_MARKER.search(data, at)
    return found.start() if found else len(data)


# ---- RIFF, and boxes of ISO BMFF ------------------------------------------------------------------------------------


def _split_riff(data: bytes) -> Pieces:
    pieces, at = [], 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        pieces.append(Piece(kind, data[at + 8 : at + 8 + length]))
        at += 8 + length + (length & 1)
    return pieces


def _join_riff(pieces: Sequence[Piece]) -> bytes:
    chunks = (struct.pack("<4sI", each.kind, len(each.data)) + each.data + bytes(len(each.data) & 1) for each in pieces)
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _boxes(skipped: int) -> tuple[Callable[[bytes], Pieces], Callable[[Sequence[Piece]], bytes]]:
    """Boxes behind so many bytes of a box's own."""

    def split(data: bytes) -> Pieces:
        pieces, at = [Piece(b"own", data[:skipped])] if skipped else [], skipped
        while at + 8 <= len(data):
            length, kind = struct.unpack_from(">I4s", data, at)
            end = at + length if length >= 8 else len(data)
            pieces.append(Piece(kind, data[at + 8 : end]))
            at = end
        return pieces

    def join(pieces: Sequence[Piece]) -> bytes:
        def box(each: Piece) -> bytes:
            return each.data if each.kind == b"own" else struct.pack(">I4s", len(each.data) + 8, each.kind) + each.data

        return b"".join(map(box, pieces))

    return split, join


# ---- TIFF and GIF, whose pieces lie where they lie ------------------------------------------------------------------


def _split_tiff(data: bytes) -> Pieces:
    """The entries of the first directory one by one."""
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4) if len(data) >= 8 else (0,)
    if not 8 <= at <= len(data) - 2:
        return [Piece(b"data", data)]
    (count,) = struct.unpack_from(order + "H", data, at)
    entries = [data[start : start + 12] for start in range(at + 2, at + 2 + 12 * count, 12)]
    end = at + 2 + 12 * count
    pieces = [(b"head", data[:8]), (b"data", data[8:at]), (b"count", data[at : at + 2])]
    pieces += [(b"entry", each) for each in entries] + [(b"next", data[end : end + 4]), (b"data", data[end + 4 :])]
    return [Piece(kind, part) for kind, part in pieces]


def _split_gif(data: bytes) -> Pieces:
    pieces = [Piece(b"head", data[:13])]
    at = 13 + _table_bytes(data, 10)
    pieces.append(Piece(b"table", data[13:at]))
    while at < len(data):
        start = at
        if data[at] == 0x2C and at + 10 < len(data):
            start = at + 10 + _table_bytes(data, at + 9) + 1
            pieces.append(Piece(b"image", data[at:start]))
        elif data[at] == 0x21:
            start = at + 2
            pieces.append(Piece(b"label", data[at:start]))
        else:
            return [*pieces, Piece(b"data", data[at:])]
        at = start
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
        pieces.append(Piece(b"blocks", data[start:at]))
    return pieces


def _table_bytes(data: bytes, at: int) -> int:
    packed = data[at] if at < len(data) else 0
    return 3 << (packed & 7) + 1 if packed & 0x80 else 0


# ---- by name --------------------------------------------------------------------------------------------------------

TIFF = Anatomy(_split_tiff, concatenate)
_EXIF = Anatomy(lambda data: [Piece(b"Exif", data[:6]), *_split_tiff(data[6:])], concatenate)
_JPEG = _segments(frozenset({0xD8, 0xD9, *range(0xD0, 0xD8), 1}), 0xDA, _end_of_scan)
JPEG = Anatomy(_JPEG.split, _JPEG.join, {b"\xff\xe1": _EXIF})
_CODESTREAM = _segments(frozenset({0x4F, 0xD9, 0x93}), 0x93, lambda data, _: max(len(data) - 2, 0))
_WHOLE, _FULL = Anatomy(*_boxes(0)), Anatomy(*_boxes(4))
_PROPERTIES = Anatomy(_WHOLE.split, _WHOLE.join, {b"ipco": _WHOLE})
_ITEMS = Anatomy(
    _FULL.split,
    _FULL.join,
    {b"iprp": Anatomy(_WHOLE.split, _WHOLE.join, {b"ipco": _WHOLE}), b"iinf": Anatomy(*_boxes(6))},
)
_TRACK = Anatomy(_WHOLE.split, _WHOLE.join, dict.fromkeys((b"trak", b"mdia", b"minf", b"stbl", b"edts"), _WHOLE))

IMAGES: Mapping[str, Anatomy] = {
    "JPEG": JPEG,
    "MPO": JPEG,
    "PNG": Anatomy(_split_png, _join_png, {b"eXIf": TIFF, b"IDAT": Anatomy(_split_zlib, _join_zlib)}),
    "GIF": Anatomy(_split_gif, concatenate),
    "BMP": fields("2422444422444444"),
    "DIB": fields("444224444440"),
    "PPM": tokens(rb"\d+|\s"),
    "WEBP": Anatomy(_split_riff, _join_riff, {b"EXIF": TIFF}),
    "AVIF": Anatomy(_WHOLE.split, _WHOLE.join, {b"meta": _ITEMS, b"moov": _TRACK}),
    "TIFF": TIFF,
    "JPEG2000": Anatomy(_WHOLE.split, _WHOLE.join, {b"jp2h": _WHOLE, b"jp2c": _CODESTREAM}),
    "J2K": _CODESTREAM,
    "QOI": fields("44411"),
    "TGA": fields("111221222211"),
    "ICO": fields("2221111224"),
}
"""By what Pillow calls the format of the base."""

_SIGNATURE = rb"(?=PK(?:\x01\x02|\x03\x04|\x05\x06|\x06\x06|\x06\x07|\x07\x08))"


def _split_zip(data: bytes) -> Pieces:
    """Each record from its signature to the next one's."""
    return [Piece(each[:4], each) for each in re.split(_SIGNATURE, data) if each]


ZIP = Anatomy(_split_zip, concatenate)

_CSV_WORDS = (
    *(b",", b";", b"\t", b"|", b'"', b"'", b"\\", b"\r", b"\n", b"\r\n", b'""', b'\\"', b"\0", b"\xff", b"\xc3"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xef\xbf\xbf", b"\xe2\x80\xa8", b"\xc2\x85", b"\x0b", b"\x0c", b"\x1a", b"id"),
    *(b",,,,", b"\n\n\n", b'"\n"', b'"a\nb"', b"nan", b"1e999", b"-0", b"\xed\xa0\x80", b"a" * 70_000),
)
_JSON_WORDS = (
    *(b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b"\\u0000", b"\\ud800", b"\\ud83d\\ude00", b"null", b"true"),
    *(b"NaN", b"1e999", b"-0", b"9" * 400, b"1." + b"0" * 400, b'{"id":"x"}', b"\n", b"\r\n", b"\n\n", b" "),
    *(b"\0", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xef\xbf\xbf", b'"id":1,', b'"":1,', b"a" * 70_000),
    *(b"[" * 990, b'{"a":' * 990),
)
CSV = tokens(rb"[,;\t|\"'\\\r\n]|\d+", _CSV_WORDS)
JSON_LINES = tokens(rb"[{}\[\],:\"\\\r\n]|\d+", _JSON_WORDS)
_XML_WORDS = (b"<!DOCTYPE a [<!ENTITY b 'b'>]>", b"&b;", b"&#0;", b'<c r="XFD1048576"/>', b"<row>", b"</row>")
XML = tokens(rb"</?[\w:]+|/?>|\"[^\"]*\"|\d+", _XML_WORDS)


def _split_members(data: bytes) -> Pieces:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [Piece(name.encode(), archive.read(name)) for name in archive.namelist()]


def _join_members(pieces: Sequence[Piece]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name may be there twice
        for piece in pieces:
            archive.writestr(piece.kind.decode(), piece.data)
    return buffer.getvalue()


class _EveryMember(dict[bytes, Anatomy]):
    """All of a workbook's members are XML."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: bytes) -> Anatomy:
        return XML


WORKBOOK = Anatomy(_split_members, _join_members, _EveryMember())
