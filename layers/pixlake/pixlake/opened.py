"""A lake from Python: `pixlake.open("my-lake").table("records").to_pandas()`."""

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from pixlake.errors import BadRequest, PixlakeError
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.lakes import Lake
from pixlake.schemas import TABLES

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.table import DataScan


class OpenLake:
    """The tables of a lake, and the most used commands, by the same code."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def __repr__(self) -> str:
        return f"<lake {self._lake.uri}>"

    def table(self, name: str) -> "DataScan":
        """A table as it is now: PyIceberg's scan, which reads on demand.

        `.filter("experiment_id = 'pets'")` and `.select("record_id", "attributes")` narrow it; `.to_pandas()`,
        `.to_polars()`, `.to_arrow()`, `.to_duckdb("name")` and `.to_arrow_batch_reader()` read it, the first two and
        DuckDB where they are installed. Raises BadRequest for another name, MissingObject where the lake is empty.
        """
        if name not in TABLES:
            raise BadRequest(f"there is no table {name!r}; the lake has {', '.join(TABLES)}")
        lake = self._lake.existing()
        return load_table(open_catalog(lake.uri, lake.catalog_uri), name).scan()

    def query(self, sql: str) -> "pa.Table":
        """The rows of a query in Athena's SQL, as `pixlake query` gives them. Raises BadRequest for SQL that is wrong.

        For a lake in a folder; query one on S3 in Athena.
        """
        # DuckDB and sqlglot are of the laptop and of the API, and of no other function
        from pixlake.sql.limited import read_rows

        with read_rows(self._lake.existing(), sql) as rows:
            return rows.read_all()

    def run(self, *uploads: str | os.PathLike[str], experiment: str | None = None) -> dict[str, Any]:
        """Put one upload (a zip, a folder or image files) through the whole state machine, as `pixlake run` does.

        Returns what `--json` prints: `execution`, `status`, `images`, `records`, `embedded`, `predicted`, `rejected`,
        `seconds` and more. Progress goes to standard error. Raises BadRequest or PixlakeError where it fails.
        """
        words = [] if experiment is None else ["--experiment", experiment]
        where = str(self._lake.folder or self._lake.uri)
        arguments = ["run", "--json", "--lake", where, *words, "--", *(os.fspath(upload) for upload in uploads)]
        # a process of its own, for the engine replaces AWS in the whole process
        command = [sys.executable, "-P", "-m", "pixlake_cli", *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if not done.stdout:
            kind = BadRequest if done.returncode == 2 else PixlakeError
            raise kind(f"the run ended with {done.returncode}; standard error says why")
        *_, last = done.stdout.splitlines()
        found: dict[str, Any] = json.loads(last)
        return found


def open_lake(where: str | os.PathLike[str], database: str) -> OpenLake:
    """The lake for `pixlake.open`."""
    return OpenLake(Lake.at(os.fspath(where)).in_database(database))
