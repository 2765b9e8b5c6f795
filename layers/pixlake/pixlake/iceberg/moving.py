"""A lake that was moved or copied opens at its new place: Iceberg's metadata names every file by its whole path.

Metadata, manifest lists, manifests and position deletes are written anew beside the old ones, with all snapshots; data
files stay as they are. Only then the catalog leads to them, in a folder to all at once. So a move that is cut short has
changed nothing, or is finished by the next one. The images' URIs, which rows hold, change by a commit on top.
"""

import io
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.catalog import Catalog
from pyiceberg.io import FileIO
from pyiceberg.manifest import (
    DATA_FILE_TYPE,
    DataFileContent,
    ManifestContent,
    ManifestEntry,
    ManifestFile,
    ManifestWriterV2,
    write_manifest_list,
)
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadataUtil, TableMetadataV2

from pixlake import storage
from pixlake.errors import BadRequest, MissingObject
from pixlake.iceberg.agreement import Agreement, Mask
from pixlake.iceberg.catalog import connect, load_table, make_namespace
from pixlake.iceberg.commit import Origin, Target, commit_upload
from pixlake.iceberg.existing import list_existing
from pixlake.iceberg.fileio import LAKE, LakeFileIO
from pixlake.iceberg.pointers import read_pointers, repoint
from pixlake.iceberg.recovery import find_newest
from pixlake.iceberg.translation import translated
from pixlake.lake import find_home
from pixlake.schemas import EMBEDDINGS, TABLES
from pixlake.settings import CompactSettings

HOMES = "pixlake.homes"
"""The table property with the former URIs of the lake, a line each."""
_SECONDS = 3600.0
_CODEC: Literal["deflate"] = "deflate"
_PLACES = {each.name: place for place, each in enumerate(DATA_FILE_TYPE[2].fields)}
_MANIFEST_PATH = 0
_DELETED_PATH = 2147483546
"""Iceberg's id of the column `file_path` of position deletes."""


@dataclass(frozen=True)
class Move:
    """A table that was at the lake's former URI `home`; `metadata` is its new metadata file."""

    table: str
    home: str
    metadata: str


def move_tables(lake_uri: str, catalog_uri: str) -> list[Move]:
    """Let all tables lead to this lake; those that do already stay as they are. Nothing may write to it meanwhile.

    Raises MissingObject where files of the tables are not here, BadRequest, CatalogError and StorageError.
    """
    with translated(f"catalog {catalog_uri}"):
        catalog = connect(lake_uri, catalog_uri)
        make_namespace(catalog)
        pointers = read_pointers(catalog)
        newest = {} if pointers.keys() >= TABLES.keys() else find_newest(lake_uri)
        moves = [move for name in TABLES if (move := _move(lake_uri, name, pointers.get(name), newest.get(name)))]
        repoint(catalog, {move.table: move.metadata for move in moves}, pointers)
    if EMBEDDINGS.name in {*pointers, *(move.table for move in moves)}:
        _move_images(catalog, lake_uri)
    return moves


def _move(lake_uri: str, name: str, pointer: str | None, newest: str | None) -> Move | None:
    """The table's new metadata; of a catalog that does not have it, the newest that is here."""
    if pointer is not None and find_home(pointer) == lake_uri:
        return None
    here = newest if pointer is None else _Place(find_home(pointer), lake_uri).of(pointer)
    if here is None:
        return None
    try:
        metadata = TableMetadataUtil.parse_raw(storage.read(here).decode())
    except MissingObject as error:
        raise MissingObject(f"{here} is not there: move or copy the whole lake, then repeat this") from error
    place = _Place(find_home(metadata.location), lake_uri)
    if place.home == lake_uri:
        return Move(name, lake_uri, here)
    if not isinstance(metadata, TableMetadataV2):
        raise BadRequest(f"{here}: only tables of Iceberg's format 2 are moved")
    return Move(name, place.home, _Rewriting(place, metadata).write(here))


