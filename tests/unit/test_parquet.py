"""Every table's files are written in one way."""

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pixlake.parquet import write_part, writer
from pixlake.schemas import REJECTS, TABLES, TableSchema


def some_value(kind: pa.DataType) -> Any:
    if pa.types.is_map(kind):
        return [("key", some_value(kind.item_type))]
    if pa.types.is_list(kind):
        return [some_value(kind.value_type)]
    if pa.types.is_timestamp(kind):
        return datetime(2026, 1, 1, tzinfo=UTC)
    return "text" if pa.types.is_string(kind) else pa.types.is_boolean(kind) or 1


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_all_columns_but_vectors_have_statistics_and_all_are_compressed(table: TableSchema) -> None:
    buffer = io.BytesIO()
    row = {field.name: [some_value(field.type)] for field in table.columns}
    with writer(buffer, table) as parquet:
        parquet.write_table(pa.Table.from_pydict(row, schema=table.columns))
    group = pq.ParquetFile(buffer).metadata.row_group(0)
    columns = [group.column(index) for index in range(group.num_columns)]
    without = {column.path_in_schema for column in columns if not column.is_stats_set}
    assert without == ({"embedding.list.element"} if table.name == "embeddings" else set())
    assert {column.compression for column in columns} == {"ZSTD"}


def test_a_part_is_sorted_by_the_tables_key_with_nulls_last(tmp_path: Path) -> None:
    table = TABLES["predictions"]
    keys = [("b", None), (None, "x"), ("a", None), (None, "c")]
    rows = [
        {"experiment_id": "e", "record_id": record, "image_path": path, "modality": "image", "model": "m@1"}
        | {"uploaded_at": datetime(2026, 1, 1, tzinfo=UTC), "processed_at": datetime(2026, 1, 1, tzinfo=UTC)}
        for record, path in keys
    ]
    target = tmp_path / "part.parquet"
    assert write_part(target.as_uri(), table, pa.Table.from_pylist(rows, schema=table.columns)) == 4
    found = pq.read_table(target, columns=["record_id", "image_path"]).to_pylist()
    assert [tuple(row.values()) for row in found] == [("a", None), ("b", None), (None, "c"), (None, "x")]


def test_a_part_without_rows_is_written(tmp_path: Path) -> None:
    target = tmp_path / "part.parquet"
    assert write_part(target.as_uri(), REJECTS, REJECTS.columns.empty_table()) == 0
    assert pq.read_table(target).schema.equals(REJECTS.columns)
