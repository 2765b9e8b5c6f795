"""The lake's tables in DuckDB: for each table that a query reads, a view over the data files of one snapshot.

pyiceberg plans which files a snapshot has, DuckDB reads from them the columns and row groups that the query needs.
Only the positions of rows that another engine has deleted are loaded before. DuckDB may open files of the warehouse and
no others, has limits of memory and of temporary disk, and its settings are locked.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
from pyiceberg.io import FileIO
from pyiceberg.table import Table
from sqlglot import exp

from pixlake.errors import BadRequest, StorageError
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.existing import ExistingFile, list_existing
from pixlake.iceberg.lakes import Lake
from pixlake.schemas import TABLES
from pixlake_cli.sql.binding import explain_binding
from pixlake_cli.sql.dialect import Statement, TableRead
from pixlake_cli.sql.macros import create_macros

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

_BATCH_ROWS = 4_096
_OUTSIDE = (duckdb.IOException, duckdb.InternalException)


@dataclass(frozen=True)
class Limits:
    """Bytes of memory, and of `spill`, a folder for what does not fit into it."""

    memory: int
    spill: Path
    spill_bytes: int


@contextmanager
def run_query(lake: Lake, statement: Statement, limits: Limits) -> Iterator[pa.RecordBatchReader]:
    """The rows of one query, as they are computed.

    Raises BadRequest for SQL that is wrong, StorageError for files that cannot be read, MemoryError at the limits.
    """
    if lake.folder is None:
        raise BadRequest(f"{lake.uri} is on AWS: query it in Athena; this command reads lakes in folders")
    catalog = open_catalog(lake.uri, lake.catalog_uri)
    with connect(f"{lake.folder}/warehouse/", limits) as connection:
        with _translated(statement):
            for read in statement.reads:
                _create_view(connection, catalog, read)
            reader = connection.sql(statement.sql).to_arrow_reader(_BATCH_ROWS)
        yield pa.RecordBatchReader.from_batches(reader.schema, _batches(reader, statement))


def connect(warehouse: str, limits: Limits) -> duckdb.DuckDBPyConnection:
    """DuckDB as it answers queries: it may open files of the folder `warehouse`."""
    connection = duckdb.connect(
        config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"},
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET integer_division = true")  # of integers alone, as in Trino
    # By Parquet's statistics, which leave NaN out, it takes a column as free of NaN: is_nan() was always false.
    connection.execute("SET disabled_optimizers = 'statistics_propagation'")
    connection.execute(f"SET memory_limit = '{limits.memory}B'")
    connection.execute(f"SET temp_directory = {_literal(str(limits.spill))}")
    connection.execute(f"SET max_temp_directory_size = '{limits.spill_bytes}B'")
    connection.execute(f"SET allowed_directories = [{_literal(warehouse)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    for statement in create_macros():
        connection.execute(statement)
    return connection


def _create_view(connection: duckdb.DuckDBPyConnection, catalog: "Catalog", read: TableRead) -> None:
    table = load_table(catalog, read.name)
    if read.metadata:
        connection.register(read.view, getattr(table.inspect, read.metadata)())
        return
    files = list(list_existing(table, TABLES[read.name], None, _snapshot_id(connection, table, read)))
    if not files:
        connection.register(read.view, table.schema().as_arrow().empty_table())
        return
    deletes = f"{read.view} deletes"
    connection.register(deletes, _dead_rows(files, table.io))
    whole = [_path(file) for file in files if not file.deletes]
    cut = [_path(file) for file in files if file.deletes]
    selects = ([f"SELECT * FROM {_scan(whole)}"] if whole else []) + ([_alive(cut, deletes)] if cut else [])
    connection.execute(f"CREATE VIEW {_name(read.view)} AS {' UNION ALL BY NAME '.join(selects)}")


def _scan(paths: Sequence[str], **options: str) -> str:
    given = ", ".join(f"{name} = {value}" for name, value in {"hive_partitioning": "false", **options}.items())
    return f"read_parquet([{', '.join(map(_literal, paths))}], {given})"


def _alive(paths: Sequence[str], deletes: str) -> str:
    """The rows of these files whose positions are not in the view `deletes`."""
    place = "filename, file_row_number"
    rows = _scan(paths, filename="true", file_row_number="true")
    return f"SELECT * EXCLUDE ({place}) FROM {rows} AS rows ANTI JOIN {_name(deletes)} USING ({place})"


def _dead_rows(files: Sequence[ExistingFile], io: FileIO) -> pa.Table:
    """The rows that position deletes take away: `filename`, and `file_row_number` from 0."""
    found = [(_path(file), file.dead(io)) for file in files if file.deletes]
    names = [pa.array([path] * len(dead), pa.string()) for path, dead in found]
    numbers = [pa.array(dead, pa.int64()) for _, dead in found]
    columns = [pa.chunked_array(names, pa.string()), pa.chunked_array(numbers, pa.int64())]
    return pa.Table.from_arrays(columns, names=["filename", "file_row_number"])


def _path(file: ExistingFile) -> str:
    return file.file.file_path.removeprefix("file://")


def _name(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql(dialect="duckdb")


def _snapshot_id(connection: duckdb.DuckDBPyConnection, table: Table, read: TableRead) -> int | None:
    if not read.kind:
        return None
    if read.kind == "VERSION":
        found = table.snapshot_by_id(int(read.as_of)) if read.as_of.isdecimal() else None
    else:
        ((moment,),) = connection.execute(f"SELECT epoch_ms(CAST({read.as_of} AS TIMESTAMPTZ))").fetchall()
        found = None if moment is None else table.snapshot_as_of_timestamp(moment)
    if found is None:
        raise BadRequest(f'{read.name} has no snapshot at {read.as_of}: see SELECT * FROM "{read.name}$snapshots"')
    return found.snapshot_id


def _batches(reader: pa.RecordBatchReader, statement: Statement) -> Iterator[pa.RecordBatch]:
    with _translated(statement):
        yield from reader


def _literal(text: str) -> str:
    return exp.Literal.string(text).sql(dialect="duckdb")


@contextmanager
def _translated(statement: Statement) -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise MemoryError(_first_lines(error)) from error
    except duckdb.BinderException as error:
        columns = (name for read in statement.reads if not read.metadata for name in TABLES[read.name].columns.names)
        raise BadRequest(explain_binding(_first_lines(error), statement.source, columns)) from error
    except duckdb.CatalogException as error:
        raise BadRequest(_describe_unknown(error)) from error
    except _OUTSIDE as error:
        raise StorageError(_first_lines(error)) from error
    except (duckdb.Error, pa.ArrowException) as error:
        raise BadRequest(_first_lines(error)) from error


def _describe_unknown(error: Exception) -> str:
    """That a function is not known here may be all that is wrong with it."""
    text = _first_lines(error).partition("\n")[0]
    known = re.search(r"Function with name (\S+) does not exist", text)
    return f"{known[1]} does not exist here; Athena may have it, or look up its name" if known else text


def _first_lines(error: Exception) -> str:
    """DuckDB's message without the excerpt of the translated SQL, which the user never wrote."""
    return str(error).removeprefix("Invalid Input Error: ").partition("\n\nLINE ")[0]
