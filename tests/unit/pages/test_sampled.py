"""Of many images the same ones are taken, whatever the batches."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from pixlake.pages.sampled import Batches, read_known, sample

PATHS = [f"{number}.png" for number in range(100)]


def batches_of(rows: int) -> Batches:
    table = pa.table({"image_path": PATHS * 2, "model": ["a"] * 100 + ["b"] * 100, "width": range(200)})
    return lambda columns: iter(table.select(columns).to_batches(rows))


def paths(rows: int, count: int) -> list[str]:
    found = pa.Table.from_batches(sample(batches_of(rows), ["model", "image_path"], "a", count)).to_pylist()
    return [row["image_path"] for row in found if row["model"] == "a"]


@pytest.mark.parametrize("rows", [7, 1_000])
def test_the_sample_has_so_many_images_and_a_smaller_one_is_part_of_it(rows: int) -> None:
    assert len(paths(rows, 30)) == 30
    assert set(paths(rows, 10)) < set(paths(rows, 30))
    assert paths(rows, 30) == paths(13, 30)
    assert paths(rows, 100) == paths(rows, 1_000) == PATHS


def test_rows_are_known_by_an_images_path_or_its_record() -> None:
    images = pa.table({"image_path": ["a.png", "b.png"], "record_id": pa.array(["a", None], pa.string())})
    rows = [{"record_id": "a", "image_path": None}, {"record_id": None, "image_path": "b.png"}]
    others = [{"record_id": "c", "image_path": None}, {"record_id": None, "image_path": None}]
    schema = pa.schema({"record_id": pa.string(), "image_path": pa.string()})

    def read(names: list[str]) -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pylist([*rows, *others], schema).select(names)

    assert pa.Table.from_batches(read_known(read(schema.names), images)).to_pylist() == rows
    assert pa.Table.from_batches(read_known(read(["record_id"]), images)).to_pylist() == [{"record_id": "a"}]
