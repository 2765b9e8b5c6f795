"""The map of an experiment: each image a point, what is alike together, as data and as a page."""

import base64
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from pixlake.errors import BadRequest
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.existing import stream_alive
from pixlake.iceberg.lakes import Lake
from pixlake.images.decoders import Decoders, Limits
from pixlake.pages.described import Column, describe_images
from pixlake.pages.plane import project
from pixlake.pages.policy import Page
from pixlake.pages.sampled import read_known, sample
from pixlake.pages.standalone import render
from pixlake.report.sheet import make_thumbnail
from pixlake.report.words import readable
from pixlake.schemas import EMBEDDINGS, TABLES
from pixlake.search.quantized import Floats
from pixlake.search.stored import choose_model, count_models, read_batches
from pixlake.search.vectors import COLUMNS, map_vectors

FEWEST = 3
MOST = 200_000
"""Images; the page would take more than a browser likes."""
DETAILED = 20_000
"""Images up to which a page has all their columns."""
_ALWAYS = {"label", "score", "value"}
PICTURES = 400
_SIDE = 96  # pixels of a picture
_WORKERS = 4
_STEPS = 65_535


@dataclass(frozen=True)
class Map:
    """`images` have image_path, record_id, image_uri, width and height; `places`, float32 `[n, 2]`, and columns are row
    by row. `color` is the column that the points are colored by, None for none. They are some of `total` images.
    """

    experiment_id: str
    model: str
    method: str
    images: pa.Table
    places: Floats
    columns: list[Column]
    color: Column | None
    total: int


def make_map(
    lake: Lake, experiment_id: str, model: str | None, method: str, color: str | None, most: int | None = None
) -> Map:
    """The map by the vectors of one model, colored by labels where no column is named and there are some; of more
    images than `most`, where that is given, it has so many, always the same.

    MissingObject where there are no vectors, BadRequest where several models made some and none is named, for fewer
    than FEWEST or more than MOST images, and for a column that is not there.
    """
    catalog = open_catalog(lake.uri, lake.catalog_uri)
    table = load_table(catalog, EMBEDDINGS.name)
    models = count_models(read_batches(table, experiment_id, ["model"]))
    where = f"experiment {experiment_id!r} of {lake.uri}"
    chosen = _choose(models, model, where)
    total = models[chosen]
    if not FEWEST <= min(total, most or total) <= MOST:
        count = f"{where} has {total:,} images with a vector by {chosen}"
        raise BadRequest(f"{count}; a map takes {FEWEST} to {MOST:,}")
    read = partial(read_batches, table, experiment_id)
    vectors = map_vectors(read(COLUMNS) if most is None else sample(read, COLUMNS, chosen, most), chosen)

    def read_table(name: str, columns: list[str]) -> pa.Table:
        schema = pa.schema([TABLES[name].columns.field(column) for column in columns])
        rows = stream_alive(load_table(catalog, name), TABLES[name], experiment_id, columns)
        return pa.Table.from_batches(read_known(rows, vectors.facts), schema).combine_chunks()

    used, places = project(vectors.values, method)
    columns = describe_images(vectors.facts, read_table)
    return Map(experiment_id, chosen, used, vectors.facts, places, columns, _find(columns, color), total)


def _choose(models: Counter[str], wanted: str | None, where: str) -> str:
    if wanted is None and len(models) > 1:
        each = ", ".join(f"{model} ({count:,})" for model, count in sorted(models.items()))
        raise BadRequest(f"{where} has vectors by several models, choose one by --model: {each}")
    return choose_model(models, wanted, where)


def _find(columns: list[Column], name: str | None) -> Column | None:
    named = {column.name: column for column in columns}
    if name is None:
        return named.get("label")
    if name not in named:
        raise BadRequest(f"no column {name!r}; there are {', '.join(named)}")
    return named[name]


def list_places(found: Map) -> list[dict[str, Any]]:
    """Each image with its place, and its value where the points are colored."""
    rows = found.images.select(["image_path", "record_id"]).to_pylist()
    colors = [{}] * len(rows) if found.color is None else [{"color": value} for value in found.color.values.to_pylist()]
    places = found.places.tolist()
    return [row | {"x": x, "y": y} | color for row, (x, y), color in zip(rows, places, colors, strict=True)]


def draw_map(found: Map, search: str) -> Page:
    """The map as a page with some of the pictures. `search` is the command that searches from an image, but for the
    image itself."""
    paths = found.images["image_path"].to_pylist()
    chosen = sorted(range(len(paths)), key=lambda row: (zlib.crc32(paths[row].encode()), paths[row]))[:PICTURES]
    pictures = _draw([(row, found.images["image_uri"][row].as_py()) for row in chosen])
    return _render(found, {"pictures": pictures, "search": search}, "data:", is_served=False)


def draw_served_map(found: Map) -> Page:
    """The map as a page of the server, which gives it pictures, and which an image's link leads back to."""
    return _render(found, {"pictures": None}, "'self' data:", is_served=True)


def draw_no_map(experiment_id: str, reason: str) -> Page:
    """The same where there is none."""
    return render("unmapped", title=f"No map of {experiment_id}", experiment=experiment_id, reason=reason)


def _render(found: Map, more: dict[str, Any], pictures: str, *, is_served: bool) -> Page:
    data = {
        "experiment": found.experiment_id,
        "model": found.model,
        "method": found.method,
        "total": found.total,
        "places": _pack(found.places),
        "paths": found.images["image_path"].to_pylist(),
        "records": found.images["record_id"].to_pylist(),
        "columns": [_describe(column) for column in found.columns if _is_shown(found, column)],
        "color": found.color and found.color.name,
    }
    title = f"Map of {found.experiment_id}"
    facts = {"title": title, "experiment": found.experiment_id, "is_served": is_served}
    return render("map", data | more, pictures, **facts)


def _is_shown(found: Map, column: Column) -> bool:
    return len(found.places) <= DETAILED or column is found.color or column.name in _ALWAYS


def _pack(places: Floats) -> str:
    """x and y of each as 16 bits, base64, from 0 to 65,535 in the longer direction."""
    least, most = places.min(axis=0), places.max(axis=0)
    size = float((most - least).max()) or 1.0
    steps = np.rint((places - least).astype(np.float64) / size * _STEPS)
    return base64.b64encode(steps.astype("<u2").tobytes()).decode()


def _describe(column: Column) -> dict[str, Any]:
    """Numbers as they are, texts as distinct ones and which of them each is, -1 for none."""
    if column.is_number:
        return {"name": column.name, "numbers": column.values.to_pylist()}
    encoded = column.values.dictionary_encode()
    return {
        "name": column.name,
        "texts": [readable(text) for text in encoded.dictionary.to_pylist()],
        "which": encoded.indices.fill_null(-1).to_pylist(),
    }


def _draw(pictures: list[tuple[int, str]]) -> dict[str, str]:
    """Small pictures as data URIs by their rows; those that cannot be shown are left out."""
    decoders = Decoders(Limits())
    with ThreadPoolExecutor(_WORKERS) as pool:
        drawn = list(pool.map(lambda picture: make_thumbnail(picture[1], decoders, _SIDE), pictures))
    return {str(row): uri for (row, _), uri in zip(pictures, drawn, strict=True) if uri}
