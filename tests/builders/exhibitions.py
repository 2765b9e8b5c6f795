"""A gallery with all that the page shows of a lake: facts of images, copies, rejects, an execution with its report."""

from datetime import timedelta

import pyarrow as pa

from pixlake import storage
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.lakes import Lake
from pixlake.lake import report_uri
from tests.builders import galleries
from tests.builders.galleries import COLORS, EXPERIMENT
from tests.builders.zoo import UPLOADED, put_rows

COPY = "of/red again.png"
RUN = "20261120T093000-colors-1a2b"
FAMILY = {"red": "warm", "dark": "warm", "green": "cold", "blue?#é": "cold"}
REPORT = b"<!doctype html><html lang=en><title>Report</title><main><h1>Report of colors</h1></main></html>"


def fill(lake: Lake) -> Lake:
    """Put what a gallery has, and the rest."""
    galleries.fill(lake)
    embeddings = load_table(open_catalog(lake.uri, lake.catalog_uri), "embeddings").scan().to_arrow()
    (red,) = [row for row in pa.table(embeddings).to_pylist() if row["image_path"] == "of/red.png"][:1]
    copy = {name: red[name] for name in ("embedding", "model", "image_uri")}
    put_rows(lake, "embeddings", [copy | {"image_path": COPY, "width": 20, "height": 10}], "copy", EXPERIMENT)
    records = [
        {"record_id": name, "image_paths": [f"of/{name}.png"], "attributes": [("family", FAMILY[name]), ("it's", "so")]}
        for name in COLORS
    ]
    put_rows(lake, "records", records, "records", EXPERIMENT)
    labels = [{"record_id": name, "label": f"{FAMILY[name]} color", "score": 0.75} for name in COLORS]
    put_rows(lake, "predictions", labels, "predictions", EXPERIMENT)
    rejects = [
        {"source": "of/broken.png", "stage": "embed", "reason": "truncated", "detail": "the file ends early"},
        {"source": "colors.csv:7", "stage": "split", "reason": "empty_id", "detail": "the row has no id"},
    ]
    put_rows(lake, "rejects", rejects, "rejects", EXPERIMENT)
    ran = {
        "execution_id": RUN,
        "upload_uri": f"{lake.uri}/uploads/colors.zip",
        "images": 4,
        "rejected": 2,
        "started_at": UPLOADED,
        "finished_at": UPLOADED + timedelta(seconds=12),
    }
    put_rows(lake, "executions", [ran], "executions", EXPERIMENT)
    storage.write(report_uri(lake.uri, RUN), REPORT)
    return lake
