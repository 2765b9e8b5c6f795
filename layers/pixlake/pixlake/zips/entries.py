"""The entries that a source finds in an upload, before any decision about them."""

from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    """The use of an entry."""

    IGNORED = 0
    IMAGE = 1
    TABLE = 2
    OPTIONS = 3
    REJECTED = 4


class Entry(NamedTuple):
    """One file of the upload, at its cleaned path.

    In a zip, `offset` to `end` is the least that its local header, name and data take up; `name_crc` is the CRC-32 of
    the name's raw bytes. Elsewhere `source_uri` is the object, and `tag` tells its versions apart; `version` is the one
    to read, and `uploaded_at` when it came, where an event named them.
    A rejected one has `reason` and `detail`. (A tuple, since there may be millions, and each is a row of `inventory`.)
    """

    path: str
    kind: Kind
    size: int = 0
    compressed: int = 0
    offset: int = 0
    end: int = 0
    crc: int = 0
    method: int = 0
    name_crc: int = 0
    source_uri: str = ""
    tag: str = ""
    version: str = ""
    uploaded_at: str = ""
    reason: str = ""
    detail: str = ""


def rejected(path: str, reason: str, detail: str) -> Entry:
    """An entry that is left out."""
    return Entry(path, Kind.REJECTED, reason=reason, detail=detail)


def unread(path: str, kind: Kind) -> Entry:
    """The entry of a file that is neither image, table nor options."""
    if kind is Kind.IGNORED:
        return Entry(path, kind)
    return rejected(path, "unsupported_type", "neither an image nor a table by its name")
