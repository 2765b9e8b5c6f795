"""Runs a query within limits of memory, time and temporary disk."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO

import msgspec
import pyarrow as pa

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake.limited import half_of_the_machine, run_limited
from pixlake.sql.worker import ARROW, TABLES_FOLDER, Request, TableFiles

_LESS = "select fewer columns or rows, aggregate, put a condition into a recursion"


SECONDS = 1_800.0
"""Athena's own limit."""


@dataclass(frozen=True)
class Limits:
    """Bytes and seconds."""

    memory: int = field(default_factory=half_of_the_machine)
    seconds: float = SECONDS


Plan = Callable[[Path], Mapping[str, TableFiles]]
"""Looks up the files of tables; the folder is for what it makes of them."""


@contextmanager
def read_rows(
    lake: Lake, sql: str, limits: Limits | None = None, plan: Plan | None = None
) -> Iterator[pa.RecordBatchReader]:
    """The rows of a query, out of a temporary file. Raises as `write_rows`."""
    with TemporaryFile(prefix="pixlake-") as file:
        write_rows(lake, sql, ARROW, file, limits or Limits(), plan)
        file.seek(0)
        yield pa.ipc.open_stream(file)


def write_rows(lake: Lake, sql: str, writer: str, target: IO[bytes], limits: Limits, plan: Plan | None = None) -> None:
    """Write the rows of a query to `target`, by a function `module:write_<format>`.

    Raises BadRequest for SQL that is wrong or asks for too much, StorageError for files that cannot be read, and
    BrokenPipeError where nobody reads the output.
    """
    with TemporaryDirectory(prefix="pixlake-") as spill, _as_file(target) as output:
        spill_bytes = min(4 * limits.memory, shutil.disk_usage(spill).free // 2)
        planned = "" if plan is None else write_plan(plan, Path(spill))
        request = Request(sql, str(lake.folder or lake.uri), writer, limits.memory, spill, spill_bytes, planned)
        encoded = msgspec.json.encode(request).decode()
        try:
            run_limited("pixlake.sql.worker", encoded, output, memory=limits.memory, seconds=limits.seconds)
        except TimeoutError as error:
            longer = "or give it longer by --timeout"
            raise BadRequest(f"stopped after {limits.seconds:g} s: {_LESS}, {longer}") from error
        except MemoryError as error:
            needs = f"the query needs more than {limits.memory >> 20:,} MB"
            raise BadRequest(f"{needs}: {_LESS}, or give it more by --memory") from error
        except BrokenPipeError as error:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from error


def write_plan(plan: Plan, spill: Path) -> str:
    """The file with what `plan` finds, for a Request."""
    folder = spill / TABLES_FOLDER
    folder.mkdir()
    file = folder / "planned.json"
    file.write_bytes(msgspec.json.encode(plan(folder)))
    return str(file)


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
