"""Changes to a good file: to its bytes, whatever they mean, and to its pieces."""

import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Literal

from tests.fuzz.anatomy import NUMBER, Anatomy, Piece, Pieces

EDGES = (
    *(0, 1, 2, 3, 7, 8, 9, 127, 128, 255, 256, 257, 1_000, 4_000, 32_767, 32_768, 65_535, 65_536, 1 << 24),
    *((1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1),
)
LARGEST = 4 << 20
"""Bytes; what grows beyond is cut."""
_WIDTHS = (1, 2, 4, 8)
_REPEATS = (1, 2, 3, 10, 100, 2_000)
_HEAD = 24
"""Bytes at the beginning of a piece, where the numbers are that say how the rest of it is read."""


def mutate(random: Random, data: bytes, anatomy: Anatomy, donors: Sequence[bytes] = ()) -> bytes:
    """The file, its bytes or its pieces changed in a few places; `donors` are others of its format."""
    way = random.random()
    if way < 0.85:
        data = change_pieces(random, data, anatomy, donors)
    if way > 0.75:
        data = change_bytes(random, data)
    return data[:LARGEST]


def change_bytes(random: Random, data: bytes) -> bytes:
    """Set, cut out, repeat, put in, or end early."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 4)):
        at, length = random.randint(0, len(changed)), random.choice((1, 1, 2, 4, 16, 300))
        match random.randint(0, 5):
            case 0 | 1:
                _set_number(random, changed, at)
            case 2:
                del changed[at : at + length]
            case 3:
                changed[at:at] = changed[at : at + length] * random.choice(_REPEATS[:4])
            case 4:
                changed[at:at] = bytes(random.choice((0, 255, random.randint(0, 255))) for _ in range(min(length, 16)))
            case 5:
                del changed[at:]
    return bytes(changed)


def change_pieces(random: Random, data: bytes, anatomy: Anatomy, donors: Sequence[bytes] = ()) -> bytes:
    """Change some pieces, and put the file together again."""
    pieces = anatomy.split(data)
    surgery = _Surgery(random, anatomy, donors)
    for _ in range(random.randint(1, 3)):
        if pieces:
            surgery.operate(pieces)
    return anatomy.join(pieces)


@dataclass(frozen=True)
class _Surgery:
    """Operations on one file's pieces, in place."""

    random: Random
    anatomy: Anatomy
    donors: Sequence[bytes]

    def operate(self, pieces: Pieces) -> None:
        change = self._change
        self.random.choice((change, change, change, self._insert, self._repeat, self._drop, self._move))(pieces)

    def _change(self, pieces: Pieces) -> None:
        place = self._place(pieces)
        pieces[place] = Piece(pieces[place].kind, self._changed(pieces[place]))

    def _changed(self, piece: Piece) -> bytes:
        if piece.kind in self.anatomy.inner and self.random.random() < 0.8:
            with suppress(zlib.error):  # it was changed before, and is no longer what can be taken apart
                return change_pieces(self.random, piece.data, self.anatomy.inner[piece.kind])
        if piece.kind == NUMBER:
            return str(self.random.choice(EDGES)).encode()
        if self.random.random() < 0.2:
            return change_bytes(self.random, piece.data)
        changed = bytearray(piece.data)
        most = min(len(changed), _HEAD) if self.random.random() < 0.7 else len(changed)
        _set_number(self.random, changed, self.random.randint(0, most))
        return bytes(changed)

    def _insert(self, pieces: Pieces) -> None:
        """A word of the format's, or a piece of another file."""
        others = list(self.anatomy.words)
        if not others and self.donors:
            others = self.anatomy.split(self.random.choice(self.donors))
        pieces.insert(self._place(pieces), self.random.choice(others or pieces))

    def _repeat(self, pieces: Pieces) -> None:
        place = self._place(pieces)
        count = min(self.random.choice(_REPEATS), LARGEST // max(len(pieces[place].data), 1))
        pieces[place:place] = pieces[place : place + 1] * count

    def _drop(self, pieces: Pieces) -> None:
        del pieces[self._place(pieces)]

    def _move(self, pieces: Pieces) -> None:
        piece = pieces.pop(self._place(pieces))
        pieces.insert(self.random.randint(0, len(pieces)), piece)

    def _place(self, pieces: Pieces) -> int:
        return self.random.randrange(len(pieces))


def _set_number(random: Random, data: bytearray, at: int) -> None:
    """A number of some width to an edge, or to one nearby."""
    width = random.choice(_WIDTHS)
    order: Literal["big", "little"] = "big" if random.random() < 0.5 else "little"
    if random.random() < 0.3:
        value = int.from_bytes(data[at : at + width], order) + random.randint(-2, 2)
    else:
        value = random.choice(EDGES)
    data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, order)[: len(data) - at]
