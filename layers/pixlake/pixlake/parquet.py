"""Writes Parquet: the one place for compression, dictionaries and statistics.

Vectors are random to a compressor and to a reader's filters, so lists of floats get neither dictionary nor statistics,
which cost time and footer bytes for no gain. Files are deterministic: a step run twice writes the same bytes.
"""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pixlake import storage
from pixlake.schemas import TableSchema


def options(schema: pa.Schema) -> dict[str, Any]:
    """Keyword arguments for `pyarrow.parquet.ParquetWriter` that fit the columns of `schema`."""
    leaves = [leaf for field in schema for leaf in _leaves(field.name, field.type)]
    useful = [path for path, kind in leaves if not pa.types.is_float32(kind)]
    return {"compression": "zstd", "compression_level": 1, "use_dictionary": useful, "write_statistics": useful}


def writer(sink: Any, table: TableSchema) -> pq.ParquetWriter:
    """A writer of `table`'s columns to a path or an open file."""
    return pq.ParquetWriter(sink, table.columns, **options(table.columns))


def write_part(uri: str, table: TableSchema, rows: pa.Table) -> int:
    """Put `rows`, sorted by the table's key, as one object; without rows an empty part, which marks the work as done.

    Returns the number of rows. The rows are in memory anyway, and an object appears whole or not at all.
    """
    keys = [(column, "ascending") for column in table.key]
    buffer = io.BytesIO()
    with writer(buffer, table) as parquet:
        parquet.write_table(rows.sort_by(keys).cast(table.columns))
    storage.write(uri, buffer.getbuffer())
    return int(rows.num_rows)


def _leaves(path: str, kind: pa.DataType) -> list[tuple[str, pa.DataType]]:
    """The column paths of a field as Parquet names them, each with its type."""
    if pa.types.is_map(kind):
        pairs = [("key", kind.key_type), ("value", kind.item_type)]
        return [leaf for name, child in pairs for leaf in _leaves(f"{path}.key_value.{name}", child)]
    if pa.types.is_list(kind):
        return _leaves(f"{path}.list.element", kind.value_type)
    return [(path, kind)]
