"""What Extract put into the lake, as one sorted Arrow table."""

from datetime import datetime
from functools import partial

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from pixlake import storage
from pixlake.concurrency import map_bounded
from pixlake.errors import StorageError
from pixlake.lake import Work
from pixlake.messages import Image
from pixlake.schemas import STORED

IMAGES = pa.schema([("image_path", pa.string()), ("image_uri", pa.string()), ("size", pa.int64())])
_TIME = STORED.with_nullable(True)
_READS_IN_FLIGHT = 32


def read_images(work: Work, shards: int) -> pa.Table:
    """The images of all shards (columns as in `messages.Image`), sorted by image_path; with `uploaded_at` only where
    images have times of their own.

    Raises MissingObject where a shard's list is not there: an image must not go missing without a word.
    """
    batches = list(map_bounded(partial(_read_shard, work), range(shards), _READS_IN_FLIGHT))
    table = pa.Table.from_batches(batches, IMAGES.append(_TIME)).combine_chunks()
    if table[_TIME.name].null_count == len(table):
        table = table.drop_columns(_TIME.name)
    paths = table["image_path"]
    if pc.all(pc.less_equal(paths[:-1], paths[1:])).as_py() is False:
        table = table.take(pc.sort_indices(paths))
    return table


def _read_shard(work: Work, shard: int) -> pa.RecordBatch:
    uri = work.extracted(shard)
    try:
        images = msgspec.json.Decoder(Image).decode_lines(storage.read(uri))
    except msgspec.DecodeError as error:
        raise StorageError(f"{uri}: not the list that Extract writes: {error}") from error
    columns = [
        [image.image_path for image in images],
        [image.image_uri for image in images],
        [image.size for image in images],
        [datetime.fromisoformat(image.uploaded_at) if image.uploaded_at else None for image in images],
    ]
    schema = IMAGES.append(_TIME)
    return pa.record_batch([pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)], schema)
