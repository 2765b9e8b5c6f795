"""What came of the first rows of a batch whose worker ran out of time, for the one that does the last of them."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from pixlake import rejects, storage
from pixlake.parquet import write_part
from pixlake.rejects import Reject
from pixlake.schemas import TableSchema

_ROWS, _REJECTS = "rows.parquet", "rejects.jsonl"


@dataclass(frozen=True)
class Piece:
    """Rows of a table, and rejects."""

    rows: pa.Table
    rejects: list[Reject]


def write_piece(uri: str, table: TableSchema, rows: pa.Table, left_out: list[Reject]) -> None:
    """Write a piece into the folder `uri`; the same rows of a batch give the same bytes."""
    storage.write(storage.join(uri, _REJECTS), rejects.encode(left_out))
    write_part(storage.join(uri, _ROWS), table, rows)


def read_piece(uri: str) -> Piece:
    """The piece in the folder `uri`; MissingObject where it is not whole."""
    rows = pq.read_table(pa.BufferReader(storage.read(storage.join(uri, _ROWS))))
    return Piece(rows, rejects.decode(storage.read(storage.join(uri, _REJECTS))))
