"""Runs a query within limits of memory, time and temporary disk."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO

import msgspec
import psutil
import pyarrow as pa

import pixlake.errors
from pixlake.errors import BadRequest, PixlakeError, StorageError
from pixlake.iceberg.lakes import Lake
from pixlake_cli.sql.worker import Failed, Request

_LESS = "select fewer columns or rows, aggregate, put a condition into a recursion"


SECONDS = 1_800.0
"""Athena's own limit."""


def half_of_the_machine() -> int:
    """Half of its memory, in bytes."""
    return int(psutil.virtual_memory().total) // 2


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
    with TemporaryDirectory(prefix="pixlake-") as spill, TemporaryFile() as errors, _as_file(target) as output:
        spill_bytes = min(4 * limits.memory, shutil.disk_usage(spill).free // 2)
        request = Request(sql, str(lake.folder or lake.uri), kind, limits.memory, spill, spill_bytes)
        code = _run(msgspec.json.encode(request).decode(), output, errors, limits.seconds)
        if code:
            errors.seek(0)
            raise _error(code, errors.read(), limits)


def _run(request: str, output: IO[bytes], errors: IO[bytes], seconds: float) -> int:
    """The exit code of the process that answers; BadRequest where it takes too long."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "pixlake_cli.sql.worker", request],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=errors,
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired as error:
        raise BadRequest(f"stopped after {seconds:g} s: {_LESS}, or give it longer by --timeout") from error
    finally:
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


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


def _error(code: int, said: bytes, limits: Limits) -> Exception:
    """The error that the process ended with. Without a message it was out of memory, or lost its reader."""
    too_much = BadRequest(f"the query needs more than {limits.memory >> 20:,} MB: {_LESS}, or give it more by --memory")
    failed = None
    with suppress(msgspec.DecodeError):
        failed = msgspec.json.decode(said.rpartition(b"\n")[2], type=Failed)
    if failed is None:
        return BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) if code == 1 and not said else too_much
    if failed.error == "MemoryError":
        return too_much
    kind = getattr(pixlake.errors, failed.error, StorageError)
    if not issubclass(kind, PixlakeError):
        kind = StorageError
    return kind(failed.message)
