"""Which metadata file of each table a catalog leads to, without looking at it: it may be another lake's."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from pyiceberg.catalog import Catalog

_OURS = "catalog_name = ? AND table_namespace = ? AND table_name = ?"


def read_pointers(catalog: Catalog) -> dict[str, str]:
    """The metadata file of each table, by name. Raises what the catalog raises."""
    if (database := _database(catalog)) is not None:
        with closing(sqlite3.connect(database)) as connection:
            query = "SELECT table_name, metadata_location FROM iceberg_tables WHERE catalog_name = ?"
            return dict(connection.execute(query, (catalog.name,)).fetchall())
    client: Any = catalog.glue  # type: ignore[attr-defined]
    pages = client.get_paginator("get_tables").paginate(DatabaseName=catalog.name)
    tables = [table for page in pages for table in page["TableList"]]
    found = {table["Name"]: table.get("Parameters", {}).get("metadata_location") for table in tables}
    return {name: uri for name, uri in found.items() if uri}


def repoint(catalog: Catalog, metadata: Mapping[str, str], known: Mapping[str, str]) -> None:
    """Lead to these files instead of those `known`: in a folder's catalog to all at once or to none, in Glue one after
    another. Raises what the catalog raises."""
    if (database := _database(catalog)) is not None:
        _repoint_all(database, catalog.name, metadata, known)
        return
    for name, uri in metadata.items():
        if name in known:
            catalog.drop_table((catalog.name, name))
        catalog.register_table((catalog.name, name), uri)


def _repoint_all(database: str, catalog: str, metadata: Mapping[str, str], known: Mapping[str, str]) -> None:
    connection = sqlite3.connect(database, isolation_level="IMMEDIATE")
    with closing(connection), connection:
        for name, uri in metadata.items():
            if name in known:
                change = (
                    f"UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = NULL WHERE {_OURS}"
                )
                connection.execute(change, (uri, catalog, catalog, name))
            else:
                columns = "catalog_name, table_namespace, table_name, metadata_location"
                insert = f"INSERT INTO iceberg_tables ({columns}) VALUES (?, ?, ?, ?)"
                connection.execute(insert, (catalog, catalog, name, uri))


def _database(catalog: Catalog) -> str | None:
    """The path of a folder's catalog."""
    engine = getattr(catalog, "engine", None)
    return None if engine is None else str(engine.url.database)
