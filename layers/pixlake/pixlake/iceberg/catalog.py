"""The catalog of a lake: Glue on AWS, SQLite in the folder on a laptop, with the tables that `schemas` describes.

A new table lies at a location of its own, `warehouse/<table>-<8 hex digits>`, so that a catalog that has lost its
pointers never takes the files of an older table for its own. Files outside of the lake are refused.

`CATALOG_URI` is `glue://database`, `glue` for the database `pixlake`, or `sqlite:////abs/path/catalog.db`. A catalog's
name is its database's. Opening makes what is missing; any number of processes may open a new lake at once.
"""

import re
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.exceptions import NamespaceAlreadyExistsError, NoSuchNamespaceError, NoSuchTableError
from pyiceberg.io import FileIO, load_file_io
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.table import Table
from pyiceberg.table.sorting import SortField, SortOrder
from pyiceberg.transforms import IdentityTransform

from pixlake import storage
from pixlake.errors import BadRequest, MissingObject, PixlakeError
from pixlake.iceberg import fileio
from pixlake.iceberg.answers import require_whole
from pixlake.iceberg.commit import Target, commit_sources
from pixlake.iceberg.keys import PARTITION
from pixlake.iceberg.lakes import DATABASE
from pixlake.iceberg.rows import TableRows
from pixlake.iceberg.translation import translated
from pixlake.schemas import EXECUTIONS, TABLES, TableSchema
from pixlake.storage import join

_COMMIT_SECONDS = 240.0
_TARGET_FILE_BYTES = 256 << 20
_PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    "write.delete.isolation-level": "serializable",
    "write.update.isolation-level": "serializable",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "50",
    # A conflict on keys is planned again by `commit`. This lets pyiceberg look whether a commit that was
    # answered with a failure did land, and go on top of commits that touched no rows.
    "commit.retry.num-retries": "3",
    "commit.retry.min-wait-ms": "20",
    "commit.retry.max-wait-ms": "500",
}


def open_catalog(lake_uri: str, catalog_uri: str) -> Catalog:
    """The catalog, with the namespace and all tables there. Raises BadRequest for an unknown URI, CatalogError."""
    with translated(f"catalog {catalog_uri}"):
        catalog = connect(lake_uri, catalog_uri)
        missing = TABLES.keys() - make_namespace(catalog)
        for name in sorted(missing):
            _create_table(catalog, lake_uri, TABLES[name])
        return catalog


def has_tables(catalog_uri: str) -> bool:
    """Whether anything was ever put there; nothing is made. Raises BadRequest for an unknown URI, CatalogError."""
    with translated(f"catalog {catalog_uri}"):
        catalog = connect("", catalog_uri)
        return catalog.table_exists((catalog.name, EXECUTIONS.name))


def load_table(catalog: Catalog, name: str) -> Table:
    """The table as it is now."""
    with translated(f"table {name}"):
        return catalog.load_table((catalog.name, name))


def lake_files(catalog: Catalog) -> FileIO:
    """The lake's files as its tables reach them; no table is loaded for it."""
    return load_file_io(catalog.properties)


def load_existing(lake_uri: str, catalog_uri: str, name: str) -> tuple[Catalog, Table]:
    """The catalog and a table as they are; nothing is made. MissingObject where there is none yet."""
    with translated(f"table {name}"):
        catalog = connect(lake_uri, catalog_uri)
        try:
            return catalog, catalog.load_table((catalog.name, name))
        except (NoSuchTableError, NoSuchNamespaceError) as error:
            raise MissingObject(f"{lake_uri} has no table {name} yet: the first upload makes it") from error


def commit_rows(catalog: Catalog, table_name: str, rows: pa.Table, commit_id: str) -> int:
    """Commit a few rows of one experiment, by key and precedence; `commit_id` committed again changes nothing.

    Returns the number of keys. Raises CommitConflict, CatalogError, StorageError.
    """
    schema = TABLES[table_name]
    partition = rows[PARTITION][0].as_py() if rows.num_rows and schema.partitioned else None
    deadline = time.monotonic() + _COMMIT_SECONDS
    target = Target(load_table(catalog, table_name), schema, partition, _TARGET_FILE_BYTES, deadline)
    return commit_sources(target, [TableRows(commit_id, rows.cast(schema.columns))], commit_id)


def connect(lake_uri: str, catalog_uri: str) -> Catalog:
    """The catalog as it is, for files of this lake alone; BadRequest for an unknown URI."""
    io = {"py-io-impl": fileio.IMPLEMENTATION, fileio.LAKE: lake_uri}
    if glue := re.fullmatch(r"glue(?:://([a-z0-9_]+))?", catalog_uri):
        catalog = load_catalog(glue[1] or DATABASE, type="glue", **io)
        require_whole(catalog.glue)  # type: ignore[attr-defined]
        return catalog
    scheme, separator, path = catalog_uri.partition(":///")
    if scheme == "sqlite" and separator and path.startswith("/"):
        # on AWS there is no SQLAlchemy, half a second to import
        from pixlake.iceberg.sqlite import connect

        return connect(DATABASE, Path(path), io)
    raise BadRequest(f"CATALOG_URI {catalog_uri!r}: use glue://database or sqlite:////absolute/path/catalog.db")


def table_names(catalog: Catalog) -> set[str]:
    """The tables that it has; none where the namespace is not there."""
    try:
        return _listed(catalog)
    except NoSuchNamespaceError:
        return set()


def make_namespace(catalog: Catalog) -> set[str]:
    """Make the namespace if it is not there; its tables. One without tables is there: no function may make it."""
    try:
        return _listed(catalog)
    except NoSuchNamespaceError:
        with suppress(NamespaceAlreadyExistsError):
            catalog.create_namespace(catalog.name)
        return set()


def _listed(catalog: Catalog) -> set[str]:
    return {identifier[-1] for identifier in catalog.list_tables(catalog.name)}


def _create_table(catalog: Catalog, lake_uri: str, table: TableSchema) -> None:
    schema = _iceberg_schema(table)
    location = join(lake_uri, "warehouse", f"{table.name}-{uuid4().hex[:8]}")
    made = catalog.create_table_if_not_exists(
        (catalog.name, table.name),
        schema,
        location=location,
        partition_spec=_partition_spec(table, schema),
        sort_order=_sort_order(table, schema),
        properties=_PROPERTIES | _metrics(table),
    )
    if made.location() != location:
        # another made it first; a function on AWS may not list, and leaves its one small file
        with suppress(PixlakeError):
            storage.delete([info.uri for info in storage.list_objects(location)])


def _iceberg_schema(table: TableSchema) -> Schema:
    return assign_fresh_schema_ids(Catalog._convert_schema_if_needed(table.columns))


def _partition_spec(table: TableSchema, schema: Schema) -> PartitionSpec:
    if not table.partitioned:
        return PartitionSpec()
    source = schema.find_field(PARTITION).field_id
    return PartitionSpec(PartitionField(source, 1000, IdentityTransform(), PARTITION))


def _sort_order(table: TableSchema, schema: Schema) -> SortOrder:
    return SortOrder(*(SortField(schema.find_field(name).field_id, IdentityTransform()) for name in table.key))


def _metrics(table: TableSchema) -> dict[str, str]:
    """Bounds of whole keys, for paths differ only at their ends; none of vectors."""
    modes = {f"write.metadata.metrics.column.{name}": "full" for name in table.key}
    if "embedding" in table.columns.names:
        modes["write.metadata.metrics.column.embedding"] = "none"
        modes["write.metadata.metrics.column.embedding.element"] = "none"
    return modes
