"""Lakes with tiny models, uploads made on the spot, and what the tables hold afterwards."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from PIL import Image

from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.lakes import Lake
from pixlake.schemas import TABLES
from tests.builders import tiny

MODELS = {
    "Embedder": "tiny",
    "ClassifierWithImage": "colors",
    "ClassifierWithoutImage": "ages",
    "ClassifierOrphan": "",
}
Row = dict[str, Any]


def make_lake(folder: Path) -> Lake:
    """A lake with an embedder, a classifier that looks at images and one that looks at the column Age."""
    models = tiny.BundleLake(folder)
    models.embedder("tiny")
    models.classifier("colors", tiny.image_graph(np.eye(3, dtype=np.float32)), [tiny.image_input()])
    weights = np.array([[1, 0, -1]], dtype=np.float32)
    node = helper.make_node("MatMul", ["numbers", "weights"], ["answer"])
    graph = tiny.graph([node], {"numbers": (TensorProto.FLOAT, ["n", 1])}, "answer", {"weights": weights})
    column = {"name": "Age", "fill": 0.0, "mean": 0.0, "scale": 1.0}
    models.classifier("ages", graph, [{"type": "numerical", "tensor": "numbers", "columns": [column]}])
    return Lake.at(str(folder))


def image(color: tuple[int, int, int] = (255, 0, 0)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 12), color).save(buffer, "PNG")
    return buffer.getvalue()


def make_zip(path: Path, members: Mapping[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def rows(lake: Lake, table: str, experiment: str | None = None) -> list[Row]:
    """The table's rows, sorted by key."""
    catalog = open_catalog(lake.uri, lake.catalog_uri)
    found: list[Row] = load_table(catalog, table).scan().to_arrow().to_pylist()
    key = TABLES[table].key
    mine = [row for row in found if experiment in (None, row["experiment_id"])]
    return sorted(mine, key=lambda row: [str(row[column]) for column in key])
