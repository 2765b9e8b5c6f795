"""The catalog of a lake in a folder: a SQLite file, made complete at once. Only laptops import this module."""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

from pyiceberg.catalog.sql import IcebergNamespaceProperties, IcebergTables, SqlCatalog
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL
from sqlalchemy.schema import CreateTable

if TYPE_CHECKING:
    from sqlalchemy import Table as SqlTable

_BUSY_SECONDS = 120


def connect(name: str, path: Path, properties: Mapping[str, str]) -> SqlCatalog:
    """The catalog `name` in the file at `path`, which is made with the namespace `name` if it is not there."""
    _make_database(name, path)
    uri = URL.create("sqlite", database=str(path), query={"timeout": str(_BUSY_SECONDS)}).render_as_string()
    return SqlCatalog(name, uri=uri, init_catalog_tables="false", **properties)


def _make_database(name: str, path: Path) -> None:
    """Make the database complete under another name, then give it its name at once, if no other process has."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        draft = Path(folder) / path.name
        with closing(sqlite3.connect(draft)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            for model in (IcebergTables, IcebergNamespaceProperties):
                create = CreateTable(cast("SqlTable", model.__table__))
                connection.execute(str(create.compile(dialect=sqlite.dialect())))
            # here, as two processes that both add it later would meet
            for key, value in IcebergNamespaceProperties.NAMESPACE_MINIMAL_PROPERTIES.items():
                row = (name, name, key, value)
                connection.execute("INSERT INTO iceberg_namespace_properties VALUES (?, ?, ?, ?)", row)
            connection.commit()
        with suppress(FileExistsError):
            os.link(draft, path)
