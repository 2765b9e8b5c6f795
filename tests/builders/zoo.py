"""A lake with a few rows in its tables, committed as Compact commits them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from pixlake.iceberg.catalog import commit_rows, open_catalog
from pixlake.iceberg.lakes import Lake
from pixlake.messages import TOTALS
from pixlake.schemas import TABLES

UPLOADED = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
MODEL = "emoji-clip@0123456789ab"

EMBEDDINGS: list[dict[str, Any]] = [
    {"image_path": "cat.png", "record_id": "cat", "embedding": [1.0, 0.0, 0.0], "width": 5, "height": 2},
    {"image_path": "lion.png", "record_id": "lion", "embedding": [0.8, 0.6, 0.0], "width": 640, "height": 480},
    {"image_path": "car.png", "record_id": None, "embedding": [0.0, 0.0, 1.0], "width": 640, "height": 480},
]
PREDICTIONS: list[dict[str, Any]] = [
    {"record_id": "cat", "label": "animal", "score": 0.9, "probabilities": [("animal", 0.9), ("thing", 0.1)]},
    {"record_id": "lion", "label": "animal", "score": 0.6, "probabilities": [("animal", 0.6), ("thing", 0.4)]},
    {"image_path": "car.png", "label": "thing", "score": float("nan"), "probabilities": None},
]
RECORDS: list[dict[str, Any]] = [
    {
        "record_id": "cat",
        "has_image": True,
        "image_paths": ["cat.png", "cat-2.png"],
        "attributes": [("name", "cat, 'a'")],
    },
    {"record_id": "none", "has_image": False, "image_paths": [], "attributes": [("name", None)]},
]
_SAME: dict[str, dict[str, Any]] = {
    "embeddings": {"model": MODEL, "sha256": "0" * 64, "width": 30, "height": 20},
    "predictions": {"modality": "image+tabular", "model": "group@ba9876543210"},
    "records": {},
    "rejects": {},
    "executions": {"status": "SUCCEEDED", "models": [], **dict.fromkeys(TOTALS, 0)},
}


def put_rows(lake: Lake, table: str, rows: list[dict[str, Any]], commit_id: str, experiment_id: str = "zoo") -> None:
    """Commit rows, filling in what all rows share."""
    same = {"experiment_id": experiment_id, "uploaded_at": UPLOADED, "processed_at": UPLOADED} | _SAME[table]
    full = [same | row for row in rows]
    if table == "embeddings":
        full = [{"image_uri": f"{lake.uri}/images/{row['image_path']}"} | row for row in full]
    if table == "records":
        full = [row | {"has_image": bool(row["image_paths"])} for row in full]
    data = pa.Table.from_pylist(full, schema=TABLES[table].columns)
    commit_rows(open_catalog(lake.uri, lake.catalog_uri), table, data, commit_id)


def fill(lake: Lake) -> Lake:
    """Commit all rows above."""
    put_rows(lake, "embeddings", EMBEDDINGS, "1")
    put_rows(lake, "predictions", PREDICTIONS, "1")
    put_rows(lake, "records", RECORDS, "1")
    return lake


def folder_of(lake: Lake) -> Path:
    """Where a lake on a disk lies."""
    assert lake.folder
    return lake.folder
