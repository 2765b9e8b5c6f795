"""The anatomy of Parquet: pages with their headers, and the footer, both in Thrift's compact protocol.

Thrift's compact protocol (doc/specs/thrift-compact-protocol.md) is taken apart into its headers, numbers and texts. A
number keeps its length where it can, by a varint longer than it need be, so that what lies behind it stays where the
footer says.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow.parquet as pq

from tests.fuzz.anatomy import NUMBER, Anatomy, Piece, Pieces

_MAGIC = b"PAR1"
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_VARINTS = (_I16, _I32, _I64)


@dataclass
class _Thrift:
    """Reads one struct, from `at` on."""

    data: bytes
    at: int = 0
    pieces: Pieces = field(default_factory=list)

    def struct(self) -> None:
        while (head := self.data[self.at]) != 0:
            start = self.at
            self.at += 1
            if not head >> 4:
                self._skip_varint()
            self._piece(b"header", start)
            self._value(head & 15)
        self.at += 1
        self._piece(b"header", self.at - 1)

    def _value(self, kind: int, inside: bool = False) -> None:
        start = self.at
        if kind in _VARINTS:
            self._skip_varint()
            self._number(start)
        elif kind == _BYTE or (inside and kind in (_TRUE, _FALSE)):
            self.at += 1
            self._piece(b"byte", start)
        elif kind == _DOUBLE:
            self.at += 8
            self._piece(b"double", start)
        elif kind == _BINARY:
            length = self._skip_varint()
            self._number(start, zigzag=False)
            self.at += length
            self._piece(b"text", self.at - length)
        elif kind in (_LIST, _SET):
            self._list()
        elif kind == _STRUCT:
            self.struct()

    def _list(self) -> None:
        start, head = self.at, self.data[self.at]
        self.at += 1
        count = head >> 4 if head >> 4 < 15 else self._skip_varint()
        self._piece(b"header", start)
        for _ in range(count):
            self._value(head & 15, inside=True)

    def _skip_varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def _piece(self, kind: bytes, start: int) -> None:
        self.pieces.append(Piece(kind, self.data[start : self.at]))

    def _number(self, start: int, zigzag: bool = True) -> None:
        """Its digits; the length that it had is in the kind of the piece before."""
        end, self.at = self.at, start
        value = self._skip_varint()
        self.at = end
        self.pieces.append(Piece(b"signed" if zigzag else b"length", bytes([end - start])))
        self.pieces.append(Piece(NUMBER, str(value >> 1 ^ -(value & 1) if zigzag else value).encode()))


def split_thrift(data: bytes) -> Pieces:
    reader = _Thrift(data)
    try:
        reader.struct()
    except IndexError:
        return [Piece(b"rest", data)]
    return [*reader.pieces, Piece(b"rest", data[reader.at :])]


def join_thrift(pieces: Sequence[Piece]) -> bytes:
    parts, before = [], Piece(b"", b"")
    for each in pieces:
        if each.kind == NUMBER:
            parts.append(_varint(int(each.data or b"0"), before))
        elif each.kind not in (b"signed", b"length"):
            parts.append(each.data)
        before = each
    return b"".join(parts)


def _varint(value: int, how: Piece) -> bytes:
    width = how.data[0] if how.kind in (b"signed", b"length") and how.data else 1
    value = (value << 1) ^ (value >> 63) if how.kind == b"signed" else value
    value &= (1 << 70) - 1
    digits = bytearray()
    while value or len(digits) < width or not digits:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits[-1] &= 0x7F
    return bytes(digits)


def _split(data: bytes) -> Pieces:
    """Between the magic words the pages one by one, and the footer."""
    pieces, at = [Piece(b"magic", data[:4])], 4
    length = int.from_bytes(data[-8:-4], "little")
    footer = len(data) - 8 - length
    if data[-4:] != _MAGIC or footer < 4:
        return [Piece(b"rest", data)]
    for start, end in _chunks(data):
        pieces.append(Piece(b"data", data[at:start]))
        at = start
        while at < end:
            header = _Thrift(data, at)
            try:
                header.struct()
            except IndexError:
                break
            size = _page_bytes(header.pieces)
            pieces.append(Piece(b"page", data[at : header.at]))
            pieces.append(Piece(b"data", data[header.at : header.at + size]))
            at = header.at + size
    return [*pieces, Piece(b"data", data[at:footer]), Piece(b"footer", data[footer:-8])]


def _page_bytes(header: Pieces) -> int:
    """Its third number: behind the kind of the page and its size uncompressed."""
    numbers = [int(each.data) for each in header if each.kind == NUMBER]
    return max(numbers[2], 0) if len(numbers) > 2 else 0


def _chunks(data: bytes) -> list[tuple[int, int]]:
    try:
        metadata = pq.read_metadata(io.BytesIO(data))
    except Exception:
        return []
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    columns = [group.column(number) for group in groups for number in range(group.num_columns)]
    starts = [each.dictionary_page_offset or each.data_page_offset for each in columns]
    return sorted((start, start + each.total_compressed_size) for start, each in zip(starts, columns, strict=True))


def _join(pieces: Sequence[Piece]) -> bytes:
    body = b"".join(each.data for each in pieces)
    if not pieces or pieces[-1].kind != b"footer":
        return body
    return body + len(pieces[-1].data).to_bytes(4, "little") + _MAGIC


_THRIFT = Anatomy(split_thrift, join_thrift)
PARQUET = Anatomy(_split, _join, {b"page": _THRIFT, b"footer": _THRIFT})
