"""One query in a process of its own: where DuckDB or a writer of its rows exceeds the limit of memory, only this
process ends.

The command holds the other end of its standard input, and can end it by closing that. Errors come as one line of JSON
on standard error.
"""

import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec

from pixlake.errors import BadRequest, PixlakeError
from pixlake.iceberg.lakes import Lake

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


class Failed(msgspec.Struct, frozen=True):
    """The class of an error and its message."""

    error: str
    message: str


def answer(request: Request, target: IO[bytes]) -> None:
    """Write the query's rows. Raises as `run_query` does; BadRequest too for a value that the format cannot have."""
    from pixlake_cli.output import FORMATS
    from pixlake_cli.sql.warehouse import Limits, run_query

    limits = Limits(int(request.memory * _SHARE), Path(request.spill), request.spill_bytes)
    with run_query(Lake.at(request.lake), request.sql, limits) as rows:
        try:
            FORMATS[request.kind](rows, target)
        except (ArithmeticError, ValueError, TypeError, NotImplementedError, RecursionError) as error:
            advice = "CAST it to varchar, or use --format parquet"
            raise BadRequest(f"a value of the result cannot be written as {request.kind}: {error}; {advice}") from error


def main(argument: str) -> int:
    """Answer the request of the command line on standard output; the process's exit code."""
    request = msgspec.json.decode(argument, type=Request)
    _limit_memory(request.memory)
    try:
        answer(request, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # the reader of the output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (PixlakeError, OSError, MemoryError) as error:
        failed = Failed(type(error).__name__, str(error))
        sys.stderr.buffer.write(msgspec.json.encode(failed))
        return 1
    return 0


def _limit_memory(size: int) -> None:
    """The system's own limit, of what is written to and no other process has; Windows has none."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def _end_with_command() -> None:
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_command, daemon=True).start()
    sys.exit(main(sys.argv[1]))
