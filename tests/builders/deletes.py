"""Deletes as another engine writes them, of rows in a data file."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io import FileIO
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestEntry,
    ManifestEntryStatus,
    write_manifest_list,
)

from pixlake import storage
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.existing import ExistingFile, list_existing
from pixlake.iceberg.lakes import Lake
from pixlake.iceberg.moving import DeletesManifest
from pixlake.iceberg.pointers import read_pointers, repoint
from pixlake.schemas import TableSchema


def delete_positions(
    file: ExistingFile,
    io: FileIO,
    positions: Sequence[int],
    content: DataFileContent = DataFileContent.POSITION_DELETES,
) -> ExistingFile:
    """The file with a file of deletes, which names a row of another file, too."""
    path = file.file.file_path
    uri = f"{path.rpartition('/')[0]}/{uuid.uuid4()}.parquet"
    rows = pa.table({"file_path": [path] * len(positions) + ["other"], "pos": [*positions, 0]})
    with io.new_output(uri).create() as sink, pq.ParquetWriter(sink, rows.schema) as writer:
        writer.write_table(rows)
    delete = DataFile.from_args(content=content, file_path=uri, file_format=FileFormat.PARQUET)
    return replace(file, deletes=(delete,))


def commit_deletes(lake: Lake, schema: TableSchema, positions: Sequence[int]) -> None:
    """Delete these rows of a table's first data file, as a part of the table's current snapshot."""
    catalog = open_catalog(lake.uri, lake.catalog_uri)
    table = load_table(catalog, schema.name)
    snapshot = table.current_snapshot()
    assert snapshot is not None
    first = next(list_existing(table, schema, None))
    (delete,) = delete_positions(first, table.io, positions).deletes
    size = len(table.io.new_input(delete.file_path))
    values: dict[str, Any] = {
        "partition": first.file.partition,
        "record_count": len(positions) + 1,
        "file_size_in_bytes": size,
    }
    named: dict[str, Any] = {
        "content": delete.content,
        "file_path": delete.file_path,
        "file_format": delete.file_format,
    }
    file = DataFile.from_args(**values, **named)
    file.spec_id = table.spec().spec_id
    folder = table.metadata_location.rpartition("/")[0]
    output = table.io.new_output(f"{folder}/{uuid.uuid4()}-m0.avro")
    status, number = ManifestEntryStatus.ADDED, snapshot.sequence_number
    assert number is not None
    with DeletesManifest(table.spec(), table.schema(), output, snapshot.snapshot_id, "deflate") as writer:
        entry: dict[str, Any] = {"status": status, "snapshot_id": snapshot.snapshot_id, "sequence_number": number}
        writer.add_entry(ManifestEntry.from_args(**entry, file_sequence_number=number, data_file=file))
    manifest = writer.to_manifest_file()
    manifest.sequence_number = number
    lists = f"{folder}/snap-{uuid.uuid4()}.avro"
    with write_manifest_list(2, table.io.new_output(lists), snapshot.snapshot_id, None, number, "deflate") as listed:
        listed.add_manifests([*snapshot.manifests(table.io), manifest])
    document = json.loads(storage.read(table.metadata_location))
    document["snapshots"][-1]["manifest-list"] = lists
    metadata = f"{folder}/99999-{uuid.uuid4()}.metadata.json"
    storage.write(metadata, json.dumps(document).encode())
    repoint(catalog, {schema.name: metadata}, read_pointers(catalog))
