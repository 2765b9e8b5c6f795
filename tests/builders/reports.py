"""An execution's work folder as the other steps leave it: parts in the tables' schemas, images, rejects."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from pixlake import rejects, schemas, storage
from pixlake.lake import Work, images_uri
from pixlake.messages import (
    CompactAnswer,
    ItemList,
    Options,
    PlanAnswer,
    ReportRequest,
    Run,
    Shard,
    SplitAnswer,
)

STARTED = "2026-11-20T09:00:00Z"
LABELS = ("animals", "flags", "food & drink", "símbolos", "<b>bold</b>", "$x^2_$", "旅行")


@dataclass(frozen=True)
class ReportedExecution:
    """A lake folder with the work of one execution of `images` images, and the request that reports it."""

    lake: str
    work: Work
    request: ReportRequest


MakeExecution = Callable[..., ReportedExecution]


def _request(lake: str, images: int, records: int, rejected: int, orphans: int) -> ReportRequest:
    run = Run("demo-1", "emoji", f"{lake}/uploads/emoji/emoji.zip?<x>", "0123456789abcdef", STARTED, STARTED)
    models = {"embedder": "clip-tiny@0123456789ab", "with_image": "fusion@ba9876543210"}
    return ReportRequest(
        run,
        PlanAnswer(run, Options(label_column="group"), ItemList("work/demo-1/shards.json", 1), images, 1, 2),
        SplitAnswer(
            ItemList("work/demo-1/batches.json", 4),
            images,
            records,
            min(images, records) - orphans,
            orphans,
            3,
            models,
            "code_point",
            "its values are the names of 95 % of the images",
        ),
        CompactAnswer(images, records, images, records, rejected, 0),
    )


def _image(seed: int) -> bytes:
    generator = np.random.default_rng(seed)
    pixels = np.full((72 + seed % 5 * 9, 96, 3), generator.integers(60, 230, 3), np.uint8)
    pixels[20:50, 24:72] = generator.integers(0, 255, 3)
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "PNG")
    return target.getvalue()


def _table(schema: pa.Schema, rows: list[dict[str, object]]) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), target)
    return target.getvalue()


def _embedding(reported: ReportRequest, lake: str, index: int) -> dict[str, object]:
    run = reported.run
    path = f"photos/{index:05d}.png"
    return {
        "experiment_id": run.experiment_id,
        "image_path": path,
        "record_id": f"r{index:05d}",
        "embedding": [1.0, 0.0, 0.0, 0.0],
        "model": "clip-tiny@0123456789ab",
        "width": 96,
        "height": 72 + index % 5 * 9,
        "sha256": "0" * 64,
        "image_uri": f"{images_uri(lake, run.experiment_id, run.upload_id)}/{path}",
        "uploaded_at": datetime(2026, 11, 20, 9, tzinfo=UTC),
        "processed_at": datetime(2026, 11, 20, 9, tzinfo=UTC),
    }


def _prediction(index: int, modality: str) -> dict[str, object]:
    label = LABELS[index % len(LABELS)]
    score = 1 - (index % 61) / 100
    return {
        "experiment_id": "emoji",
        "record_id": f"r{index:05d}",
        "image_path": None,
        "label": label,
        "score": score,
        "probabilities": [(label, score)],
        "value": None,
        "modality": modality,
        "model": "fusion@ba9876543210",
        "uploaded_at": datetime(2026, 11, 20, 9, tzinfo=UTC),
        "processed_at": datetime(2026, 11, 20, 9, tzinfo=UTC),
    }


def _record(index: int, has_image: bool) -> dict[str, object]:
    """Of 80 records, those from the 70th on are labelled otherwise than predicted."""
    return {
        "experiment_id": "emoji",
        "record_id": f"r{index:05d}",
        "has_image": has_image,
        "image_paths": [f"photos/{index:05d}.png"] if has_image else [],
        "attributes": [("group", LABELS[index % len(LABELS)] if index < 70 else "other")],
        "uploaded_at": datetime(2026, 11, 20, 9, tzinfo=UTC),
        "processed_at": datetime(2026, 11, 20, 9, tzinfo=UTC),
    }


def _classify_batch(embeddings: list[dict[str, object]]) -> bytes:
    rows = [
        {
            "record_id": row["record_id"],
            "image_paths": [row["image_path"]],
            "image_uris": [row["image_uri"]],
            "attributes": [],
        }
        for row in embeddings
    ]
    return _table(schemas.CLASSIFY_BATCH, rows)


def _rejects(hostile: Sequence[rejects.Reject]) -> list[rejects.Reject]:
    return [
        *[rejects.Reject(f"photos/broken-{n}.png", "embed", "truncated", "image file is truncated") for n in range(14)],
        rejects.Reject("table.csv:17", "split", "duplicate_id", "'r00003' stands in row 4 already"),
        *hostile,
    ]


def build_execution(
    folder: Path,
    images: int = 70,
    records: int = 80,
    hostile: Sequence[rejects.Reject] = (),
    rejected: bool = True,
    embedder: bool = True,
    orphans: int = 0,
) -> ReportedExecution:
    """Write the work of an execution in batches of 32; the first `images` of the records have an image, but
    for the last `orphans` of these, whose images are no record's."""
    lake = f"file://{folder}"
    refused = _rejects(hostile) if rejected else []
    request = _request(lake, images, records, len(refused), orphans)
    work = Work(lake, "demo-1")
    storage.write(work.shards, msgspec.json.encode([Shard(0, 0, 3, images, 1000)]))
    storage.write(work.extracted(0), b"")
    embeddings = [_embedding(request, lake, index) for index in range(images)]
    for row in embeddings[images - orphans :]:
        row["record_id"] = None
    for index, row in enumerate(embeddings):
        storage.write(str(row["image_uri"]), _image(index))
    predictions = [_prediction(index, "image+tabular" if index < images else "tabular") for index in range(records)]
    described = [_record(index, index < images - orphans) for index in range(records)]
    storage.write(work.part("records", "000000"), _table(schemas.RECORDS.columns, described))
    for start in range(0, records, 32):
        window = slice(start, start + 32)
        storage.write(work.batch(f"classify-{start:06d}"), _classify_batch(embeddings[window]))
        data = _table(schemas.PREDICTIONS.columns, predictions[window])
        storage.write(work.part("predictions", f"classify-{start:06d}"), data)
        if embedder and embeddings[window]:
            data = _table(schemas.EMBEDDINGS.columns, embeddings[window])
            storage.write(work.part("embeddings", f"embed-{start:06d}"), data)
    storage.write(work.batches, b"[]")
    for stage in ("embed", "split"):
        rejects.write(work.rejects(stage, "000000"), [row for row in refused if row.stage == stage])
    return ReportedExecution(lake, work, request)
