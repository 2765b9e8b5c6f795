"""Registers tables in a catalog that has lost, or never had, the pointers to them.

The newest metadata file of each table is found in the warehouse. Which table it is follows from its location, whose
last name is `<table>` or `<table>-<digits>`.
"""

import re
from collections import defaultdict
from dataclasses import dataclass

import msgspec
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError

from pixlake import storage
from pixlake.iceberg.catalog import connect, make_namespace
from pixlake.iceberg.translation import translated
from pixlake.schemas import TABLES
from pixlake.storage import join

METADATA_END = ".metadata.json"
WAY_OUT = "`pixlake tables --register` registers the newest metadata of each table"
_LOCATION = re.compile(rf"/warehouse/(?P<table>{'|'.join(TABLES)})(?:-[0-9a-f]{{8}})?/metadata/(?P<number>\d+)-[^/]+")


class _Metadata(msgspec.Struct, rename="kebab"):
    """The fields that are read of a metadata file."""

    table_uuid: str
    last_updated_ms: int
    current_snapshot_id: int | None = None

    @property
    def rank(self) -> tuple[bool, int]:
        """Greatest for the newest that holds rows."""
        return self.current_snapshot_id not in (None, -1), self.last_updated_ms


@dataclass(frozen=True)
class Registration:
    """The result for one table: `metadata` is the newest file, empty where there is none; `registered` whether the
    catalog was changed to it."""

    table: str
    metadata: str
    registered: bool


def register_tables(lake_uri: str, catalog_uri: str) -> list[Registration]:
    """Point the catalog to the newest metadata of each table in the warehouse.

    A table that the catalog has with a snapshot stays as it is. Raises BadRequest, CatalogError and StorageError.
    """
    newest = find_newest(lake_uri)
    with translated(f"catalog {catalog_uri}"):
        catalog = connect(lake_uri, catalog_uri)
        make_namespace(catalog)
        return [_register(catalog, name, newest.get(name, "")) for name in TABLES]


def read_uuid(metadata_uri: str) -> str:
    """The uuid of the table that a metadata file describes; empty for any other file."""
    try:
        return _read(metadata_uri).table_uuid
    except msgspec.MsgspecError:
        return ""


def _register(catalog: Catalog, name: str, metadata: str) -> Registration:
    identifier = (catalog.name, name)
    try:
        known = catalog.load_table(identifier)
        if known.current_snapshot() is not None or not metadata or known.metadata_location == metadata:
            return Registration(name, metadata, registered=False)
        catalog.drop_table(identifier)  # the pointer to an empty table; its files stay
    except NoSuchTableError:
        if not metadata:
            return Registration(name, "", registered=False)
    catalog.register_table(identifier, metadata)
    return Registration(name, metadata, registered=True)


def find_newest(lake_uri: str) -> dict[str, str]:
    """The newest metadata file of each table, by name; of each location only its last version is read."""
    last: dict[str, dict[str, tuple[int, str]]] = defaultdict(dict)
    for info in storage.list_objects(join(lake_uri, "warehouse")):
        found = _LOCATION.search(info.uri) if info.uri.endswith(METADATA_END) else None
        if found:
            folder = info.uri.rpartition("/")[0]
            last[found["table"]][folder] = max(
                last[found["table"]].get(folder, (-1, "")), (int(found["number"]), info.uri)
            )
    return {
        name: max((uri for _, uri in each.values()), key=lambda uri: _read(uri).rank) for name, each in last.items()
    }


def _read(uri: str) -> _Metadata:
    return msgspec.json.decode(storage.read(uri), type=_Metadata)
