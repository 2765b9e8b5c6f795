"""Deletes as another engine writes them, of rows in a data file."""

import uuid
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat

from pixlake.iceberg.existing import ExistingFile


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
