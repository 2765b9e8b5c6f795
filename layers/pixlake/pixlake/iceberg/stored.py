"""The images of an experiment that are in the lake and that a model has not answered yet, for runs without an upload.

An image is one with a vector of any model; what it holds is what its newest row says.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import Catalog

from pixlake.errors import BadRequest
from pixlake.iceberg.catalog import connect, has_tables, load_table
from pixlake.iceberg.existing import read_alive
from pixlake.iceberg.translation import translated
from pixlake.schemas import EMBEDDINGS, PREDICTIONS, TableSchema

_IMAGE = ("image_path", "image_uri", "record_id", "uploaded_at", "sha256", "width", "height", "model")


def find_unanswered(
    lake_uri: str, catalog_uri: str, experiment_id: str, embedder: str | None, classifier: str | None
) -> tuple[pa.Table, pa.Table]:
    """The images to embed and those to classify, sorted by path; none where no such model (`name@version`) is given.

    To embed are those without a vector of the same content by the embedder; to classify those without a record that
    have no prediction by the classifier since they were uploaded. Makes no table.

    Raises BadRequest where the experiment has no image, CatalogError and StorageError.
    """
    with translated(f"catalog {catalog_uri}"):
        catalog = connect(lake_uri, catalog_uri)
    rows = _read(catalog, EMBEDDINGS, experiment_id, _IMAGE)
    if not rows.num_rows:
        raise BadRequest(f"the experiment {experiment_id!r} has no image with a vector in {lake_uri}")
    images = _newest(rows)
    unembedded = _unembedded(images, rows, embedder) if embedder else images.slice(0, 0)
    unpredicted = _unpredicted(catalog, experiment_id, images, classifier) if classifier else images.slice(0, 0)
    return unembedded, unpredicted


def read_stored(lake_uri: str, catalog_uri: str, experiment_id: str) -> pa.Table:
    """The images of the experiment that have a vector, sorted by path: `image_path`, `image_uri`, `uploaded_at`,
    `width` and `height`. Makes no table; none where the lake has none. Raises CatalogError and StorageError."""
    columns = ("image_path", "image_uri", "uploaded_at", "width", "height")
    if not has_tables(catalog_uri):
        return pa.schema([EMBEDDINGS.columns.field(name) for name in columns]).empty_table()
    with translated(f"catalog {catalog_uri}"):
        catalog = connect(lake_uri, catalog_uri)
    return _newest(_read(catalog, EMBEDDINGS, experiment_id, columns)).select(columns)


def _newest(rows: pa.Table) -> pa.Table:
    """Of the rows of each image, by whichever model, the newest."""
    rows = rows.sort_by([("image_path", "ascending"), ("uploaded_at", "ascending")])
    last = np.ones(rows.num_rows, bool)
    last[:-1] = pc.not_equal(rows["image_path"][1:], rows["image_path"][:-1]).to_numpy()
    return rows.filter(pa.array(last))


def _unembedded(images: pa.Table, rows: pa.Table, model: str) -> pa.Table:
    return _without(images, rows.filter(pc.equal(rows["model"], model)), ["image_path", "sha256"])


def _unpredicted(catalog: Catalog, experiment_id: str, images: pa.Table, model: str) -> pa.Table:
    columns = ("record_id", "image_path", "model", "uploaded_at")
    predicted = _read(catalog, PREDICTIONS, experiment_id, columns)
    by_it = pc.and_(pc.equal(predicted["model"], model), predicted["record_id"].is_null())
    orphans = images.filter(images["record_id"].is_null())
    return _without(orphans, predicted.filter(by_it), ["image_path", "uploaded_at"])


def _without(images: pa.Table, answered: pa.Table, keys: list[str]) -> pa.Table:
    left = images.join(answered.select(keys), keys, join_type="left anti")
    return left.sort_by("image_path").combine_chunks()


def _read(catalog: Catalog, schema: TableSchema, experiment_id: str, columns: tuple[str, ...]) -> pa.Table:
    with translated(f"table {schema.name}"):
        return read_alive(load_table(catalog, schema.name), schema, experiment_id, columns)
