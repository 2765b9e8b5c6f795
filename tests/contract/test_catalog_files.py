"""pyiceberg's files on a folder and on S3: small and large, with any character in their names."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pixlake.errors import MissingObject
from pixlake.iceberg.fileio import LakeFileIO
from tests.contract.places import LakePlace

NAMES = ["plain.bin", "a b/ü #1?x=100%25.bin", "deep/er/still.bin"]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_name_is_read_back(lake_place: LakePlace, name: str) -> None:
    io, uri = LakeFileIO(), f"{lake_place.uri}/files/{name}"
    assert not io.new_input(uri).exists()
    with io.new_output(uri).create() as sink:
        sink.write(b"one ")
        sink.write(b"two")
    assert io.new_input(uri).exists()
    assert len(io.new_input(uri)) == 7
    with io.new_input(uri).open() as source:
        source.seek(4)
        assert source.read() == b"two"
    io.delete(uri)
    assert not io.new_input(uri).exists()


def test_a_large_parquet_file_is_written_and_read_in_pieces(lake_place: LakePlace) -> None:
    io, uri = LakeFileIO(), f"{lake_place.uri}/large.parquet"
    rows = pa.table({"number": np.arange(600_000), "noise": np.random.default_rng(0).random(600_000)})
    with io.new_output(uri).create() as sink, pq.ParquetWriter(sink, rows.schema) as writer:
        for start in range(0, rows.num_rows, 100_000):
            writer.write_table(rows.slice(start, 100_000))
    assert len(io.new_input(uri)) > 9 << 20
    with io.new_input(uri).open() as source:
        assert pq.read_table(source).equals(rows)


def test_an_object_is_overwritten_only_on_request(lake_place: LakePlace) -> None:
    output = LakeFileIO().new_output(f"{lake_place.uri}/once.bin")
    output.create().close()
    with pytest.raises(FileExistsError):
        output.create()
    output.create(overwrite=True).close()


def test_a_missing_object_is_named(lake_place: LakePlace) -> None:
    with pytest.raises(MissingObject, match="nowhere"):
        LakeFileIO().new_input(f"{lake_place.uri}/nowhere.bin").open()
