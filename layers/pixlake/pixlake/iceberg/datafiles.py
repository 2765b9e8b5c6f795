"""Rows into data files of an Iceberg table: sorted, of the right size, with the bounds that planning needs."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import PartitionFieldValue, PartitionKey
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.typedef import Record
from pyiceberg.types import IcebergType, ListType, MapType, NestedField

from pixlake import parquet
from pixlake.errors import PixlakeError

ROW_GROUP_BYTES = 64 << 20
_FIELD_ID = b"PARQUET:field_id"


@dataclass(frozen=True)
class Destination:
    """Where rows of one partition go. `partition` is the experiment, or None in a table without partitions."""

    table: Table
    partition: str | None
    target_file_bytes: int

    @property
    def key(self) -> PartitionKey | None:
        spec = self.table.spec()
        if spec.is_unpartitioned():
            return None
        values = [PartitionFieldValue(field, self.partition) for field in spec.fields]
        return PartitionKey(values, spec, self.table.schema())

    @property
    def record(self) -> Record:
        return self.key.partition if self.key else Record()


def write_data_files(destination: Destination, chunks: Iterable[pa.Table]) -> list[DataFile]:
    """Write the rows, in their order, to new files that no snapshot names yet; one ends when it has the target size."""
    groups = _row_groups(chunks)
    files = []
    for first in groups:
        files.append(_write_file(destination, first, groups))
    return files


def _row_groups(chunks: Iterable[pa.Table]) -> Iterator[pa.Table]:
    pending: list[pa.Table] = []
    size = 0
    for chunk in chunks:
        pending.append(chunk)
        size += chunk.nbytes
        if size >= ROW_GROUP_BYTES:
            yield pa.concat_tables(pending)
            pending, size = [], 0
    if pending:
        yield pa.concat_tables(pending)


def _write_file(destination: Destination, first: pa.Table, rest: Iterator[pa.Table]) -> DataFile:
    table = destination.table
    uri = table.location_provider().new_data_location(f"{uuid4()}.parquet", destination.key)
    schema = stamp_field_ids(first.schema, table.schema())
    sink = table.io.new_output(uri).create()
    try:
        with sink, pq.ParquetWriter(sink, schema, **parquet.options(schema)) as writer:
            _fill(writer, first, rest, sink, destination.target_file_bytes)
            writer.close()
            size = sink.tell()
    except BaseException:
        with suppress(PixlakeError):
            table.io.delete(uri)
        raise
    return _describe(destination, uri, size, writer.writer.metadata)


def _fill(writer: pq.ParquetWriter, first: pa.Table, rest: Iterator[pa.Table], sink: object, target: int) -> None:
    group: pa.Table | None = first
    while group is not None:
        writer.write_table(group, row_group_size=group.num_rows)
        group = next(rest, None) if sink.tell() < target else None  # type: ignore[attr-defined]


def _describe(destination: Destination, uri: str, size: int, footer: pq.FileMetaData) -> DataFile:
    """The manifest's entry, with the footer's counts and bounds."""
    schema = destination.table.schema()
    statistics = data_file_statistics_from_parquet_metadata(
        footer,
        compute_statistics_plan(schema, destination.table.properties),
        parquet_path_to_id_mapping(schema),
    )
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=uri,
        file_format=FileFormat.PARQUET,
        partition=destination.record,
        file_size_in_bytes=size,
        sort_order_id=destination.table.sort_order().order_id,
        spec_id=destination.table.spec().spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )


def stamp_field_ids(columns: pa.Schema, schema: Schema) -> pa.Schema:
    """The columns with the field ids of the table, by which Iceberg's readers find them."""
    return pa.schema([_stamp(column, schema.find_field(column.name)) for column in columns])


def _stamp(column: pa.Field, field: NestedField) -> pa.Field:
    kind = _stamp_type(column.type, field.field_type)
    return pa.field(column.name, kind, column.nullable, {_FIELD_ID: str(field.field_id)})


def _stamp_type(kind: pa.DataType, iceberg: IcebergType) -> pa.DataType:
    if isinstance(iceberg, ListType):
        return pa.list_(_stamp(kind.value_field, iceberg.element_field))
    if isinstance(iceberg, MapType):
        return pa.map_(_stamp(kind.key_field, iceberg.key_field), _stamp(kind.item_field, iceberg.value_field))
    return kind
