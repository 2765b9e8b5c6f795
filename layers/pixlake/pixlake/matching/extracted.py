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
from pixlake.matching.pieces import whole
from pixlake.messages import Image
from pixlake.schemas import STORED

IMAGES = pa.schema([("image_path", pa.string()), ("image_uri", pa.string()), ("size", pa.int64())])
_TIME = STORED.with_nullable(True)
IS_STORED = "is_stored"
"""The column of images that are in the lake already, beside an upload's own."""
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


def with_stored(images: pa.Table, stored: pa.Table) -> pa.Table:
    """The upload's images, which have times of their own, and those that are in the lake (columns of
    `iceberg.stored.read_stored`), of which `is_stored` is true; of one path the upload's. Sorted by path."""
    lake = stored.filter(pc.invert(pc.is_in(stored["image_path"], value_set=whole(images["image_path"]))))
    # of an image's encoded bytes nothing is known here; a byte a pixel is more than most have
    sizes = pc.multiply(lake["width"].cast(pa.int64()), lake["height"].cast(pa.int64()))
    columns = {"image_path": lake["image_path"], "image_uri": lake["image_uri"], "size": sizes}
    columns |= {_TIME.name: lake[_TIME.name], IS_STORED: pa.repeat(True, lake.num_rows)}
    known = pa.table(columns)
    if images.num_rows:
        own = images.append_column(IS_STORED, pa.repeat(False, images.num_rows))
        known = pa.concat_tables([own, known.cast(own.schema)])
    return known.sort_by("image_path").combine_chunks()


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
