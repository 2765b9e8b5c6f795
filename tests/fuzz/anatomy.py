"""Files as the pieces that their formats are made of, so that one can be changed and the rest still fits.

`split` and `join` are each other's inverse for a good file; `join` counts lengths and checksums anew. A piece of a kind
in `inner` is made of pieces itself.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Piece:
    """`kind` is the format's own word for it; of `number` the data is one, in decimal digits."""

    kind: bytes
    data: bytes


Pieces = list[Piece]
NUMBER = b"number"


@dataclass(frozen=True)
class Anatomy:
    """How a format's files are taken apart, and what may be put between their pieces beside pieces."""

    split: Callable[[bytes], Pieces]
    join: Callable[[Sequence[Piece]], bytes]
    inner: Mapping[bytes, "Anatomy"] = field(default_factory=dict)
    words: Sequence[Piece] = ()


def concatenate(pieces: Sequence[Piece]) -> bytes:
    return b"".join(piece.data for piece in pieces)


def fields(layout: str) -> Anatomy:
    """A header of numbers, of so many bytes each, and the rest."""

    def split(data: bytes) -> Pieces:
        pieces, at = [], 0
        for width in map(int, layout):
            pieces.append(Piece(b"field", data[at : at + width]))
            at += width
        return [*pieces, Piece(b"rest", data[at:])]

    return Anatomy(split, concatenate)


def tokens(pattern: bytes, words: Sequence[bytes] = ()) -> Anatomy:
    """Text; what the pattern finds is a piece, and what is between such."""
    found = re.compile(b"(" + pattern + b")", re.DOTALL)

    def split(data: bytes) -> Pieces:
        return [Piece(NUMBER if each.isdigit() else b"text", each) for each in found.split(data) if each]

    return Anatomy(split, concatenate, words=[Piece(b"text", word) for word in words])
