"""The lake's tables in DuckDB: for each table that a query reads, a view over the data files of one snapshot.

pyiceberg plans which files a snapshot has, DuckDB reads from them the columns and row groups that the query needs.
Only the positions of rows that another engine has deleted are loaded before. DuckDB may open files of the warehouse and
no others, has limits of memory and of temporary disk, and its settings are locked.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
from sqlglot import exp

from pixlake.errors import BadRequest, StorageError
from pixlake.iceberg.lakes import Lake
from pixlake.schemas import TABLES
from pixlake.sql.binding import explain_binding
from pixlake.sql.dialect import Statement, TableRead
from pixlake.sql.macros import create_macros
from pixlake.sql.worker import TABLES_FOLDER, TableFiles

if TYPE_CHECKING:
    from pyiceberg.table import Table

_BATCH_ROWS = 4_096
_OUTSIDE = (duckdb.IOException, duckdb.InternalException)


@dataclass(frozen=True)
class Limits:
    """Bytes of memory, and of `spill`, a folder for what does not fit into it."""

    memory: int
    spill: Path
    spill_bytes: int


@contextmanager
def run_query(
    lake: Lake, statement: Statement, limits: Limits, planned: Mapping[str, TableFiles] | None = None
) -> Iterator[pa.RecordBatchReader]:
    """The rows of one query, as they are computed. `planned` has the files of tables as they are now; what it lacks is
    looked up, in a lake in a folder.

    Raises BadRequest for SQL that is wrong, StorageError for files that cannot be read, MemoryError at the limits.
    """
    warehouse = _Warehouse(lake, planned or {})
    allowed = limits.spill / TABLES_FOLDER if lake.folder is None else lake.folder / "warehouse"
    with connect(allowed, limits) as connection:
        with _translated(statement):
            for number, read in enumerate(statement.reads):
                warehouse.create_view(connection, read, limits.spill / f"deletes-{number}.arrow")
            reader = connection.sql(statement.sql).to_arrow_reader(_BATCH_ROWS)
        yield pa.RecordBatchReader.from_batches(reader.schema, _batches(reader, statement))


def connect(warehouse: Path, limits: Limits) -> duckdb.DuckDBPyConnection:
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
    connection.execute(f"SET allowed_directories = [{_literal(f'{warehouse}/')}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    for statement in create_macros():
        connection.execute(statement)
    return connection


@dataclass(frozen=True)
class _Warehouse:
    """Where a query's tables are."""

    lake: Lake
    planned: Mapping[str, TableFiles]

    def create_view(self, connection: duckdb.DuckDBPyConnection, read: TableRead, deletes: Path) -> None:
        files = None if read.metadata or read.kind else self.planned.get(read.name)
        if files is None:
            # the catalog takes longer to import than many queries to answer
            from pixlake.sql.planning import point_to

            table = self._load_table(read)
            if read.metadata:
                connection.register(read.view, getattr(table.inspect, read.metadata)())
                return
            files = point_to(table, None, deletes, _snapshot_id(connection, table, read))
        _create_view(connection, read, files)

    def _load_table(self, read: TableRead) -> "Table":
        from pixlake.iceberg.catalog import load_table, open_catalog

        if self.lake.folder is None:
            raise BadRequest(f"{self.lake.uri} is on AWS: query {read.view} in Athena; here lakes in folders are read")
        return load_table(open_catalog(self.lake.uri, self.lake.catalog_uri), read.name)


def _create_view(connection: duckdb.DuckDBPyConnection, read: TableRead, files: TableFiles) -> None:
    if not files.whole and not files.cut:
        connection.register(read.view, TABLES[read.name].columns.empty_table())
        return
    selects = [f"SELECT * FROM {_scan(files.whole)}"] if files.whole else []
    if files.cut:
        deletes = f"{read.view} deletes"
        with pa.ipc.open_file(files.deletes) as dead:
            connection.register(deletes, dead.read_all())
        selects.append(_alive(files.cut, deletes))
    connection.execute(f"CREATE VIEW {_name(read.view)} AS {' UNION ALL BY NAME '.join(selects)}")


def _scan(paths: Sequence[str], **options: str) -> str:
    given = ", ".join(f"{name} = {value}" for name, value in {"hive_partitioning": "false", **options}.items())
    return f"read_parquet([{', '.join(map(_literal, paths))}], {given})"


def _alive(paths: Sequence[str], deletes: str) -> str:
    """The rows of these files whose positions are not in the view `deletes`."""
    place = "filename, file_row_number"
    rows = _scan(paths, filename="true", file_row_number="true")
    return f"SELECT * EXCLUDE ({place}) FROM {rows} AS rows ANTI JOIN {_name(deletes)} USING ({place})"


def _name(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql(dialect="duckdb")


def _snapshot_id(connection: duckdb.DuckDBPyConnection, table: "Table", read: TableRead) -> int | None:
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
