"""One query in a process of its own: where DuckDB or a writer of its rows exceeds the limit of memory, only this
process ends (`pixlake.limited`).
"""

import pkgutil
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake.limited import WARNING, answer_limited

# DuckDB's share of the memory; the rest is for Python, and for allocations that DuckDB does not count.
_SHARE = 0.6


if TYPE_CHECKING:
    import pyarrow as pa

ARROW = "pixlake.sql.worker:write_arrow"
"""The writer of Arrow's stream."""
TABLES_FOLDER = "tables"
"""In the folder for what does not fit into memory: copies of a bucket's tables."""


class TableFiles(msgspec.Struct, frozen=True):
    """Data files of a table on this machine: those whose rows are all alive, those that position deletes `cut`, and an
    Arrow file of these (`filename`, `file_row_number` from 0)."""

    whole: list[str]
    cut: list[str] = []
    deletes: str = ""


class Request(msgspec.Struct, frozen=True):
    """One query; `memory` and `spill_bytes` in bytes. `writer` is a function, `module:write_<format>`. `planned` is a
    file with the TableFiles by the names of tables; what it lacks is looked up."""

    sql: str
    lake: str
    writer: str
    memory: int
    spill: str
    spill_bytes: int
    planned: str = ""


def write_arrow(reader: "pa.RecordBatchReader", target: IO[bytes]) -> None:
    """Arrow's stream, for another process of ours."""
    import pyarrow as pa

    with pa.ipc.new_stream(target, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def answer(request: Request, target: IO[bytes]) -> None:
    """Write the query's rows, and warnings of what Athena answers otherwise as lines of standard error.

    Raises as `translate` and `run_query` do; BadRequest too for a value that the format cannot have.
    """
    from pixlake.schemas import TABLES
    from pixlake.sql.dialect import translate
    from pixlake.sql.warehouse import Limits, run_query

    limits = Limits(int(request.memory * _SHARE), Path(request.spill), request.spill_bytes)
    statement = translate(request.sql, TABLES)
    for warning in statement.warnings:
        print(f"{WARNING}{warning}.", file=sys.stderr, flush=True)
    with run_query(Lake.at(request.lake), statement, limits, _read_plan(request.planned)) as rows:
        try:
            pkgutil.resolve_name(request.writer)(rows, target)
        except (ArithmeticError, ValueError, TypeError, NotImplementedError, RecursionError) as error:
            advice = "CAST it to varchar, or use --format parquet"
            kind = request.writer.rpartition("_")[2]
            raise BadRequest(f"a value of the result cannot be written as {kind}: {error}; {advice}") from error


def _read_plan(path: str) -> dict[str, TableFiles]:
    return msgspec.json.decode(Path(path).read_bytes(), type=dict[str, TableFiles]) if path else {}


def _answer(argument: str) -> None:
    answer(msgspec.json.decode(argument, type=Request), sys.stdout.buffer)


if __name__ == "__main__":
    sys.exit(answer_limited(_answer))
