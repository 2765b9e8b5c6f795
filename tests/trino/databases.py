"""Lakes whose tables lie in a Glue database of their own, where Pixlake and Trino both find them."""

import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from pixlake.iceberg.lakes import Lake
from pixlake.schemas import TABLES
from tests.builders import executions
from tests.servers.real_s3 import make_bucket
from tests.servers.trino import Trino

_REGISTER = re.compile(
    r"CREATE EXTERNAL TABLE IF NOT EXISTS `(\w+)` \((.+)\) PARTITIONED BY \(`execution` string\)"
    r" STORED AS PARQUET LOCATION '([^']+)' TBLPROPERTIES \((.+)\)"
)
_OPTIMIZE = re.compile(r"OPTIMIZE (\w+) REWRITE DATA USING BIN_PACK (WHERE .+)")
_PARQUET = "org.apache.hadoop.hive.ql.io.parquet"


@dataclass(frozen=True)
class Servers:
    """Addresses of Glue and S3, and Trino over them."""

    glue: str
    s3: str
    trino: Trino


@dataclass
class Database(executions.TableLake):
    """A lake, its database, and what of Athena's statements Trino has no words for, in order."""

    trino: Trino
    name: str
    where: str
    not_run: list[str] = field(default_factory=list)

    @property
    def uri(self) -> str:
        return self.where

    @property
    def catalog_uri(self) -> str:
        return f"glue://{self.name}"

    @property
    def lake(self) -> Lake:
        return Lake(self.uri, self.catalog_uri, self.folder if self.uri.startswith("file://") else None)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self.trino.run(sql, self.name)

    def asked_rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table, as Trino reads them."""
        names = TABLES[table].columns.names
        return [dict(zip(names, row, strict=True)) for row in self.ask(f"SELECT {', '.join(names)} FROM {table}")]

    def run(self, sql: str) -> None:
        """A statement that Athena is given."""
        match sql.split(maxsplit=1)[0]:
            case "CREATE":
                self._register(sql)
            case "MERGE":
                self.ask(sql)
            case "OPTIMIZE":
                found = _OPTIMIZE.fullmatch(sql)
                assert found, sql
                self.trino.run(f"ALTER TABLE {found[1]} EXECUTE optimize {found[2]}", self.name, "iceberg")
            case _:
                self.not_run.append(sql)

    def _register(self, sql: str) -> None:
        """The table in Glue as Athena registers it."""
        found = _REGISTER.fullmatch(sql)
        assert found, sql
        glue = boto3.client("glue")
        if found[1] in [table["Name"] for table in glue.get_tables(DatabaseName=self.name)["TableList"]]:
            return
        columns = re.findall(r"`(\w+)` ((?:<[^>]*>|[^,<])+)", found[2])
        storage = {
            "Columns": [{"Name": name, "Type": kind} for name, kind in columns],
            "Location": found[3],
            "InputFormat": f"{_PARQUET}.MapredParquetInputFormat",
            "OutputFormat": f"{_PARQUET}.MapredParquetOutputFormat",
            "SerdeInfo": {"SerializationLibrary": f"{_PARQUET}.serde.ParquetHiveSerDe"},
        }
        table = {
            "Name": found[1],
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE", **dict(re.findall(r"'([^']+)' = '([^']+)'", found[4]))},
            "PartitionKeys": [{"Name": "execution", "Type": "string"}],
            "StorageDescriptor": storage,
        }
        glue.create_table(DatabaseName=self.name, TableInput=table)


def make_database(kind: str, servers: Servers, folder: Path) -> Database:
    """An empty one, in `folder` or in a bucket."""
    name = f"lake_{uuid.uuid4().hex[:12]}"
    if kind == "folder":
        place = folder / "a lake"
        place.mkdir()
        return Database(place, servers.trino, name, f"file://{place}")
    bucket = name.replace("_", "-")
    make_bucket(bucket)
    return Database(folder, servers.trino, name, f"s3://{bucket}")
