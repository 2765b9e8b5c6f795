"""The batches of a run without an upload: images that are in the lake, for models that have not answered them."""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixlake.bundles.roles import Model
from pixlake.lake import Work
from pixlake.matching.cutting import cut
from pixlake.matching.outputs import Limits, write_timed
from pixlake.messages import Batch
from pixlake.schemas import CLASSIFY_BATCH, EMBED_BATCH, STORED

_LEAST = 1 << 10  # bytes of a small image


def write_stored(
    work: Work, models: Mapping[str, Model], images: Mapping[str, pa.Table], limits: Limits
) -> list[Batch]:
    """Write the images of each role for its model, each with the time of its own upload, which its rows will have."""
    return [batch for role, model in models.items() for batch in _write(work, model, images[role], limits)]


def _write(work: Work, model: Model, images: pa.Table, limits: Limits) -> Iterator[Batch]:
    # of an image's encoded bytes nothing is known here; a byte a pixel is more than most have
    pixels = pc.multiply(images["width"].cast(pa.int64()), images["height"].cast(pa.int64())).to_numpy()
    sizes = np.maximum(pixels, _LEAST)
    name = "embed" if model.task == "embed" else "classify"
    for number, (start, stop) in enumerate(cut(sizes, limits.rows_for(model.images_per_second), limits.bytes)):
        size = int(sizes[start:stop].sum())
        batch = Batch(f"{name}-{number:06d}", model.task, "image", model.name, stop - start, size)
        rows = images.slice(start, stop - start)
        schema, columns = _embedded(rows) if model.task == "embed" else _classified(rows)
        write_timed(work.batch(batch.batch_id), schema, columns, _column(rows, STORED.name))
        yield batch


def _embedded(rows: pa.Table) -> tuple[pa.Schema, list[pa.Array]]:
    return EMBED_BATCH, [_column(rows, name) for name in EMBED_BATCH.names]


def _classified(rows: pa.Table) -> tuple[pa.Schema, list[pa.Array]]:
    ends = pa.array(np.arange(len(rows) + 1, dtype=np.int32))
    paths, uris = (pa.ListArray.from_arrays(ends, _column(rows, name)) for name in ("image_path", "image_uri"))
    attributes = pa.array([[]] * len(rows), CLASSIFY_BATCH.field("attributes").type)
    return CLASSIFY_BATCH, [pa.nulls(len(rows), pa.string()), paths, uris, attributes]


def _column(rows: pa.Table, name: str) -> pa.Array:
    return rows[name].combine_chunks()
