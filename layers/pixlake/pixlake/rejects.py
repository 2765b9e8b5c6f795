"""Rejects: inputs that could not be used, with the reason; rows found by SQL and counted in the report."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from pixlake import storage


class Stage(StrEnum):
    """The step that rejected something; the names of the states."""

    PLAN = "plan"
    EXTRACT = "extract"
    SPLIT = "split"
    EMBED = "embed"
    CLASSIFY = "classify"
    COMPACT = "compact"


class Reject(msgspec.Struct, frozen=True):
    """One thing left out. `source` is a path in the upload (`photos/a.jpg`), with the row for tables (`pets.csv:17`);
    `reason` is a code in snake_case for grouping, `detail` a sentence for people."""

    source: str
    stage: str
    reason: str
    detail: str


def encode(rejects: Iterable[Reject]) -> bytes:
    """JSON Lines."""
    return msgspec.json.Encoder().encode_lines(list(rejects))


def write(uri: str, rejects: Iterable[Reject]) -> int:
    """Write the rejects as JSON Lines and return their number; without rejects no object is written."""
    rows = list(rejects)
    if rows:
        storage.write(uri, encode(rows))
    return len(rows)


def decode(data: bytes) -> list[Reject]:
    """The rejects of one JSON Lines object."""
    return msgspec.json.Decoder(Reject).decode_lines(data)
