"""Runs a query within limits of memory, time and temporary disk."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO

import msgspec
import pyarrow as pa

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake.limited import half_of_the_machine, run_limited
from pixlake_cli.sql.worker import Request

_LESS = "select fewer columns or rows, aggregate, put a condition into a recursion"


SECONDS = 1_800.0
"""Athena's own limit."""


@dataclass(frozen=True)
class Limits:
    """Bytes and seconds."""

    memory: int = field(default_factory=half_of_the_machine)
    seconds: float = SECONDS


@contextmanager
def read_rows(lake: Lake, sql: str, limits: Limits | None = None) -> Iterator[pa.RecordBatchReader]:
    """The rows of a query, out of a temporary file. Raises as `write_rows`."""
    with TemporaryFile(prefix="pixlake-") as file:
        write_rows(lake, sql, "arrow", file, limits or Limits())
        file.seek(0)
        yield pa.ipc.open_stream(file)


def write_rows(lake: Lake, sql: str, kind: str, target: IO[bytes], limits: Limits) -> None:
    """Write the rows of a query to `target`.

    Raises BadRequest for SQL that is wrong or asks for too much, StorageError for files that cannot be read, and
    BrokenPipeError where nobody reads the output.
    """
    with TemporaryDirectory(prefix="pixlake-") as spill, _as_file(target) as output:
        spill_bytes = min(4 * limits.memory, shutil.disk_usage(spill).free // 2)
        request = Request(sql, str(lake.folder or lake.uri), kind, limits.memory, spill, spill_bytes)
        encoded = msgspec.json.encode(request).decode()
        try:
            run_limited("pixlake_cli.sql.worker", encoded, output, memory=limits.memory, seconds=limits.seconds)
        except TimeoutError as error:
            longer = "or give it longer by --timeout"
            raise BadRequest(f"stopped after {limits.seconds:g} s: {_LESS}, {longer}") from error
        except MemoryError as error:
            needs = f"the query needs more than {limits.memory >> 20:,} MB"
            raise BadRequest(f"{needs}: {_LESS}, or give it more by --memory") from error
        except BrokenPipeError as error:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from error


@contextmanager
def _as_file(target: IO[bytes]) -> Iterator[IO[bytes]]:
    """`target`, if a process can write to it; else a file that is copied to it."""
    try:
        target.fileno()
    except OSError:
        with TemporaryFile() as file:
            yield file
            file.seek(0)
            shutil.copyfileobj(file, target)
    else:
        target.flush()
        yield target
