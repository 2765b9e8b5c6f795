"""One query in a process of its own: where DuckDB or a writer of its rows exceeds the limit of memory, only this
process ends (`pixlake.limited`).
"""

import sys
from pathlib import Path
from typing import IO

import msgspec

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake.limited import WARNING, answer_limited

# DuckDB's share of the memory; the rest is for Python, and for allocations that DuckDB does not count.
_SHARE = 0.6


class Request(msgspec.Struct, frozen=True):
    """One query; `memory` and `spill_bytes` in bytes, `kind` a format of `output.FORMATS`."""

    sql: str
    lake: str
    kind: str
    memory: int
    spill: str
    spill_bytes: int


def answer(request: Request, target: IO[bytes]) -> None:
    """Write the query's rows, and warnings of what Athena answers otherwise as lines of standard error.

    Raises as `translate` and `run_query` do; BadRequest too for a value that the format cannot have.
    """
    from pixlake.schemas import TABLES
    from pixlake_cli.output import FORMATS
    from pixlake_cli.sql.dialect import translate
    from pixlake_cli.sql.warehouse import Limits, run_query

    limits = Limits(int(request.memory * _SHARE), Path(request.spill), request.spill_bytes)
    statement = translate(request.sql, TABLES)
    for warning in statement.warnings:
        print(f"{WARNING}{warning}.", file=sys.stderr, flush=True)
    with run_query(Lake.at(request.lake), statement, limits) as rows:
        try:
            FORMATS[request.kind](rows, target)
        except (ArithmeticError, ValueError, TypeError, NotImplementedError, RecursionError) as error:
            advice = "CAST it to varchar, or use --format parquet"
            raise BadRequest(f"a value of the result cannot be written as {request.kind}: {error}; {advice}") from error


def _answer(argument: str) -> None:
    answer(msgspec.json.decode(argument, type=Request), sys.stdout.buffer)


if __name__ == "__main__":
    sys.exit(answer_limited(_answer))