@dataclass(frozen=True)
class _Place:
    """From where to where the lake went."""

    home: str
    lake: str

    def of(self, path: str) -> str:
        """Where a file is now."""
        if not path.startswith(f"{self.home}/"):
            raise BadRequest(f"{path} never was in the lake {self.home}: its tables cannot be moved")
        return self.lake + path.removeprefix(self.home)


@dataclass
class _Rewriting:
    """The files of one table, written anew; each manifest once."""

    place: _Place
    metadata: TableMetadataV2
    manifests: dict[str, ManifestFile | None] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    folder: str = ""

    def write(self, uri: str) -> str:
        """The new metadata file, from the one at `uri`."""
        self.folder = uri.rpartition("/")[0]
        document: dict[str, Any] = msgspec.json.decode(storage.read(uri))
        lists = {each.snapshot_id: self._write_list(each.snapshot_id) for each in self.metadata.snapshots}
        self._require_files()
        for snapshot in document.get("snapshots", []):
            snapshot["manifest-list"] = lists[snapshot["snapshot-id"]]
        for statistics in (*document.get("statistics", []), *document.get("partition-statistics", [])):
            statistics["statistics-path"] = self.place.of(statistics["statistics-path"])
        properties = document.setdefault("properties", {})
        homes = [home for home in properties.get(HOMES, "").split("\n") if home]
        properties[HOMES] = "\n".join(dict.fromkeys([*homes, self.place.home]))
        document |= {
            "location": self.place.of(document["location"]),
            "metadata-log": [],
            "last-updated-ms": max(document["last-updated-ms"], time.time_ns() // 1_000_000),
        }
        number = int(re.split(r"\D", uri.rpartition("/")[2], maxsplit=1)[0] or 0)
        moved = f"{self.folder}/{number + 1:05d}-{uuid4()}.metadata.json"
        storage.write(moved, msgspec.json.encode(document))
        return moved

    def _require_files(self) -> None:
        """Raise MissingObject unless all data files came with the metadata."""
        table = self.place.of(self.metadata.location)
        missing = self.files - {each.uri for each in storage.list_objects(table)}
        if missing:
            raise MissingObject(
                f"{min(missing)} is not there, one of {len(missing)} files: copy the whole lake, then repeat this"
            )

    def _write_list(self, snapshot_id: int) -> str:
        snapshot = self.metadata.snapshot_by_id(snapshot_id)
        assert snapshot is not None
        io = _files(self.place.lake)
        here = snapshot.model_copy(update={"manifest_list": self.place.of(snapshot.manifest_list)})
        listed = [moved for each in here.manifests(io) if (moved := self._manifest(io, each)) is not None]
        uri = f"{self.folder}/snap-{snapshot_id}-{uuid4()}.avro"
        number, parent = snapshot.sequence_number, snapshot.parent_snapshot_id
        with write_manifest_list(2, io.new_output(uri), snapshot_id, parent, number, _CODEC) as writer:
            writer.add_manifests(listed)
        return uri

    def _manifest(self, io: FileIO, old: ManifestFile) -> ManifestFile | None:
        """The manifest, moved; None where all its files have been deleted."""
        if old.manifest_path not in self.manifests:
            self.manifests[old.manifest_path] = self._write_manifest(io, old)
        return self.manifests[old.manifest_path]

    def _write_manifest(self, io: FileIO, old: ManifestFile) -> ManifestFile | None:
        here = ManifestFile(*(old[place] for place in range(len(old))))
        here[_MANIFEST_PATH] = self.place.of(old.manifest_path)
        entries = here.fetch_manifest_entry(io)
        if not entries:
            return None
        uri = f"{self.folder}/{uuid4()}-m0.avro"
        spec, schema = self.metadata.specs()[old.partition_spec_id], self._schema()
        assert old.added_snapshot_id is not None
        kind = ManifestWriterV2 if old.content is ManifestContent.DATA else DeletesManifest
        with kind(spec, schema, io.new_output(uri), old.added_snapshot_id, _CODEC) as writer:
            for entry in entries:
                self._relocate(entry)
                writer.add_entry(entry)
        moved = writer.to_manifest_file()
        moved.sequence_number, moved.min_sequence_number = old.sequence_number, old.min_sequence_number
        return moved

    def _schema(self) -> Schema:
        return next(each for each in self.metadata.schemas if each.schema_id == self.metadata.current_schema_id)

    def _relocate(self, entry: ManifestEntry) -> None:
        file = entry.data_file
        here = self.place.of(file.file_path)
        if file.content is DataFileContent.POSITION_DELETES:
            here, size = self._write_deletes(here)
            file[_PLACES["file_size_in_bytes"]] = size
            for name in ("lower_bounds", "upper_bounds"):
                bounds = file[_PLACES[name]] or {}
                file[_PLACES[name]] = {column: bound for column, bound in bounds.items() if column != _DELETED_PATH}
        self.files.add(here)
        file[_PLACES["file_path"]] = here

    def _write_deletes(self, uri: str) -> tuple[str, int]:
        """Position deletes of the files where these are now; their URI and bytes."""
        rows = pq.read_table(pa.BufferReader(storage.read(uri)))
        home = f"{self.place.home}/"
        named = rows["file_path"].to_pylist()
        paths = pa.array([self.place.of(path) if path.startswith(home) else path for path in named], pa.string())
        column = rows.schema.get_field_index("file_path")
        buffer = io.BytesIO()
        pq.write_table(rows.set_column(column, rows.schema.field(column), paths), buffer, compression="zstd")
        moved = f"{uri.rpartition('/')[0]}/{uuid4()}-deletes.parquet"
        storage.write(moved, buffer.getbuffer())
        return moved, buffer.tell()


def _files(lake_uri: str) -> FileIO:
    return LakeFileIO(properties={LAKE: lake_uri})


class DeletesManifest(ManifestWriterV2):
    """A manifest of files of deletes."""

    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return super()._meta | {"content": "deletes"}


@dataclass(frozen=True)
class _Moved(Agreement):
    """The rows of `embeddings`: images that were in a former home are in the lake."""

    homes: tuple[str, ...] = ()
    lake: str = ""

    def stale(self, rows: pa.RecordBatch) -> Mask:
        found = [pc.starts_with(rows.column("image_uri"), f"{home}/images/") for home in self.homes]
        mask: Mask = np.any([each.to_numpy(zero_copy_only=False) for each in found], axis=0)
        return mask

    def apply(self, rows: pa.Table) -> pa.Table:
        uris = rows["image_uri"]
        for home in self.homes:
            end = rf"^{re.escape(home)}/images/"
            uris = pc.replace_substring_regex(uris, end, f"{self.lake}/images/".replace("\\", r"\\"))
        place = rows.schema.get_field_index("image_uri")
        return rows.set_column(place, rows.schema.field(place), uris)


def _move_images(catalog: Catalog, lake_uri: str) -> None:
    """Change the URIs of images, where some lead to a former home."""
    table = load_table(catalog, EMBEDDINGS.name)
    homes = tuple(home for home in table.properties.get(HOMES, "").split("\n") if home not in ("", lake_uri))
    if not homes:
        return
    agreement = _Moved(everything=True, columns=("image_uri",), homes=homes, lake=lake_uri)
    for partition in _partitions(table):
        deadline = time.monotonic() + _SECONDS
        target = Target(table, EMBEDDINGS, partition, CompactSettings.target_file_bytes, deadline)
        commit_upload(target, [], Origin(f"move {uuid4()}", agree=lambda: agreement))


def _partitions(table: Table) -> Iterator[str]:
    yield from sorted({file.file.partition[0] for file in list_existing(table, EMBEDDINGS, None)})
