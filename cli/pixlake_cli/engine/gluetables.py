"""The tables of a folder's catalog as Glue shows them: the calls of pyiceberg's Glue catalog, over the SQLite file.

A table's version is its metadata file; an update of any but the current version is refused, as Glue refuses it.
That comparison is one SQL statement, so processes that work on the same folder and containers exclude one another.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from pixlake.errors import BadInput

_BUSY_SECONDS = 120
_TABLES = (
    "SELECT table_name, metadata_location, previous_metadata_location FROM iceberg_tables WHERE table_namespace = ?"
)
_SWAP = (
    "UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ?"
    " WHERE table_namespace = ? AND table_name = ? AND metadata_location = ?"
)


class GlueError(BadInput):
    """An exception of Glue's, by its name."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class GlueTables:
    """The catalog at `database`, whose tables `open_catalog` has made."""

    def __init__(self, database: Path) -> None:
        self._database = database

    def call(self, action: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Glue's answer; GlueError where Glue would answer with an error."""
        match action:
            case "GetDatabase":
                return {"Database": {"Name": request["Name"]}}
            case "GetTables":
                return {"TableList": self._tables(request["DatabaseName"])}
            case "GetTable":
                return {"Table": self._table(request["DatabaseName"], request["Name"])}
            case "UpdateTable":
                return self._update(request["DatabaseName"], request["TableInput"], request.get("VersionId"))
        raise GlueError("InvalidInputException", f"{action} is not offered by the laptop engine")

    def _tables(self, namespace: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self._database, timeout=_BUSY_SECONDS)) as connection:
            return [_shown(namespace, *row) for row in connection.execute(_TABLES, [namespace])]

    def _table(self, namespace: str, name: str) -> dict[str, Any]:
        for table in self._tables(namespace):
            if table["Name"] == name:
                return table
        raise GlueError("EntityNotFoundException", f"there is no table {namespace}.{name}")

    def _update(self, namespace: str, table: Mapping[str, Any], version: str | None) -> dict[str, Any]:
        new, name = table["Parameters"]["metadata_location"], table["Name"]
        with closing(sqlite3.connect(self._database, timeout=_BUSY_SECONDS)) as connection, connection:
            changed = connection.execute(_SWAP, [new, version, namespace, name, version]).rowcount
        if not changed:
            raise GlueError("ConcurrentModificationException", f"{namespace}.{name} is no longer at {version}")
        return {}


def _shown(namespace: str, name: str, location: str, previous: str | None) -> dict[str, Any]:
    parameters = {"table_type": "ICEBERG", "metadata_location": location}
    if previous:
        parameters["previous_metadata_location"] = previous
    return {"Name": name, "DatabaseName": namespace, "VersionId": location, "Parameters": parameters}
