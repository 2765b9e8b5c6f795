"""DuckDB in Athena's place: it runs the statements of `pixlake.iceberg.statements`, translated, on Parquet in folders.

What it takes over of Athena: an external table's folder follows from the partition that is asked for, and its times
are of milliseconds, without zone. OPTIMIZE and VACUUM change no rows, and are only remembered.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from pixlake.schemas import TABLES


@dataclass
class Athena:
    """Tables that start empty, and every statement that was run."""

    connection: duckdb.DuckDBPyConnection
    statements: list[str] = field(default_factory=list)

    def run(self, sql: str) -> None:
        self.statements.append(sql)
        match sql.split(maxsplit=1)[0]:
            case "CREATE":
                self._register(sql)
            case "MERGE":
                self._merge(sql)
            case verb:
                assert verb in ("ALTER", "OPTIMIZE", "VACUUM")

    def rows(self, table: str) -> list[dict[str, Any]]:
        names = ", ".join(f'"{name}"' for name in TABLES[table].key)
        rows: list[dict[str, Any]] = self.connection.sql(f"FROM {table} ORDER BY {names}").to_arrow_table().to_pylist()
        return rows

    def _register(self, sql: str) -> None:
        created = sqlglot.parse_one(sql, read="athena")
        assert isinstance(created, exp.Create)
        location = re.search(r"'storage.location.template' = 's?file://(\S+)'", sql)
        assert location
        self.external = created.this.this.name
        self.columns = {column.name: column.args["kind"].sql("duckdb") for column in created.find_all(exp.ColumnDef)}
        self.columns.pop("execution", None)
        self.folder = location[1]

    def _merge(self, sql: str) -> None:
        asked = re.search(r"WHERE execution = '([^']+)'", sql)
        if asked:
            self._show_parts(asked[1])
        self.connection.execute(sqlglot.transpile(sql, read="athena", write="duckdb")[0])

    def _show_parts(self, execution: str) -> None:
        files = sorted(map(str, Path(self.folder.replace("${execution}", execution)).glob("*.parquet")))
        columns = [f"{self._read(name, kind)} AS {name}" for name, kind in self.columns.items()]
        paths = ", ".join(f"'{file}'" for file in files)
        source = (
            f"SELECT {', '.join(columns)}, filename AS \"$path\", '{execution}' AS execution"
            f" FROM read_parquet([{paths}], filename = true, hive_partitioning = false)"
        )
        if not files:
            empty = [f"CAST(NULL AS {kind}) AS {name}" for name, kind in self.columns.items()]
            source = f"SELECT {', '.join(empty)}, '' AS \"$path\", '' AS execution WHERE false"
        self.connection.execute(f"CREATE OR REPLACE VIEW {self.external} AS {source}")

    def _read(self, name: str, kind: str) -> str:
        if kind == "TIMESTAMP":
            return f"date_trunc('milliseconds', {name} AT TIME ZONE 'UTC')"
        return f"CAST({name} AS {kind})"


@contextmanager
def open_athena() -> Iterator[Athena]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE MACRO with_timezone(moment, zone) AS timezone(zone, moment)")
        for schema in TABLES.values():
            connection.register("columns", schema.columns.empty_table())
            connection.execute(f"CREATE TABLE {schema.name} AS FROM columns")
            for column in schema.columns:
                if not column.nullable and not pa.types.is_nested(column.type):
                    connection.execute(f"ALTER TABLE {schema.name} ALTER {column.name} SET NOT NULL")
        yield Athena(connection)
